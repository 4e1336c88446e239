"""Classifier of points by a shared MLP, the head of MVPNet and SAFNet."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.row_mlp import row_mlp


@MODELS.register_module()
class PointMLPHead(BaseModule):
    """Layers of linear map, batch normalisation and ReLU, dropout, and a linear classifier.

    ===========================  ==========================================================================
    MVPNet                       ``channels=(128,)``
    SAFNet, points alone         ``channels=(128, 128)``
    SAFNet, paper                ``channels=(192, 192, 192)``, ``dropout_after='last'`` (115,604 parameters)
    SAFNet, published code       ``narrow=128``, ``channels=(128, 128, 128)`` (77,204 parameters)
    ===========================  ==========================================================================

    Args:
        in_channels: Width of the points' features.
        channels: Widths of the layers.
        num_classes: Classes predicted.
        ignore_index: Label of points that count in no loss.
        dropout: Share dropped.
        dropout_after: ``'each'`` layer (published code) or the ``'last'`` one (SAFNet's paper).
        narrow: Width of a linear map and ReLU before the layers; None: there is none.
        loss_ce: Further arguments of the ``PointCrossEntropyLoss``.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int = 128,
        channels: Sequence[int] = (128,),
        num_classes: int = 20,
        ignore_index: int = 20,
        dropout: float = 0.5,
        dropout_after: str = 'each',
        narrow: Optional[int] = None,
        loss_ce: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        if dropout_after not in ('each', 'last'):
            raise ValueError(f"dropout_after must be 'each' or 'last', got {dropout_after!r}")
        self.num_classes, self.ignore_index = num_classes, ignore_index
        first = [] if narrow is None else [nn.Linear(in_channels, narrow), nn.ReLU(inplace=True)]
        layers = row_mlp(narrow or in_channels, channels, dropout if dropout_after == 'each' else 0.0)
        last = [nn.Dropout(dropout)] if dropout_after == 'last' else []
        self.layers = nn.Sequential(*first, *layers, *last)
        self.classifier = nn.Linear(channels[-1], num_classes)
        self.loss_ce = MODELS.build({'type': 'PointCrossEntropyLoss', 'ignore_index': ignore_index, **(loss_ce or {})})

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) features to (N, num_classes) logits."""
        return self.classifier(self.layers(features))

    def loss(self, logits: Tensor, labels: Tensor) -> Dict[str, Tensor]:
        """``loss_ce`` of (N, num_classes) logits against (N,) int64 labels; zero with a graph where no label counts."""
        return {'loss_ce': self.loss_ce(logits, labels)}
