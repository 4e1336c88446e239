"""From pictures and shapes to their embeddings, by a trained CISP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.config import Config

from mmfusion_plugin.datasets.shape_files import read_shape_voxels
from mmfusion_plugin.models.embedders import CISP

from .image_inferencer import step_name
from .object_inferencer import ObjectInferencer, weights_digest


class EmbeddingInferencer(ObjectInferencer):
    """Embeds pictures and shapes; embeddings are as the projections leave them, not normalised.

    Args:
        config: See :class:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer`; of a ``CISP``.
        checkpoint: The same.
        device: The same.

    Attributes:
        width: D, of the embeddings.
        digest: Follows from the weights: equal digests mean one space.
        resolution: R, of the shapes' voxels.
    """

    def __init__(
        self, config: Union[str, Path, Config], checkpoint: Union[str, Path, None], device: Optional[str] = None
    ) -> None:
        super().__init__(config, checkpoint, device, CISP)
        self.width, self.digest = self.model.image_encoder.out_channels, weights_digest(self.model)
        loader = next((step for step in self.steps if step_name(step) == 'LoadVoxelTarget'), {})
        self.resolution = getattr(self.model.shape_encoder.backbone, 'resolution', loader.get('size', 32))

    def embed_images(self, samples: Sequence[Dict[str, Any]]) -> np.ndarray:
        """``(B, D)`` float32 of packed samples, whose images are of one size; see ``SeenObject.sample``."""
        return torch.stack([found.pred_image_embedding for found in self.predict(samples)]).float().cpu().numpy()

    @torch.no_grad()
    def embed_shapes(self, voxels: Sequence[np.ndarray]) -> np.ndarray:
        """``(B, D)`` float32 of shapes ``(R, R, R)`` bool."""
        batch = torch.from_numpy(np.stack(voxels)[:, None]).to(self.device)
        return self.model.extract_shape_embedding(batch).float().cpu().numpy()

    def read_shape(self, path: Union[str, Path]) -> np.ndarray:
        """``(R, R, R)`` bool of a ``.binvox`` file.

        Raises:
            CorruptDataError: It is missing, damaged, or of another resolution than the model's.
        """
        return read_shape_voxels(str(path), self.resolution)
