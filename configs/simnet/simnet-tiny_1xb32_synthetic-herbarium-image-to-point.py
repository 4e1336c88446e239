# The narrow SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): the image's cells look at the points.
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

model = dict(fusion=dict(_delete_=True, direction='image-to-point', channels=64, num_heads=4))
