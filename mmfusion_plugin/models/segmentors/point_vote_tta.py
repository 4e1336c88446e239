"""Votes of several augmented views of a sweep."""

from __future__ import annotations

from typing import Any, List

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from mmengine.model import BaseTTAModel

VOTES = ('logit_sum', 'softmax_mean')


@MODELS.register_module()
class PointVoteTTAModel(BaseTTAModel):
    """Merge the logits that each point got in each view.

    Args:
        vote: 'logit_sum' adds raw logits (2DPASS), 'softmax_mean' averages probabilities (mmdet3d's ``Seg3DTTAModel``).
        kwargs: Of mmengine's ``BaseTTAModel`` (``module``, ``data_preprocessor``).
    """

    def __init__(self, vote: str = 'logit_sum', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if vote not in VOTES:
            raise ValueError(f'vote must be one of {VOTES}, got {vote!r}')
        self.vote = vote

    def merge_preds(self, data_samples_list: List[SampleList]) -> SampleList:
        """Merge views.

        Args:
            data_samples_list: For each sample its views, each with ``pts_seg_logits`` (C, N) of all N points in the
                same order.

        Returns:
            For each sample its first view with the merged logits (or probabilities) and labels.
        """
        return [self._merge(views) for views in data_samples_list]

    def _merge(self, views: SampleList) -> Any:
        logits = [view.pts_seg_logits.pts_seg_logits.float() for view in views]
        sizes = {tuple(rows.shape) for rows in logits}
        if len(sizes) > 1:
            raise ValueError(
                f'views of one sample hold different numbers of points ({sorted(sizes)}): a test-time augmentation '
                'must keep every point, in order'
            )
        votes = torch.stack(logits)
        merged = votes.sum(0) if self.vote == 'logit_sum' else votes.softmax(1).mean(0)
        result = views[0]
        result.pts_seg_logits.pts_seg_logits = merged
        result.pred_pts_seg.pts_semantic_mask = merged.argmax(0)
        return result
