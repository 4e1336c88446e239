# What configs of single objects share, of reconstruction, retrieval and diffusion. No hook draws anything: the one of
# the other systems draws labels of points. Reconstruction is best where its Chamfer distance is least; configs of
# retrieval and diffusion name a score of their own in its place.
_base_ = './default_runtime.py'

default_hooks = dict(
    {name: hook for name, hook in _base_.default_hooks.items() if name != 'visualization'},
    _delete_=True,
    checkpoint=dict(_base_.default_hooks.checkpoint, save_best='cd', rule='less'),
)
