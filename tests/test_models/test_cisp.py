"""CISP and its encoders: sizes, MMPreTrain's networks with their tokens, the loss by hand, pairs that are learned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmfusion_plugin.models.backbones import CISPImageEncoder, CISPShapeEncoder, VoxelViT
from mmfusion_plugin.models.embedders import CISP, Embeddings
from mmfusion_plugin.structures import ShapeSample

from .small_cisp import ARCH, ENCODERS, IMAGE, SHAPE, build, samples

pytest.importorskip('mmpretrain')
TRUNK = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def inputs(count: int = 3) -> dict[str, Tensor]:
    return dict(img=torch.randn(count, 3, 16, 16))


def projected(encoder: nn.Module, feature: Tensor) -> Tensor:
    first, _, second = encoder.projection
    hidden = feature @ first.weight.T + first.bias
    return hidden / (1 + (-hidden).exp()) @ second.weight.T + second.bias


def without_gradient(model: nn.Module) -> list[str]:
    return [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def test_sizes_of_the_released_code():
    with torch.device('meta'):
        model = CISP()
    deit = 769 * 768 + (2 + 198) * 768 + 12 * (12 * 768 + 13) * 768 + 2 * 768
    assert size(model.image_encoder.backbone) == deit == 85_800_192
    assert size(model.shape_encoder.backbone) == 21_516_672
    for encoder, width in ((model.image_encoder, 768), (model.shape_encoder, 384)):
        assert size(encoder.projection) == (width + 1) * 256 + 257 * 256
        assert encoder.out_channels == encoder.feat_dim == 256
    assert size(model) == size(model.image_encoder) + size(model.shape_encoder) + 1


def test_the_projection_of_a_token():
    found, images = {}, torch.randn(3, 3, 16, 16)
    for token in ('cls', 'dist'):
        torch.manual_seed(0)
        encoder = CISPImageEncoder(IMAGE, 6, token=token).eval()
        nn.init.normal_(encoder.backbone.dist_token)
        (found[token],) = encoder(images)
        feature = encoder.backbone(images)[0][token == 'dist']
        torch.testing.assert_close(found[token], projected(encoder, feature))
    assert not torch.allclose(found['cls'], found['dist'])


def test_other_backbones():
    for backbone in (TRUNK, dict(IMAGE, type='VisionTransformer'), dict(IMAGE, out_type='avg_featmap')):
        encoder, images = CISPImageEncoder(backbone, 5), torch.randn(2, 3, 32, 32)
        last = encoder.eval().backbone(images)[-1]
        feature = last if last.dim() == 2 else torch.stack([row.flatten(1).mean(1) for row in last])
        torch.testing.assert_close(encoder(images)[0], projected(encoder, feature))
    shapes = CISPShapeEncoder(dict(type='VoxelCNN', channels=(4, 6)), 5)
    assert shapes.in_channels == 6 and shapes(torch.ones(2, 1, 8, 8, 8))[0].shape == (2, 5)


@pytest.mark.parametrize('scope', ['mmdet3d', 'mmpretrain'])
def test_image_encoder_as_the_backbone_of_another_model(scope):
    encoder = dict(type='mmdet3d.CISPImageEncoder', backbone=IMAGE, embed_channels=6, frozen=True)
    head = dict(num_points=4, fc_channels=9, latent_channels=5, hidden_channels=(7,))
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(type='mmdet3d.ReConstNet', backbone=encoder, head=head)).train()
        classifier = MODELS.build(dict(
            type='mmpretrain.ImageClassifier', backbone=encoder,
            data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=3, in_channels=6,
                      loss=dict(type='mmpretrain.CrossEntropyLoss'))))  # fmt: skip
        assert isinstance(MODELS.build(dict(type='mmdet3d.CISP', **ENCODERS)).image_encoder, CISPImageEncoder)
    assert model.head.in_channels == 6 and classifier(torch.randn(2, 3, 16, 16)).shape == (2, 3)
    clouds = [ShapeSample(gt_points=torch.rand(5, 3)) for _ in range(2)]
    sum(model(inputs(2), clouds, mode='loss').values()).backward()
    assert without_gradient(model) == [f'backbone.{key}' for key, _ in model.backbone.named_parameters()]


def test_frozen_stays_frozen():
    frozen = dict(ENCODERS['image_encoder'], frozen=True, backbone=dict(IMAGE, drop_rate=0.5))
    model = build(image_encoder=frozen).train()
    assert model.training and model.shape_encoder.training
    assert not any(module.training for module in model.image_encoder.modules())
    assert torch.equal(*(model.extract_image_embedding(torch.ones(2, 3, 16, 16)).detach() for _ in range(2)))
    model(inputs(), samples(3), mode='loss')['loss_contrastive'].backward()
    assert without_gradient(model) == [f'image_encoder.{key}' for key, _ in model.image_encoder.named_parameters()]


def test_weights_by_init_cfg(tmp_path):
    trained, path = build(), tmp_path / 'cisp.pth'
    for parameter in trained.parameters():
        nn.init.normal_(parameter)
    torch.save(dict(state_dict=trained.state_dict(), meta={}), path)
    for name, kind in (('image', CISPImageEncoder), ('shape', CISPShapeEncoder)):
        prefix = f'{name}_encoder.'
        whole = kind(dict(image=IMAGE, shape=SHAPE)[name], 6,
                     init_cfg=dict(type='Pretrained', checkpoint=str(path), prefix=prefix))  # fmt: skip
        part = dict(type='Pretrained', checkpoint=str(path), prefix=f'{prefix}backbone.')
        only = kind(dict(dict(image=IMAGE, shape=SHAPE)[name], init_cfg=part), 6)
        for encoder in (whole, only):
            encoder.init_weights()
        weights = getattr(trained, f'{name}_encoder').state_dict()
        for key, value in weights.items():
            assert torch.equal(whole.state_dict()[key], value), key
            assert torch.equal(only.state_dict()[key], value) == key.startswith('backbone.'), key


def test_loss_by_hand():
    model, batch, data = build().eval(), inputs(4), samples(4)
    image = model.image_encoder(batch['img'])[0]
    shape = model.shape_encoder(torch.stack([sample.gt_voxels[None].float() for sample in data]))[0]
    logits = F.cosine_similarity(image[:, None], shape, dim=2) / 0.07
    reference = (F.cross_entropy(logits, torch.arange(4)) + F.cross_entropy(logits.T, torch.arange(4))) / 2
    found = model(batch, data, mode='loss')
    assert set(found) == {'loss_contrastive', 'scale'} and float(found['scale']) == pytest.approx(1 / 0.07)
    torch.testing.assert_close(found['loss_contrastive'], reference)
    # The first and the last are views of one model.
    torch.manual_seed(0)
    both = build(loss=dict(positives='model')).eval()(batch, data, mode='loss')['loss_contrastive']
    wanted = torch.eye(4)
    wanted[::3, ::3] = 0.5
    assert float(both) == pytest.approx(
        float(F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2, rel=1e-5)


@pytest.mark.parametrize('count', [3, 1])
@pytest.mark.parametrize('options', [{}, dict(loss=dict(positives='model'))], ids=['pair', 'model'])
def test_every_parameter_has_a_gradient(count, options):
    model = build(**options).train()
    total, log = model.parse_losses(model(inputs(count), samples(count), mode='loss'))
    total.backward()
    assert total.isfinite() and set(log) == {'loss', 'loss_contrastive', 'scale'} and not without_gradient(model)
    assert (float(total.detach()) == 0) == (count == 1)


def test_where_the_voxels_come_from():
    model, batch, data = build().eval(), inputs(), samples(3)
    image, shape = model(batch, data)
    assert isinstance(model(batch), Embeddings) and model(batch).shape is None
    volumes = [sample.gt_voxels for sample in data]
    for voxels in (volumes, [one[None] for one in volumes], torch.stack(volumes)[:, None],
                   [one.numpy() for one in volumes]):  # fmt: skip
        alone = model(dict(voxels=voxels))
        assert alone.image is None
        torch.testing.assert_close(alone.shape, shape)
    other = [~one for one in volumes]
    torch.testing.assert_close(model(dict(batch, voxels=other), data).shape, model(dict(voxels=other)).shape)
    torch.testing.assert_close(model(batch, data).image, image)
    assert not torch.allclose(model(dict(voxels=other)).shape, shape)


def predicted(model: nn.Module, batch: dict[str, Any], data: Any = None) -> list[ShapeSample]:
    with torch.no_grad():
        return model.eval()(batch, data, mode='predict')


def test_predictions_are_the_projection_s_own_length():
    model, batch, data = build(), inputs(), samples(3)
    found = predicted(model, batch, data)
    with torch.no_grad():
        image, shape = model(batch, data)
    for row, sample in enumerate(found):
        assert torch.equal(sample.pred_image_embedding, image[row])
        assert torch.equal(sample.pred_shape_embedding, shape[row])
        assert {'pred_image_embedding', 'pred_shape_embedding'} <= set(sample.to_dict())
    assert (image.norm(dim=1) - 1).abs().min() > 1e-2
    pictures = predicted(model, batch)
    assert len(pictures) == 3 and 'pred_shape_embedding' not in pictures[0]
    torch.testing.assert_close(pictures[1].pred_image_embedding, image[1])
    shapes = predicted(model, dict(voxels=[sample.gt_voxels for sample in data]))
    assert len(shapes) == 3 and 'pred_image_embedding' not in shapes[0]
    torch.testing.assert_close(shapes[2].pred_shape_embedding, shape[2])


def test_pixels_become_what_the_released_code_feeds():
    pixel = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1)
    data = build().data_preprocessor(dict(inputs=dict(img=[pixel])))
    torch.testing.assert_close(data['inputs']['img'].flatten(), torch.tensor([1.0, -0.6, -1.0]))


def test_pairs_can_be_learned_from_packed_samples():
    model = build().train()
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.98), eps=1e-6))
    data = [dict(inputs=dict(img=torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)), data_samples=sample)
            for sample in samples(6)]  # fmt: skip
    values = [float(model.train_step(pseudo_collate(data), wrapper)['loss_contrastive']) for _ in range(250)]
    assert values[-1] < 0.2 < 1.5 < values[0]
    with torch.no_grad():
        found = model.eval().test_step(pseudo_collate(data))
    image, shape = (F.normalize(torch.stack([sample.get(f'pred_{name}_embedding') for sample in found]))
                    for name in ('image', 'shape'))  # fmt: skip
    assert (image @ shape.T).argmax(1).tolist() == (shape @ image.T).argmax(1).tolist() == [*range(6)]


def test_clear_errors():
    with pytest.raises(ValueError, match='in 6 dimensions and shapes in 7: give both encoders the same embed_channels'):
        build(shape_encoder=dict(backbone=SHAPE, embed_channels=7))
    with pytest.raises(ValueError, match="token must be one of .* got 'mean'"):
        CISPImageEncoder(IMAGE, token='mean')
    with pytest.raises(ValueError, match='MobileNetV2 does not say how wide .*: give in_channels'):
        CISPImageEncoder(dict(type='MobileNetV2'))
    with pytest.raises(ValueError, match=r'DistilledVisionTransformer gives features \(2, 12\), not \(B, 9\)'):
        CISPImageEncoder(IMAGE, in_channels=9)(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match=r'gives features \(2, 6, 12\), not'):
        CISPImageEncoder(dict(IMAGE, out_type='raw'))(torch.zeros(2, 3, 16, 16))
    model = build()
    with pytest.raises(KeyError, match="have \\['points'\\], but neither 'img' nor 'voxels'"):
        model(dict(points=[]))
    with pytest.raises(ValueError, match="mode must be .* got 'train'"):
        model(inputs(), mode='train')
    with pytest.raises(ValueError, match='trained on pairs, but the batch has no shapes'):
        model(inputs(2), [*samples(1), ShapeSample()], mode='loss')
    with pytest.raises(ValueError, match='trained on pairs, but the batch has no images'):
        model({}, samples(2), mode='loss')
    with pytest.raises(ValueError, match='one resolution, got'):
        model(dict(voxels=[torch.zeros(8, 8, 8), torch.zeros(4, 4, 4)]))
    with pytest.raises(ValueError, match='chair.png does not name its model'):
        build(loss=dict(positives='model'))(inputs(1), samples(1, model_id=None, img_path='chair.png'), mode='loss')


def test_arch_of_the_shape_encoder_by_name():
    encoder = CISPShapeEncoder(dict(type='VoxelViT', arch=dict(ARCH, num_layers=1)))
    assert isinstance(encoder.backbone, VoxelViT) and encoder.in_channels == 12
