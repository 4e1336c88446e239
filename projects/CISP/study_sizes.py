"""How large the study is on two CPU cores, and on a GPU."""

from __future__ import annotations

from typing import Optional

from study_plan import Size, Training, load_config

FULL = 'configs/cisp/cisp_1xb64-100e_shapenet.py'
IMAGENET = 'configs/cisp/cisp_1xb64-100e_shapenet-imagenet.py'


def _narrow(name: str, encoder: Optional[str] = None) -> Training:
    """A narrow denoiser, by the end of its config's name."""
    return Training(f'configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-{name}.py', 800, encoder=encoder)


def _narrow_encoder(model: str, end: str = '') -> Training:
    return Training(f'configs/cisp/{model}_synthetic-shapenet{end}.py', 200)


def _full(name: str, encoder: Optional[str] = None) -> Training:
    """Validated after each epoch: the learning rate follows the error of the noise on the part ``val``.

    ShapeNet's average of the weights is slower than these 10,500 iterations: a third of it would be untrained.
    """
    config = f'configs/ic3d/ic3d_1xb4-300e_shapenet-{name}.py'
    return Training(config, 60, ('train_cfg.val_interval=1', 'custom_hooks.0.momentum=0.002'), encoder)


def _full_encoder(config: str) -> Training:
    """From ImageNet's weights, as the image network beside which it stands has them."""
    start = 'model.image_encoder.backbone.init_cfg'
    weights = load_config(IMAGENET).imagenet
    options = (f'{start}.type=Pretrained', f'{start}.checkpoint={weights}', f'{start}.prefix=backbone.')
    return Training(config, 400, options)


SIZES = {
    'cpu': Size(
        data_root='data/study/shapenet',
        models=60,
        views=12,
        samples=10,
        steps=25,
        pairs=1,
        trainings={
            'cisp': _narrow_encoder('cisp-tiny_1xb64'),
            'cisp-cnn': _narrow_encoder('cisp-tiny_1xb64', '-cnn'),
            'cisp-batch-16': _narrow_encoder('cisp-tiny_1xb16'),
            'cisp-narrow': _narrow_encoder('cisp-tiny_1xb64', '-16d'),
            'classifier': _narrow_encoder('image-classifier-tiny_1xb64'),
            'ic3d-cisp': _narrow('cisp', 'cisp'),
            'ic3d-images': _narrow('classifier', 'classifier'),
            'ic3d-unguided': _narrow('unguided'),
        },
    ),
    # DeiT-B with ImageNet's weights, which are downloaded, and the denoiser of 83 million parameters on one GPU. DDIM
    # with clipped shapes in place of 1000 steps of DDPM, which would take most of the time.
    'gpu': Size(
        data_root='data/study_large/shapenet',
        models=200,
        views=24,
        samples=10,
        steps=50,
        pairs=4,
        trainings={
            'cisp': _full_encoder(FULL),
            'cisp-cnn': _full_encoder('configs/cisp/cisp_1xb64-100e_shapenet-cnn.py'),
            'cisp-batch-16': _full_encoder('configs/cisp/cisp_1xb16-100e_shapenet.py'),
            'cisp-narrow': _full_encoder('configs/cisp/cisp_1xb64-100e_shapenet-128d.py'),
            'ic3d-cisp': _full('cisp', 'cisp'),
            'ic3d-images': _full('deit'),
            'ic3d-unguided': _full('unguided'),
        },
        sampling=('model.sampling.sampler=ddim', 'model.sampling.clip=True', 'model.sampling.rows_at_once=64'),
        scoring=('test_evaluator.points=2048', 'test_evaluator.emd=none', 'test_evaluator.device=cuda'),
    ),
}
