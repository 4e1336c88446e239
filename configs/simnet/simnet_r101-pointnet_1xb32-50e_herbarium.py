# SIM-Net on herbarium sheets: ResNet-101 on the whole image (SIPD), PointNet on 1024 points of the plant.
# The paper's sheets are not public: these are `tools/make_synthetic.py herbarium`'s, or your own in the same table.
_base_ = [
    '../_base_/models/sim_net.py',
    '../_base_/datasets/herbarium.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/image_runtime.py',
]
