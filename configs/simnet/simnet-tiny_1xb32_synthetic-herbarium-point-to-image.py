# The narrow SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): the points look at the image's cells.
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

model = dict(fusion=dict(_delete_=True, direction='point-to-image', channels=64, num_heads=4))
