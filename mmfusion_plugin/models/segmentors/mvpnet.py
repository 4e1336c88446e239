"""MVPNet (Jaritz et al., ICCV workshops 2019, arXiv 1909.13603): pixel features enter a network on points."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from torch import Tensor

from mmfusion_plugin.models.fusion.neighbourhoods import Neighbourhoods
from mmfusion_plugin.models.fusion.view_pixels import images_of, pixel_neighbourhoods, rows_of_pixels

from .point_set import Part, PointSetSegmentor, build_part, classes_of, point_labels


@MODELS.register_module()
class MVPNet(PointSetSegmentor):
    """Early fusion: features of the nearest unprojected pixels are the input features of the backbone on points.

    The batch holds ``points``: list of (N_i, 3 + C), ``imgs``: (B, V, 3, H, W) normalised, and for each sample
    ``pixel_xyz`` (M_i, 3), the unprojected pixels with valid depth in the frame of the points, ``pixel_index`` (M_i,)
    int64 ``(view * H + row) * W + column``, and optionally ``pixel_neighbours`` (N_i, K), see
    :func:`~mmfusion_plugin.models.fusion.view_pixels.pixel_neighbourhoods`. ``pixel_features`` (M_i, C), computed
    before by ``encode_images``, replace images and index in prediction. Without any view, points are segmented alone.

    Args:
        image_backbone: Config of the image network (``UNetResNet34``).
        aggregation: Config of the transfer of features to points (``NearestPixelAggregation``).
        backbone: Config of the backbone on points; ``in_channels`` follows the aggregation.
        decode_head: Config of the head.
        freeze_image: Leave the image network as it is, its statistics too (MVPNet; SAFNet's paper says both this and
            the opposite). Losses on its logits then have nothing to learn and are refused.
        image_weight: Weight of the cross entropy of all pixels (``gt_sem_seg.sem_seg`` (V, H, W) of each sample).
        unprojected_weight: Weight of the cross entropy of the nearest pixel's logits against the label of each point.
        unprojected_radius: Points whose nearest pixel is farther (metres) do not count there: SAFNet's r', which
            neither paper nor code gives.
        loss_image: Further arguments of the ``PointCrossEntropyLoss`` of both.
        data_preprocessor: Config of the data preprocessor.
        test_cfg: How whole scenes are segmented, see :class:`PointSetSegmentor`.
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: The image network is frozen and its losses have weight.
    """

    def __init__(
        self,
        image_backbone: Part,
        aggregation: Part,
        backbone: Part,
        decode_head: Part,
        freeze_image: bool = True,
        image_weight: float = 0.0,
        unprojected_weight: float = 0.0,
        unprojected_radius: float = 0.1,
        loss_image: Optional[Dict[str, Any]] = None,
        data_preprocessor: Optional[Dict[str, Any]] = None,
        test_cfg: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        if freeze_image and (image_weight or unprojected_weight):
            raise ValueError(
                f'image_weight={image_weight} and unprojected_weight={unprojected_weight} teach the image network, '
                'which is frozen: set both to 0, or freeze_image=False'
            )
        image = build_part(image_backbone, **classes_of(decode_head))
        transfer = build_part(aggregation, in_channels=image.out_channels)
        points = build_part(backbone, in_channels=transfer.out_channels)
        super().__init__(points, decode_head, data_preprocessor, test_cfg, init_cfg)
        self.image_backbone, self.aggregation = image, transfer
        self.freeze_image, self.unprojected_radius = freeze_image, unprojected_radius
        self.image_weight, self.unprojected_weight = image_weight, unprojected_weight
        ignore_index = self.decode_head.ignore_index
        self.loss_image = build_part({'type': 'PointCrossEntropyLoss', **(loss_image or {})}, ignore_index=ignore_index)
        if freeze_image:
            self.image_backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> MVPNet:
        """Train or test; a frozen image network tests in either case."""
        super().train(mode)
        if self.freeze_image:
            self.image_backbone.eval()
        return self

    def encode_images(self, batch_inputs: Dict[str, Any]) -> Tuple[Tensor, Tensor]:
        """Features (B * V, C, H, W) and logits (B * V, num_classes, H, W) of all images of the batch."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_image):
            return self.image_backbone(images_of(batch_inputs))

    def encode_views(self, images: Tensor) -> Tensor:
        """Features (V, C, H, W) of normalised images (V, 3, H, W)."""
        return self.encode_images({'imgs': images[None]})[0]

    def neighbourhoods(self, batch_inputs: Dict[str, Any]) -> Neighbourhoods:
        """The points and the pixels around them."""
        return pixel_neighbourhoods(batch_inputs, 0, self.aggregation.num_neighbours)

    def fuse(self, pair: Neighbourhoods, pixel_features: Tensor, batch_inputs: Dict[str, Any]) -> Tuple[Tensor, ...]:
        """Features of all points of the batch, samples after each other.

        Args:
            pair: The points and the pixels around them.
            pixel_features: (M, C) of the unprojected pixels.
            batch_inputs: What else the batch holds.

        Returns:
            (N, C) for the head, and what further losses need.
        """
        features = self.aggregation(pair, pixel_features)
        return (self.backbone(pair.points.split(pair.sizes), features),)

    def extract_feat(self, batch_inputs: Dict[str, Any]) -> Tensor:
        """(N, C) features of all points of the batch; see the class for what the batch holds."""
        if 'pixel_features' in batch_inputs:
            rows = torch.cat(list(batch_inputs['pixel_features']))
        else:
            (rows,) = rows_of_pixels(self.encode_images(batch_inputs)[:1], batch_inputs)
        return self.fuse(self.neighbourhoods(batch_inputs), rows, batch_inputs)[0]

    def loss(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> Dict[str, Tensor]:
        """Losses of the points and, unless it is frozen, of the image network.

        Args:
            batch_inputs: See the class.
            batch_data_samples: With ``gt_pts_seg.pts_semantic_mask`` (N_i,), and ``gt_sem_seg.sem_seg`` (V, H, W) if
                ``image_weight`` is not 0.

        Returns:
            Scalar losses, finite and with a gradient for every parameter that learns, whatever the batch holds.

        Raises:
            ValueError: ``image_weight`` is not 0, and the labels of the pixels are missing or of another size.
        """
        pair, labels = self.neighbourhoods(batch_inputs), point_labels(batch_data_samples)
        maps = self.encode_images(batch_inputs)
        rows, row_logits = rows_of_pixels(maps, batch_inputs)
        features, *rest = self.fuse(pair, rows, batch_inputs)
        losses = self.decode_head.loss(self.decode_head(features), labels)
        losses.update(self.further_losses(labels, *rest))
        if not self.freeze_image:
            losses['loss_unprojected'] = self.unprojected_weight * self._unprojected_loss(pair, row_logits, labels)
            if self.image_weight:
                losses['loss_image'] = self.image_weight * self._image_loss(maps[1], batch_data_samples)
        return losses

    def further_losses(self, labels: Tensor, *features: Tensor) -> Dict[str, Tensor]:
        """Losses on what ``fuse`` returns beside the features for the head."""
        return {}

    def _image_loss(self, logits: Tensor, samples: SampleList) -> Tensor:
        """Cross entropy of the (B * V, classes, H, W) logits of all pixels."""
        return self.loss_image(logits.movedim(1, -1).flatten(0, -2), pixel_labels(logits, samples))

    def _unprojected_loss(self, pair: Neighbourhoods, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of the nearest pixel's (M, classes) logits against the points' labels, where it is near."""
        nearest = pair.theirs[:, 0]
        points = (nearest >= 0).nonzero().squeeze(1)
        nearest = nearest[points]
        near = (pair.others[nearest] - pair.points[points]).square().sum(1) <= self.unprojected_radius**2
        return self.loss_image(logits.index_select(0, nearest[near]), labels[points[near]])


def pixel_labels(logits: Tensor, samples: SampleList) -> Tensor:
    """Labels of all pixels of the batch.

    Args:
        logits: (B * V, classes, H, W), whose pixels they are.
        samples: With ``gt_sem_seg.sem_seg`` (V, H, W).

    Returns:
        (B * V * H * W,) int64.

    Raises:
        ValueError: They are missing or of another size.
    """
    if not len(logits):
        return torch.zeros(0, dtype=torch.long, device=logits.device)
    missing = [number for number, sample in enumerate(samples) if 'gt_sem_seg' not in sample]
    if missing:
        raise ValueError(
            f'samples {missing} of the batch have no gt_sem_seg: load the labels of the images in the pipeline, or '
            '(MVPNet, SAFNet) set image_weight=0'
        )
    labels = torch.cat([sample.gt_sem_seg.sem_seg for sample in samples]).long()
    if labels.shape != (len(logits), *logits.shape[2:]):
        raise ValueError(f'images {tuple(logits.shape)} and labels {tuple(labels.shape)} of pixels differ in shape')
    return labels.flatten()
