# CISP with embeddings of 128 dimensions.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Often changed
embed_channels = 128

# Rarely
model = dict(
    image_encoder=dict(embed_channels=embed_channels),
    shape_encoder=dict(embed_channels=embed_channels),
)
