# IC3D conditioned on embeddings out of a file, made by whatever network: the paper's are open_clip's of ViT-B-32,
# laion2b_s34b_b79k, 512 numbers for view 0 of each model. README.md says how such a file is written.
_base_ = './ic3d_1xb4-300e_shapenet-cisp.py'

# Often changed
embeddings = 'data/shapenet/clip_vit-b-32_laion2b.npz'
embed_dim = 512

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
