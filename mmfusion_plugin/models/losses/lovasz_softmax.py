"""Lovasz-softmax (Berman et al., CVPR 2018, arXiv 1705.08790): a convex surrogate of one minus the mean IoU."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn


def lovasz_softmax(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss, averaged over the classes present in the labels.

    Args:
        probabilities: (N, C) class probabilities.
        labels: (N,) int64 in [0, C).

    Returns:
        Scalar; zero with a graph when N is 0.
    """
    num, classes = probabilities.shape
    if num == 0:
        return probabilities.sum()
    truth = torch.nn.functional.one_hot(labels, classes).to(probabilities.dtype)
    present = truth.sum(0) > 0
    truth, probabilities = truth[:, present], probabilities[:, present]
    errors, order = torch.sort((truth - probabilities).abs(), dim=0, descending=True, stable=True)
    sorted_truth = truth.gather(0, order)
    # Sizes of intersection and union if the points with the k largest errors were wrong (the paper's algorithm 1).
    positives = sorted_truth.sum(0)
    intersection = positives - sorted_truth.cumsum(0)
    union = positives + (1 - sorted_truth).cumsum(0)
    jaccard = 1 - intersection / union
    slope = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return (errors * slope).sum(0).mean()


@MODELS.register_module()
class LovaszSoftmaxLoss(nn.Module):
    """Lovasz-softmax over all points of the batch, classes 'present' only, ignored labels left out.

    Args:
        ignore_index: Label that counts nowhere.
        loss_weight: Factor.
    """

    def __init__(self, ignore_index: int = 16, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.ignore_index, self.loss_weight = ignore_index, loss_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (N, C) logits and (N,) int64 labels, float32 or better; 0 (with a graph) if none counts."""
        wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        kept = labels != self.ignore_index
        return self.loss_weight * lovasz_softmax(wide[kept].softmax(1), labels[kept])
