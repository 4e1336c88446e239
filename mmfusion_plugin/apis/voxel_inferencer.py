"""From pictures of objects, or from nothing, to shapes, by a trained IC3D."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, Optional, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmfusion_plugin.models.diffusion import IC3D
from mmfusion_plugin.structures import ShapeSample

from .embedding_inferencer import EmbeddingInferencer
from .object_inferencer import ObjectInferencer, ObjectOptions, SeenObject, weights_digest

_UNGUIDED = -1.0  # the guidance at which the condition is not heard


class VoxelInferencer(ObjectInferencer):
    """Draws shapes.

    Args:
        config: See :class:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer`; of an ``IC3D``.
        checkpoint: The same.
        device: The same.
        embedder: Makes the embeddings of a model that has no image network, and looks at its pictures.
        unconditional: Draw shapes without images: of a model without condition, or by the null token of another.
        sampling: Options of ``SamplingOptions`` in place of the config's.

    Attributes:
        sampling: How shapes are drawn.

    Raises:
        ValueError: As there, an option is wrong, or the model has no condition, or nothing to make one with.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: Optional[str] = None,
        embedder: Optional[EmbeddingInferencer] = None,
        unconditional: bool = False,
        sampling: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(config, checkpoint, device, IC3D)
        self.width, self.embedder, self.unconditional = self.model.denoiser.embed_dim, embedder, unconditional
        sampling = dict(sampling or {})
        if unconditional and 'guidance' in sampling:
            raise ValueError('there is nothing that guides a shape without an image: leave out --guidance')
        if unconditional and self.width is not None:
            sampling['guidance'] = _UNGUIDED
        self.sampling = replace(self.model.sampling, **{'progress': True, **sampling})
        self.model.diffusion.respaced(self.sampling.steps)  # a wrong number is an error here, not later
        if not unconditional:
            self._check_condition()

    def _check_condition(self) -> None:
        """Raises ValueError where pictures cannot become embeddings."""
        if self.width is None:
            raise ValueError(f'{self.name} is a model without condition, which no image guides: leave out the images '
                             'and say --unconditional (tools/generate_shapes.py)')  # fmt: skip
        if self.embedder is None and self.model.image_encoder is None:
            raise ValueError(f'{self.name} has no image network, as its embeddings come from a file: name the config '
                             'and the checkpoint of the CISP that made them by --embedder')  # fmt: skip
        if self.embedder is not None and self.embedder.width != self.width:
            raise ValueError(f'{self.embedder.name} makes embeddings of {self.embedder.width} dimensions, but '
                             f'{self.name} takes {self.width}: name the CISP that it was trained on')  # fmt: skip

    @property
    def stamp(self) -> Dict[str, Any]:
        """By what shapes are made; equal stamps mean equal shapes of equal pictures."""
        eye = self.embedder or self
        how = {key: value for key, value in asdict(self.sampling).items() if key not in ('progress', 'rows_at_once')}
        return {'weights': weights_digest(self.model), 'embedder': self.embedder and self.embedder.digest,
                'pipeline': str(eye.steps), 'sampling': how}  # fmt: skip

    def look_at(self, path: Path, mask: Optional[Path] = None, options: Optional[ObjectOptions] = None) -> SeenObject:
        """See :meth:`ObjectInferencer.look_at`; by the embedder's config, if there is one."""
        return super().look_at(path, mask, options) if self.embedder is None else self.embedder.look_at(
            path, mask, options)  # fmt: skip

    @torch.no_grad()
    def embed(self, seen: SeenObject) -> np.ndarray:
        """``(D,)`` float32 embedding of a picture, on which shapes are conditioned."""
        if self.embedder is not None:
            return self.embedder.embed_images([seen.sample])[0]
        batch = self.model.data_preprocessor(pseudo_collate([seen.sample]))
        return self.model.extract_feat(batch['inputs'])[0].float().cpu().numpy()

    def draw(self, embeddings: Optional[np.ndarray] = None, name: str = '') -> np.ndarray:
        """Shapes for embeddings that all get the same noise, so that they differ by their embeddings alone.

        Args:
            embeddings: ``(B, D)``; None draws for B = 1 without an image.
            name: Of the picture: it and the seed are what the noise follows from.

        Returns:
            ``(B, K, R, R, R)`` bool, K samples each.
        """
        if embeddings is None and self.width is not None:
            embeddings = np.zeros((1, self.width), np.float32)
        count = 1 if embeddings is None else len(embeddings)
        samples = [ShapeSample(metainfo=dict(img_path=name or 'unconditional')) for _ in range(count)]
        given = {} if self.width is None else {'embedding': torch.from_numpy(embeddings).to(self.device)}
        drawn = self.model.predict(given, samples, **asdict(self.sampling))
        return np.stack([sample.pred_voxels.cpu().numpy() for sample in drawn])
