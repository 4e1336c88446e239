# Open question 2: 2D boxes that a detector has drawn, in the info file of boxes_from_coco.py.
_base_ = '../../../configs/2ddata/2ddata_4xb8-80e_nuscenes-lidarseg.py'

ann_file = 'nuscenes_infos_train_detector.json'

train_dataloader = dict(dataset=dict(ann_file=ann_file))
