# The narrow SIM-Net with cross-attention (Tables 7 to 9; its structure is ours): cells and points look at each other.
_base_ = './simnet-tiny_1xb32_synthetic-herbarium.py'

model = dict(fusion=dict(_delete_=True, direction='both', channels=64, num_heads=4))
