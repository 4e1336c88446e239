# What every config shares: registration, hooks, environment, logging.
custom_imports = dict(imports=['mmfusion_plugin'])
default_scope = 'mmdet3d'

# Often changed
load_from = None
resume = False
randomness = dict(seed=0)
log_level = 'INFO'

# Sometimes
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='MainProcessLoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=3, save_best='miou', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    reproducible=dict(type='ReproducibleHook'),
    loader_guard=dict(type='LoaderGuardHook'),
    nan_guard=dict(type='NanGuardHook', action='stop'),
    visualization=dict(type='SegmentationPicturesHook'),  # draws when tools/test.py is given --show-dir
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

# Rarely
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Det3DLocalVisualizer', vis_backends=vis_backends, name='visualizer')
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800),  # seconds; gloo where there is no CUDA
)
