# What configs share whose schedule counts iterations.
_base_ = './default_runtime.py'

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000), logger=dict(log_metric_by_epoch=False))
log_processor = dict(by_epoch=False)
