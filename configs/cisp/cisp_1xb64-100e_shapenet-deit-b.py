# CISP whose shape encoder has DeiT-B's sizes, as the paper's text says; the released code has DeiT-S's.
_base_ = './cisp_1xb64-100e_shapenet.py'

model = dict(shape_encoder=dict(backbone=dict(arch='base')))
