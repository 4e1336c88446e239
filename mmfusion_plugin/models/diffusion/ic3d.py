"""IC3D (Sbrolli et al., arXiv 2211.10865; guided by CISP: arXiv 2402.01241): voxels drawn for an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from mmfusion_plugin.models.layers.image_noise import noise_of_images
from mmfusion_plugin.structures import ShapeSample

from .gaussian_diffusion import GaussianDiffusion
from .sampling import SamplingOptions, draw_samples, guided_noise

Config = Dict[str, Any]
Samples = List[ShapeSample]
# Steps at which a validation looks, an even spread.
LEVELS = 4


@MODELS.register_module()
class IC3D(BaseModel):
    """A diffusion model of voxels, conditioned on an embedding of an image.

    The embedding comes with the inputs (``embedding``, say CLIP's, out of a file, or one between two images), else
    from an image network of its own, else the denoiser's ``embed_dim`` is None and shapes are drawn without an image.
    Voxels are 0 and 1, as in the released code. For a moving average of the weights use mmengine's ``EMAHook``.

    Names have no prefix in MMDetection3D; a network of MMPreTrain is ``'mmpretrain.ResNet'``.

    Args:
        denoiser: Config of the denoiser; ``type`` is ``UNet3D`` if it is not given. Its ``embed_dim`` is the width of
            the embedding.
        image_encoder: Config of the image network. Of several outputs the last is taken, of the class and distillation
            tokens of a DeiT the class token; maps are averaged.
        freeze_encoder: Leave the image network as it is, its statistics too (paper: embeddings are made beforehand).
        diffusion: Arguments of :class:`GaussianDiffusion`.
        p_uncond: Share of the samples that train the null token in place of their embedding.
        sampling: Arguments of :class:`SamplingOptions`.
        voxel_size: R, of the shapes that are drawn.
        validation: What is done between epochs: ``'samples'`` draws shapes as in a test, ``'noise'`` sets
            ``noise_error`` of each sample, which takes a few passes of the network instead of ``sampling.steps``.
        data_preprocessor: Config of the data preprocessor (``FusionDataPreprocessor``).
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: There is an image network for a denoiser without condition, a share is not from 0 to 1, or
            ``validation`` is unknown.
    """

    def __init__(
        self,
        denoiser: Optional[Config] = None,
        image_encoder: Optional[Config] = None,
        freeze_encoder: bool = True,
        diffusion: Optional[Config] = None,
        p_uncond: float = 0.1,
        sampling: Optional[Config] = None,
        voxel_size: int = 32,
        validation: str = 'samples',
        data_preprocessor: Optional[Config] = None,
        init_cfg: Optional[Config] = None,
    ) -> None:
        preprocessor = data_preprocessor or {'type': 'FusionDataPreprocessor'}
        super().__init__(MODELS.build({'_scope_': 'mmdet3d', **preprocessor}), init_cfg)
        if not 0 <= p_uncond <= 1:
            raise ValueError(f'p_uncond is a share from 0 to 1, got {p_uncond}')
        if validation not in ('samples', 'noise'):
            raise ValueError(f"validation must be 'samples' or 'noise', got {validation!r}")
        self.denoiser = MODELS.build({'_scope_': 'mmdet3d', 'type': 'UNet3D', **(denoiser or {})})
        if image_encoder and self.denoiser.embed_dim is None:
            raise ValueError('the denoiser has no embed_dim, so that the image_encoder would not be heard: set '
                             'embed_dim to the width of its features, or leave it out')
        self.image_encoder = MODELS.build({'_scope_': 'mmdet3d', **image_encoder}) if image_encoder else None
        self.freeze_encoder, self.p_uncond = freeze_encoder, p_uncond
        self.voxel_size, self.validation = voxel_size, validation
        self.diffusion, self.sampling = GaussianDiffusion(**(diffusion or {})), SamplingOptions(**(sampling or {}))
        if self.image_encoder is not None and freeze_encoder:
            self.image_encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> IC3D:
        """Train or test; a frozen image network tests in either case."""
        super().train(mode)
        if self.image_encoder is not None and self.freeze_encoder:
            self.image_encoder.eval()
        return self

    def extract_feat(self, inputs: Dict[str, Any]) -> Optional[Tensor]:
        """The embeddings (B, D) on which the denoiser is conditioned; None where it is not.

        Args:
            inputs: ``embedding``, (B, D) or a list of (D,), which goes before ``img`` (B, 3, H, W).

        Raises:
            KeyError: There is neither, or an image and no network for it.
            ValueError: The embeddings have another width.
        """
        width = self.denoiser.embed_dim
        if width is None:
            return None
        if 'embedding' in inputs:
            given = inputs['embedding']
            embedding = given if isinstance(given, Tensor) else torch.stack(list(given))
        elif self.image_encoder is not None and 'img' in inputs:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_encoder):
                out = self.image_encoder(inputs['img'])
            last = out if isinstance(out, Tensor) else out[-1]
            last = last if isinstance(last, Tensor) else last[0]
            embedding = last.mean((2, 3)) if last.dim() == 4 else last
        else:
            needed = "'embedding'" if self.image_encoder is None else "'img' or 'embedding'"
            raise KeyError(f'the inputs have {sorted(inputs)}, but no {needed}, on which the shapes are conditioned: '
                           'load and pack it in the pipeline, or give an image_encoder')
        if embedding.dim() != 2 or embedding.shape[1] != width:
            raise ValueError(f'embeddings must be (B, {width}), got {tuple(embedding.shape)}: set embed_dim in '
                             'denoiser to their width')
        return embedding.to(next(self.denoiser.parameters()))

    def forward(
        self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, mode: str = 'tensor'
    ) -> Union[Tensor, Dict[str, Tensor], Samples]:
        """Losses, predictions or values of voxels.

        Args:
            inputs: As for :meth:`extract_feat`; may be empty without a condition.
            data_samples: One per image.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            What :meth:`loss`, :meth:`predict` or :meth:`draw` return.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.draw(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Dict[str, Any], data_samples: Samples) -> Dict[str, Tensor]:
        """``loss_noise``, or ``loss_start`` where that is predicted, over samples with ``gt_voxels`` (R, R, R)."""
        like = next(self.denoiser.parameters())
        start = _true_voxels(data_samples, like, self.voxel_size)
        condition = {}
        if self.denoiser.embed_dim is not None:
            drop = torch.rand(len(start), device=like.device) < self.p_uncond
            condition = dict(embedding=self.extract_feat(inputs), drop=drop)
        return {f'loss_{self.diffusion.prediction}': self.diffusion.loss(self.denoiser, start, **condition)}

    def val_step(self, data: Any) -> Samples:
        """Predict, or find the errors of the noise, as ``validation`` says."""
        if self.validation == 'samples':
            return super().val_step(data)
        data = self.data_preprocessor(data, False)
        return self.find_noise(data['inputs'], data['data_samples'])

    @torch.no_grad()
    def find_noise(self, inputs: Dict[str, Any], data_samples: Samples) -> Samples:
        """Set ``noise_error`` () of each sample with ``gt_voxels``, at fixed steps and of fixed noise.

        ``LEVELS`` steps lie evenly in the schedule. A number of one network can be compared with that of another.
        """
        like = next(self.denoiser.parameters())
        start, embedding = _true_voxels(data_samples, like, self.voxel_size), self.extract_feat(inputs)
        total = start.new_zeros(len(start))
        noises = noise_of_images(data_samples, LEVELS, self.voxel_size**3, 0).to(like)
        for level, noise in enumerate(noises):
            step = int((level + 0.5) / LEVELS * self.diffusion.num_steps)
            t = torch.full((len(start),), step, device=like.device)
            errors = self.diffusion.noise_errors(self.denoiser, start, t, noise.view_as(start), embedding=embedding)
            total += errors.flatten(1).mean(1) / LEVELS
        for sample, error in zip(data_samples, total):
            sample.noise_error = error
        return data_samples

    def predict(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, **options: Any) -> Samples:
        """Set ``pred_voxels`` (K, R, R, R) bool of each sample.

        Args:
            inputs: As for :meth:`extract_feat`.
            data_samples: One per image; None makes new samples.
            options: Of :class:`SamplingOptions`, in place of those of the model.
        """
        samples = [ShapeSample() for _ in _rows(inputs)] if data_samples is None else data_samples
        threshold = replace(self.sampling, **options).threshold
        for sample, values in zip(samples, self.draw(inputs, samples, **options).transpose(0, 1)):
            sample.pred_voxels = values > threshold
        return samples

    @torch.no_grad()
    def draw(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, **options: Any) -> Tensor:
        """Values (K, B, R, R, R) of the voxels, about 0 and 1; arguments as for :meth:`predict`.

        One seed gives one image the same shapes in any batch and order; images are told apart as
        :func:`~mmfusion_plugin.models.layers.image_noise.noise_of_images` says, nameless ones by their place.

        Raises:
            ValueError: There is not one data sample for each embedding.
        """
        samples = [ShapeSample() for _ in _rows(inputs)] if data_samples is None else data_samples
        how, like = replace(self.sampling, **options), next(self.denoiser.parameters())
        embedding, draws, side = self.extract_feat(inputs), how.num_samples, self.voxel_size
        if embedding is not None and len(embedding) != len(samples):
            raise ValueError(f'{len(samples)} data samples for {len(embedding)} embeddings: hand over one each')
        rows = None if embedding is None else embedding.repeat(draws, 1)

        def noise(step: int) -> Tensor:
            """Of all rows at a step: a stream of its own, so that no step depends on how many came before."""
            seed = how.seed * (self.diffusion.num_steps + 1) + step
            return noise_of_images(samples, draws, side**3, seed).to(like).view(-1, 1, side, side, side)

        def predict(x: Tensor, t: Tensor) -> Tensor:
            """Guided, so many rows at once as fit into memory."""
            parts = [slice(begin, begin + how.rows_at_once) for begin in range(0, max(len(x), 1), how.rows_at_once)]
            return torch.cat([guided_noise(self.denoiser, x[part], t[part], None if rows is None else rows[part],
                                           how.guidance) for part in parts])  # fmt: skip

        values = draw_samples(predict, self.diffusion, how, noise)
        return values.view(draws, len(samples), side, side, side)


def _rows(inputs: Dict[str, Any]) -> Any:
    """What has a row for each image."""
    for key in ('embedding', 'img'):
        if key in inputs:
            return inputs[key]
    raise ValueError('neither data samples nor inputs say how many shapes to draw: hand over a sample for each')


def _true_voxels(samples: Samples, like: Tensor, side: int) -> Tensor:
    """(B, 1, R, R, R) of 0 and 1.

    Raises:
        ValueError: A sample has no voxels, or others.
    """
    for number, sample in enumerate(samples):
        found = sample.get('gt_voxels')
        if found is None or tuple(found.shape) != (side,) * 3:
            what = 'no gt_voxels' if found is None else f'gt_voxels {tuple(found.shape)}'
            raise ValueError(f"{sample.get('img_path') or f'sample {number}'} has {what}, but the model is trained on "
                             f'({side}, {side}, {side}): load them in the training pipeline, or set voxel_size')
    voxels = [sample.gt_voxels for sample in samples]
    return (torch.stack(voxels) if voxels else like.new_zeros(0, side, side, side))[:, None].to(like)
