# The narrow IC3D conditioned on embeddings of images out of a file: a gallery of every view of every split, made by
# `tools/embed_shapes.py CONFIG CHECKPOINT --split train val test --images --views all --out work_dirs/embeddings.npz`
# with a CISP, or any other file as README.md describes it.
_base_ = './ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'

# Often changed
embeddings = 'work_dirs/embeddings.npz'
embed_dim = 64

# Rarely
model = dict(image_encoder=None, denoiser=dict(embed_dim=embed_dim))
train_pipeline = [
    dict(type='LoadEmbedding', path=embeddings, channels=embed_dim),
    dict(type='LoadVoxelTarget'),
    dict(type='PackShapeInputs'),
]
test_pipeline = train_pipeline
inputs = []  # no rendering needs to be there
train_dataloader = dict(dataset=dict(inputs=inputs, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(inputs=inputs, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(inputs=inputs, pipeline=test_pipeline))
