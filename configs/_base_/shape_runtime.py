# What configs of reconstruction share: a Chamfer distance is best where it is least. No hook draws clouds: the one of
# the other systems draws labels of points.
_base_ = './default_runtime.py'

default_hooks = dict(
    {name: hook for name, hook in _base_.default_hooks.items() if name != 'visualization'},
    _delete_=True,
    checkpoint=dict(_base_.default_hooks.checkpoint, save_best='cd', rule='less'),
)
