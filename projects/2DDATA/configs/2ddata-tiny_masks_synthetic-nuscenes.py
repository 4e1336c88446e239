# Open question 1: instance masks tell which points belong to an object, where a box also holds its background.
_base_ = '../../../configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'

ann_file = 'nuscenes_infos_train_masks.json'

train_pipeline = [
    dict(step, with_masks=True) if step['type'] == 'LoadBoxes2D' else step for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=train_pipeline))
