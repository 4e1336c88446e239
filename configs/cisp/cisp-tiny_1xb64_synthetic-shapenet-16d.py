# The narrow CISP with embeddings of 16 dimensions.
_base_ = './cisp-tiny_1xb64_synthetic-shapenet.py'

# Often changed
embed_channels = 16

# Rarely
model = dict(
    image_encoder=dict(embed_channels=embed_channels),
    shape_encoder=dict(embed_channels=embed_channels),
)
