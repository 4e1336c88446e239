"""3D-ReConstNet (Li et al., IEEE Access 8, 2020): a feature vector becomes a Gaussian code, and that a cloud."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmfusion_plugin.models.layers.image_noise import noise_of_images

from .gaussian_code import GaussianCode

Config = Dict[str, Any]
Samples = List[BaseDataElement]
Features = Union[Tensor, Sequence[Tensor]]
CHAMFER, SINKHORN = dict(type='ChamferLoss'), dict(type='SinkhornLoss')


@MODELS.register_module()
class ReConstNetHead(BaseModule):
    """Features to 1000 channels (ResNet's own fc), to a 100-d Gaussian, whose sample an MLP turns into N points.

    Sizes and losses are those of the released code (``model.py``, ``loss.py``, ``trainG.py``). It has no KL term, and
    draws from the Gaussian at test too; a deterministic mean as the default is ours.

    Args:
        in_channels: Width of the features.
        num_points: N, 1024 or 2048 in the paper.
        fc_channels: Width of ``fc``, which takes ImageNet weights with
            ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='head.')`` from a checkpoint of MMPreTrain (1000
            channels of 2048); None has no such layer.
        latent_channels: Width of the code.
        hidden_channels: Widths of the MLP's hidden layers, each followed by LeakyReLU of slope 0.01.
        latent: ``'gaussian'``, or ``'none'``: the code is one linear layer, as in PSGN's MLP (a baseline).
        shared_fc: Mean and log-variance come out of one more layer of ``latent_channels``, as figure 3 draws it; in
            the code each comes straight out of the fc.
        loss_chamfer: Config of the Chamfer loss; None leaves it out.
        loss_emd: Config of the EMD loss; None leaves it out.
        loss_diversity: Config of the diversity loss (``DiversityLoss``, for chairs in the paper); None leaves it out.
        kl_weight: Factor of ``loss_kl``, the divergence from the standard normal distribution; 0 leaves it out.
        test_mode: Where ``pred_points`` come from: the ``'mean'`` of the Gaussian, or a ``'sample'`` of it, as in the
            released code.
        num_samples: S; where greater than 1, ``pred_samples`` are predicted besides (their first is the ``'sample'``).
        seed: Of the samples; one image's are the same in any batch.
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: An option is unknown, or needs a Gaussian that there is not.
    """

    def __init__(
        self,
        in_channels: int,
        num_points: int = 1024,
        fc_channels: Optional[int] = 1000,
        latent_channels: int = 100,
        hidden_channels: Sequence[int] = (512, 1024),
        latent: str = 'gaussian',
        shared_fc: bool = False,
        loss_chamfer: Optional[Config] = CHAMFER,
        loss_emd: Optional[Config] = SINKHORN,
        loss_diversity: Optional[Config] = None,
        kl_weight: float = 0.0,
        test_mode: str = 'mean',
        num_samples: int = 1,
        seed: int = 0,
        init_cfg: Optional[Config] = None,
    ) -> None:
        super().__init__(init_cfg)
        if latent not in ('gaussian', 'none') or test_mode not in ('mean', 'sample') or num_samples < 1:
            raise ValueError("need latent 'gaussian' or 'none', test_mode 'mean' or 'sample' and num_samples >= 1, got "
                             f'{latent!r}, {test_mode!r} and {num_samples}')
        if latent == 'none' and (loss_diversity or kl_weight or test_mode == 'sample' or num_samples > 1):
            raise ValueError("latent='none' has no spread: leave out loss_diversity, kl_weight, test_mode and "
                             'num_samples')
        self.in_channels, self.num_points, self.latent_channels = in_channels, num_points, latent_channels
        self.kl_weight, self.test_mode, self.num_samples, self.seed = kl_weight, test_mode, num_samples, seed
        self.fc = nn.Linear(in_channels, fc_channels) if fc_channels else nn.Identity()
        width = fc_channels or in_channels
        self.shared = nn.Linear(width, latent_channels) if shared_fc else nn.Identity()
        width = latent_channels if shared_fc else width
        self.mean = nn.Linear(width, latent_channels)
        self.log_variance = nn.Linear(width, latent_channels) if latent == 'gaussian' else None
        widths = [latent_channels, *hidden_channels]
        layers: List[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.01)]
        self.mlp = nn.Sequential(*layers, nn.Linear(widths[-1], 3 * num_points), nn.Tanh())
        losses = dict(loss_chamfer=loss_chamfer, loss_emd=loss_emd)
        self.cloud_losses = nn.ModuleDict({name: MODELS.build(cfg) for name, cfg in losses.items() if cfg})
        self.loss_diversity = MODELS.build(loss_diversity) if loss_diversity else None

    def encode(self, features: Features) -> GaussianCode:
        """The code of each image.

        Args:
            features: (B, C); maps (B, C, H, W), which are averaged, as ResNet's own pooling does; or a sequence of
                either, of which the last is taken.

        Raises:
            ValueError: The features have another shape.
        """
        last = features if isinstance(features, Tensor) else features[-1]
        if last.dim() not in (2, 4) or last.shape[1] != self.in_channels:
            raise ValueError(f'need features (B, {self.in_channels}) or maps (B, {self.in_channels}, H, W), got '
                             f'{tuple(last.shape)}: set in_channels, or choose another output of the backbone')
        hidden = self.shared(self.fc(last if last.dim() == 2 else last.mean((2, 3))))
        mean = self.mean(hidden)
        certain = self.log_variance is None
        return GaussianCode(mean, torch.full_like(mean, -torch.inf) if certain else self.log_variance(hidden))

    def decode(self, code: Tensor) -> Tensor:
        """Clouds (..., N, 3) in [-1, 1] of codes (..., D)."""
        # Three rows of coordinates, not N of points: the order of the released weights.
        return self.mlp(code).unflatten(-1, (3, self.num_points)).transpose(-1, -2)

    def forward(self, features: Features) -> Tensor:
        """Clouds (B, N, 3) of the means; features as for :meth:`encode`."""
        return self.decode(self.encode(features).mean)

    def loss(self, features: Features, data_samples: Samples) -> Dict[str, Tensor]:
        """``loss_chamfer``, ``loss_emd``, ``loss_diversity`` and ``loss_kl``, as far as they are configured.

        Args:
            features: As for :meth:`encode`.
            data_samples: With ``gt_points`` (M, 3), which may be empty, and ``azimuth`` in radians where it is known.

        Raises:
            ValueError: A sample has no cloud.
        """
        targets = [_true_cloud(sample, number) for number, sample in enumerate(data_samples)]
        code = self.encode(features)
        clouds = self.decode(code.at(torch.randn_like(code.mean)))
        losses = {name: loss(clouds, targets) for name, loss in self.cloud_losses.items()}
        if self.loss_diversity is not None:
            angles = [sample.get('azimuth') for sample in data_samples]
            azimuth = code.mean.new_tensor([torch.nan if angle is None else float(angle) for angle in angles])
            losses['loss_diversity'] = self.loss_diversity(code.sigma, azimuth)
        if self.kl_weight:
            losses['loss_kl'] = self.kl_weight * code.divergence()
        return losses

    def predict(self, features: Features, data_samples: Samples) -> Samples:
        """Set ``pred_points`` (N, 3) of each sample and, where S > 1, ``pred_samples`` (S, N, 3)."""
        code = self.encode(features)
        drawn = self.test_mode == 'sample' or self.num_samples > 1
        if drawn:
            noise = noise_of_images(data_samples, self.num_samples, self.latent_channels, self.seed)
            samples = self.decode(code.at(noise.to(code.mean)))
        clouds = samples[0] if self.test_mode == 'sample' else self.decode(code.mean)
        for number, (sample, cloud) in enumerate(zip(data_samples, clouds)):
            sample.pred_points = cloud
            if self.num_samples > 1:
                sample.pred_samples = samples[:, number]
        return data_samples


def _true_cloud(sample: BaseDataElement, number: int) -> Tensor:
    if sample.get('gt_points') is None:
        raise ValueError(f"{sample.get('img_path') or f'sample {number}'} has no gt_points, but is trained on: load "
                         'the clouds in the training pipeline')
    return sample.gt_points
