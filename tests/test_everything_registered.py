"""Everything registered builds; every model runs forward and backward and each parameter gets a finite gradient.

A new component fails here until it has its line in ``MODELS_RUN`` or ``OTHERS``.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest
import torch
from mmdet3d import registry as mmdet3d_registry
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

import mmfusion_plugin  # noqa: F401  (registers what is tested)
from mmfusion_plugin.models.fusion import Neighbourhoods
from mmfusion_plugin.structures import Boxes2D, ShapeSample

CLASSES = 4
VOLUME = dict(lower=[-4, -4, -2], upper=[4, 4, 2], spatial_shape=[16, 16, 8])
ENCODER = dict(type='SPVEncoder', hidden=8, scales=[2, 4], **VOLUME)
HEAD = dict(type='PointSegHead', channels=6, num_classes=CLASSES, ignore_index=CLASSES)


def points(count: int = 60) -> Tensor:
    return torch.rand(count, 4) * 3 - 1.5


def labels(count: int = 60) -> Tensor:
    return torch.arange(count) % (CLASSES + 1)


def batch(counts: tuple[int, ...] = (60, 40)) -> dict[str, Any]:
    samples = [Det3DDataSample(gt_pts_seg=PointData(pts_semantic_mask=labels(n))) for n in counts]
    return dict(inputs=dict(points=[points(n) for n in counts]), data_samples=samples)


def run_encoder(model: nn.Module) -> Tensor:
    # The last block's voxel encoder reaches the result through its point features.
    return sum(level.point_features.square().sum() + level.voxel_features.square().sum()
               for level in model([points(), points(30)]).levels)


def run_head(model: nn.Module) -> Tensor:
    features = MODELS.build(ENCODER)([points()])
    return sum(model.loss(model(features), labels()).values())


def run_loss(model: nn.Module) -> Tensor:
    logits = torch.randn(60, CLASSES, requires_grad=True)
    loss = model(logits, labels())
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0
    return loss


def run_segmentor(model: nn.Module) -> Tensor:
    data = model.data_preprocessor(batch(), training=True)
    return sum(model(**data, mode='loss').values())


def run_norm(model: nn.Module) -> Tensor:
    return (model(torch.randn(7, 3)) * torch.randn(7, 3)).sum()


def run_preprocessor(model: nn.Module) -> Tensor:
    data = model(batch(), training=True)
    assert [len(cloud) for cloud in data['inputs']['points']] == [60, 40]
    return torch.zeros((), requires_grad=True)


def run_votes(model: nn.Module) -> Tensor:
    views = {key: [value, value] for key, value in batch((30,)).items()}
    with torch.no_grad():
        (merged,) = model.test_step(views)
    assert merged.pred_pts_seg.pts_semantic_mask.shape == (30,)
    return run_segmentor(model.module)


def run_image_backbone(model: nn.Module) -> Tensor:
    pixels = torch.rand(20, 2) * 31
    return sum(level.square().sum() for level in model(torch.randn(1, 3, 32, 32), pixels, torch.zeros(20).long()))


def features(count: int, levels: int = 2) -> list[Tensor]:
    return [torch.randn(count, 8, requires_grad=True) for _ in range(levels)]


def run_fusion(model: nn.Module) -> Tensor:
    inverse = [torch.arange(60) % 25] * 2
    return sum(model.loss(features(25), inverse, features(40), labels(), torch.arange(40)).values())


def boxes(views: int = 1) -> Boxes2D:
    ones = torch.ones(views, dtype=torch.int64)
    return Boxes2D(torch.tensor([[0.0, 0, 20, 20]] * views), 17 * ones, 3 * ones, 4 * ones, torch.zeros(views),
                   torch.arange(views), torch.ones(views))


def run_object_branch(model: nn.Module) -> Tensor:
    image = torch.zeros(40, dtype=torch.int64)
    return sum(model.loss(features(40), features(40), labels(40), torch.rand(40, 2) * 31, image, boxes()).values())


def run_image_segmentor(model: nn.Module) -> Tensor:
    data = batch()
    data['inputs']['imgs'] = [torch.randn(1, 3, 32, 32) for _ in range(2)]
    data['inputs']['pixels'] = [torch.rand(len(cloud), 1, 2) * 31 for cloud in data['inputs']['points']]
    for sample in data['data_samples']:
        sample.gt_boxes_2d = boxes()
    return sum(model(**model.data_preprocessor(data, training=True), mode='loss').values())


def run_distillation(model: nn.Module) -> Tensor:
    student, teacher = (torch.randn(9, CLASSES, requires_grad=True) for _ in range(2))
    loss = model(student, teacher)
    gradient, none = torch.autograd.grad(loss, [student, teacher], retain_graph=True, allow_unused=True)
    assert gradient.any() and none is None
    return loss


def run_point_backbone(model: nn.Module) -> Tensor:
    return model([torch.rand(30, 3), torch.rand(20, 3)], torch.randn(50, 4)).square().sum()


def run_pixel_backbone(model: nn.Module) -> Tensor:
    return sum(out.square().sum() for out in model(torch.randn(2, 3, 32, 32)))


def run_pixel_map(model: nn.Module) -> Tensor:
    return model(torch.randn(2, 3, 32, 32)).square().sum()


def neighbourhoods() -> Neighbourhoods:
    return Neighbourhoods.of_batch([torch.rand(30, 3)], [torch.rand(40, 3)], 6, 6)


def run_comparison(model: nn.Module) -> Tensor:
    out = model(neighbourhoods())
    return sum(part.square().sum() for part in (out if isinstance(out, tuple) else [out]))


def run_aggregation(model: nn.Module) -> Tensor:
    return model(neighbourhoods(), torch.randn(40, 4)).square().sum()


def run_similarity_fusion(model: nn.Module) -> Tensor:
    return model(torch.randn(30, 4), torch.randn(30, 6), torch.rand(30), torch.zeros(30).long(), 1).square().sum()


def run_row_head(model: nn.Module) -> Tensor:
    return sum(model.loss(model(torch.randn(60, 8)), labels()).values())


def run_view_segmentor(model: nn.Module) -> Tensor:
    data = batch()
    data['inputs'].update(imgs=[torch.randn(1, 3, 32, 32) for _ in range(2)],
                          pixel_xyz=[torch.rand(50, 3) * 3 - 1.5 for _ in range(2)],
                          pixel_index=[torch.arange(50) for _ in range(2)])
    for sample in data['data_samples']:
        sample.gt_sem_seg = PixelData(sem_seg=torch.randint(0, CLASSES + 1, (1, 32, 32)))
    return sum(model(**model.data_preprocessor(data, training=True), mode='loss').values())


def run_cloud_backbone(model: nn.Module) -> Tensor:
    out = model([torch.rand(30, 6), torch.rand(20, 6)])
    return sum(out.losses.values()) + out.pooled.square().sum() + sum(part.sum() for part in out.tokens)


def run_attention(model: nn.Module) -> Tensor:
    return (model(torch.randn(2, 8, 2, 3), [torch.randn(5, 6), torch.randn(4, 6)]) * torch.randn(2, 16)).sum()


def photographs() -> list[BaseDataElement]:
    masks = torch.rand(2, 1, 32, 32) > 0.5
    return [BaseDataElement(gt_label=torch.tensor([label]), gt_mask=mask) for label, mask in enumerate(masks)]


def run_photograph_model(model: nn.Module) -> Tensor:
    inputs = dict(img=torch.randn(2, 3, 32, 32), points=[torch.rand(30, 6), torch.rand(20, 6)])
    return sum(model(inputs, photographs(), mode='loss').values())


def run_mask_loss(model: nn.Module) -> Tensor:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = sum(model(logits, torch.rand(2, 1, 8, 8) > 0.5).values())
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0
    return loss


def shapes() -> list[ShapeSample]:
    return [ShapeSample(metainfo=dict(azimuth=angle), gt_points=torch.rand(9, 3)) for angle in (3.0, 0.1)]


def run_reconstructor(model: nn.Module) -> Tensor:
    return sum(model(dict(img=torch.rand(2, 3, 32, 32)), shapes(), mode='loss').values())


def run_reconstruction_head(model: nn.Module) -> Tensor:
    return sum(model.loss(torch.randn(2, 8), shapes()).values())


def run_cloud_loss(model: nn.Module) -> Tensor:
    return model(torch.rand(2, 7, 3, requires_grad=True), [shape.gt_points for shape in shapes()])


def run_denoiser(model: nn.Module) -> Tensor:
    return (model(torch.randn(2, 1, 8, 8, 8), torch.tensor([3, 700]), torch.randn(2, 6)) + 1).square().sum()


def run_voxel_diffusion(model: nn.Module) -> Tensor:
    samples = [ShapeSample(gt_voxels=torch.rand(8, 8, 8) > 0.5) for _ in range(2)]
    return sum(model(dict(embedding=torch.randn(2, 6)), samples, mode='loss').values())


def run_diversity(model: nn.Module) -> Tensor:
    return model(torch.rand(2, 7, requires_grad=True), torch.tensor([3.0, torch.nan]))


def run_voxel_backbone(model: nn.Module) -> Tensor:
    return sum((out * torch.randn_like(out)).sum() for out in model(torch.rand(2, 1, 16, 16, 16) > 0.5))


def run_embedding_backbone(model: nn.Module) -> Tensor:
    return sum((out * torch.randn_like(out)).sum() for out in model(torch.randn(2, 3, 16, 16)))


def run_contrastive_loss(model: nn.Module) -> Tensor:
    image, shape = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    loss = model(image, shape)
    assert all(gradient.any() for gradient in torch.autograd.grad(loss, [image, shape], retain_graph=True))
    return loss


def run_embedder(model: nn.Module) -> Tensor:
    data = [ShapeSample(gt_voxels=torch.rand(16, 16, 16) > 0.5) for _ in range(3)]
    return model.parse_losses(model(dict(img=torch.randn(3, 3, 16, 16)), data, mode='loss'))[0]


SEGMENTOR = dict(type='PointVoxelSegmentor', backbone=ENCODER, decode_head=HEAD)
SIZES = dict(channels=8, num_levels=2, num_classes=CLASSES, hidden=6, ignore_index=CLASSES)
IMAGE = dict(type='ResNetFCN', depth=18, base_channels=4, channels=8)
FUSION = dict(type='GatedFusion', **SIZES)
BRANCH = dict(type='LocalObjectBranch', interest=[(17, 3), (2, 0)], **SIZES)
TAUGHT = dict(SEGMENTOR, image_backbone=IMAGE, fusion=FUSION)
POINTNET = dict(type='PointNet2SSG', sa_channels=((6,), (8,)), num_centroids=(16, 8), radii=(0.4, 0.8),
                max_neighbours=(6, 5), fp_channels=((9,), (7,)))
POINT_HEAD = dict(type='PointMLPHead', channels=(7,), num_classes=CLASSES, ignore_index=CLASSES)
POINT_SET = dict(type='PointSetSegmentor', backbone=POINTNET, decode_head=POINT_HEAD)
UNET = dict(type='UNetResNet34', depth=18, base_channels=4, num_classes=CLASSES)
AGGREGATION = dict(type='NearestPixelAggregation', in_channels=4, channels=(6,))
CONTEXTUAL = dict(type='ContextualSimilarity', num_neighbours=6, channels=5, orientation_channels=7)
MVP = dict(POINT_SET, type='MVPNet', image_backbone=UNET, aggregation=AGGREGATION, freeze_image=False)
SAF = dict(MVP, type='SAFNet', geometric=dict(type='GeometricSimilarity'), contextual=CONTEXTUAL, num_neighbours=6,
           fusion=dict(type='SimilarityFusion'), auxiliary_head=dict(type='PointMLPHead', channels=(7,)))
NARROW = dict(local_channels=(4, 5), global_channels=(6, 7), transform_channels=(5, 6), transform_hidden=(5,))
CLOUD = dict(type='PointNet', in_channels=3, **NARROW)
CLOUD2 = dict(type='PointNet2Cls', in_channels=3, sa_channels=((6,), (8,)), num_centroids=(16, 8), radii=(0.4, 0.8),
              max_neighbours=(6, 5), global_channels=(9, 7))
TRUNK = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
SIM = dict(type='SIMNet', image_backbone=TRUNK, point_backbone=CLOUD, head=dict(num_classes=CLASSES),
           fusion=dict(channels=8, num_heads=2))
CODE = dict(num_points=7, fc_channels=9, latent_channels=5, hidden_channels=(6,), kl_weight=0.1,
            loss_diversity=dict(type='DiversityLoss'))
MASKS = dict(type='UNetSegmentor', backbone=dict(type='UNet', base_channels=4))
ARCH = dict(embed_dims=12, num_layers=2, num_heads=3, feedforward_channels=20)
VIT3D = dict(type='VoxelViT', arch=ARCH, resolution=16, patch_size=8)
IMAGE_EMBEDDING = dict(backbone=dict(type='DistilledVisionTransformer', arch=ARCH, img_size=16, patch_size=8),
                       embed_channels=6)
SHAPE_EMBEDDING = dict(backbone=VIT3D, embed_channels=6)
DENOISER = dict(type='UNet3D', model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=4,
                embed_dim=6, num_tokens=2, token_channels=5)
MODELS_RUN: dict[str, tuple[dict, Callable[[nn.Module], Tensor]]] = {
    'SPVEncoder': (ENCODER, run_encoder),
    'PointSegHead': (dict(HEAD, in_channels=8, num_levels=2), run_head),
    'PointCrossEntropyLoss': (dict(type='PointCrossEntropyLoss', ignore_index=CLASSES), run_loss),
    'LovaszSoftmaxLoss': (dict(type='LovaszSoftmaxLoss', ignore_index=CLASSES), run_loss),
    'PointSegmentationLoss': (dict(type='PointSegmentationLoss', ignore_index=CLASSES), run_loss),
    'KLDistillationLoss': (dict(type='KLDistillationLoss'), run_distillation),
    'ResNetFCN': (IMAGE, run_image_backbone),
    'GatedFusion': (FUSION, run_fusion),
    'LocalObjectBranch': (BRANCH, run_object_branch),
    'TwoDPASS': (dict(TAUGHT, type='TwoDPASS'), run_image_segmentor),
    'TwoDDATA': (dict(TAUGHT, type='TwoDDATA', object_branch=BRANCH), run_image_segmentor),
    'PointVoxelSegmentor': (SEGMENTOR, run_segmentor),
    'PointNet2SSG': (dict(POINTNET, in_channels=4), run_point_backbone),
    'UNetResNet34': (UNET, run_pixel_backbone),
    'PointMLPHead': (dict(POINT_HEAD, in_channels=8), run_row_head),
    'NearestPixelAggregation': (AGGREGATION, run_aggregation),
    'GeometricSimilarity': (dict(type='GeometricSimilarity'), run_comparison),
    'ContextualSimilarity': (CONTEXTUAL, run_comparison),
    'SimilarityFusion': (dict(type='SimilarityFusion', image_channels=4, point_channels=6), run_similarity_fusion),
    'PointSetSegmentor': (POINT_SET, run_segmentor),
    'MVPNet': (MVP, run_view_segmentor),
    'SAFNet': (SAF, run_view_segmentor),
    'ViewSegmentor': (dict(type='ViewSegmentor', image_backbone=UNET, ignore_index=CLASSES), run_view_segmentor),
    'PointVoteTTAModel': (dict(type='PointVoteTTAModel', module=dict(SEGMENTOR, _scope_='mmdet3d')), run_votes),
    'PointNet': (CLOUD, run_cloud_backbone),
    'PointNet2Cls': (CLOUD2, run_cloud_backbone),
    'CrossModalAttention': (dict(type='CrossModalAttention', image_channels=8, point_channels=6, channels=8,
                                 num_heads=2), run_attention),
    'SIMNet': (SIM, run_photograph_model),
    'UNet': (dict(MASKS['backbone'], in_channels=3), run_pixel_map),
    'UNetSegmentor': (MASKS, run_photograph_model),
    'MaskLoss': (dict(type='MaskLoss'), run_mask_loss),
    'ReConstNet': (dict(type='ReConstNet', backbone=TRUNK, head=CODE), run_reconstructor),
    'ReConstNetHead': (dict(CODE, type='ReConstNetHead', in_channels=8), run_reconstruction_head),
    'VoxelViT': (VIT3D, run_voxel_backbone),
    'VoxelCNN': (dict(type='VoxelCNN', channels=(4, 6)), run_voxel_backbone),
    'CISPImageEncoder': (dict(IMAGE_EMBEDDING, type='CISPImageEncoder'), run_embedding_backbone),
    'CISPShapeEncoder': (dict(SHAPE_EMBEDDING, type='CISPShapeEncoder'), run_voxel_backbone),
    'ContrastiveLoss': (dict(type='ContrastiveLoss'), run_contrastive_loss),
    'CISP': (dict(type='CISP', image_encoder=IMAGE_EMBEDDING, shape_encoder=SHAPE_EMBEDDING), run_embedder),
    'ChamferLoss': (dict(type='ChamferLoss'), run_cloud_loss),
    'SinkhornLoss': (dict(type='SinkhornLoss'), run_cloud_loss),
    'DiversityLoss': (dict(type='DiversityLoss'), run_diversity),
    'UNet3D': (DENOISER, run_denoiser),
    'IC3D': (dict(type='IC3D', denoiser=DENOISER, voxel_size=8), run_voxel_diffusion),
    'RowBatchNorm1d': (dict(type='RowBatchNorm1d', num_features=3), run_norm),
    'FusionDataPreprocessor': (dict(type='FusionDataPreprocessor'), run_preprocessor),
}
OTHERS: dict[str, dict[str, dict]] = {
    'TRANSFORMS': {
        'CropToMask': {},
        'CutIntoChunks': {},
        'DamageViews': {},
        'FindNeighbours': {},
        'FitObject': {},
        'LabelCategory': dict(categories=['chair']),
        'LoadCloudTarget': {},
        'LoadDepthMap': {},
        'LoadEmbedding': dict(path='embeddings.npz'),
        'LoadImageAndMask': {},
        'LoadObjectImage': {},
        'LoadRendering': {},
        'LoadScan': {},
        'LoadViewpoint': {},
        'LoadViews': {},
        'LoadVoxelTarget': {},
        'PackImageInputs': {},
        'PackShapeInputs': {},
        'PixelToPoint': {},
        'RandomChunk': {},
        'RandomCropImages': dict(size=(32, 16)),
        'SamplePoints': {},
        'SelectViews': {},
        'TransformImageAndMask': dict(transforms=[]),
        'UnprojectViews': {},
        'LoadLidarSweep': {}, 'LoadLidarSeg': {}, 'LoadCameraImages': {}, 'LoadBoxes2D': {}, 'MatchPointsToPixels': {},
        'ResizeImages': dict(size=(400, 240)), 'RandomFlipImages': {}, 'JitterImageColours': {}, 'DropPoints': {},
        'RandomSweepTransform': {}, 'VoteRotTrans': dict(vote=0), 'PackFusionInputs': {},
        'PointsInVolume': dict(lower=[-50, -50, -4], upper=[50, 50, 3]),
    },
    'HOOKS': {'LoaderGuardHook': {}, 'MainProcessLoggerHook': {}, 'NanGuardHook': {}, 'ReproducibleHook': {},
              'SafeCheckpointHook': {},
              'SegmentationPicturesHook': dict(out_dir='pictures')},
    'METRICS': {'LidarSegMetric': {}, 'MaskMetric': {}, 'NoiseErrorMetric': {}, 'ReconstructionMetric': {},
                'RetrievalMetric': {}, 'ScanNetSegMetric': {}, 'ShapeGenerationMetric': {}, 'ViewSegMetric': {}},
    'DATA_SAMPLERS': {'DistinctInfiniteSampler': dict(dataset=range(4), batch_size=2)},
    'OPTIM_WRAPPERS': {'BFloat16OptimWrapper': dict(optimizer=torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1))},
    # Reads an info file when it is built: tests/test_datasets and tests/test_configs build it on generated data.
    'DATASETS': {
        'MaskedCUB': dict(data_root='', lazy_init=True),
        'MaskedFlowers102': dict(data_root='', lazy_init=True),
        'MaskedImageDataset': dict(lazy_init=True),
        'MaskedOxfordPets': dict(data_root='', lazy_init=True),
        'MaskedVOC': dict(data_root='', lazy_init=True),
        'NuScenesLidarSegDataset': dict(lazy_init=True),
        'Pix3DDataset': dict(lazy_init=True),
        'ScanNetRGBDDataset': dict(lazy_init=True),
        'ScanNetViewDataset': dict(lazy_init=True),
        'ShapeNetR2N2Dataset': dict(lazy_init=True),
    },
}


def registered(node: str) -> dict[str, type]:
    table = getattr(mmdet3d_registry, node).module_dict
    return {name: entry for name, entry in table.items() if entry.__module__.startswith('mmfusion_plugin')}


@pytest.mark.parametrize('name', sorted(registered('MODELS')))
def test_model_runs_forward_and_backward(name):
    assert name in MODELS_RUN, f'{name} is registered: say in MODELS_RUN how it is built and run'
    cfg, run = MODELS_RUN[name]
    model = MODELS.build(cfg).train()
    run(model).backward()
    missing = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing, f'no finite gradient in one forward pass: {missing}'


@pytest.mark.parametrize('node', sorted(OTHERS))
def test_everything_else_builds(node):
    found = registered(node)
    assert set(found) == set(OTHERS[node]), 'each registered component has its line, and each line its component'
    for name, args in OTHERS[node].items():
        assert isinstance(getattr(mmdet3d_registry, node).build(dict(type=name, **args)), found[name])


def test_no_other_registry_is_forgotten():
    nodes = {key for key, node in vars(mmdet3d_registry).items() if key.isupper() and hasattr(node, 'module_dict')}
    assert {node for node in nodes if registered(node)} == {'MODELS', *OTHERS}
