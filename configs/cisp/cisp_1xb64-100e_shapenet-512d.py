# CISP with embeddings of 512 dimensions.
_base_ = './cisp_1xb64-100e_shapenet.py'

# Often changed
embed_channels = 512

# Rarely
model = dict(
    image_encoder=dict(embed_channels=embed_channels),
    shape_encoder=dict(embed_channels=embed_channels),
)
