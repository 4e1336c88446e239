"""Modules through which images teach or join points."""

from .gated_fusion import GatedFusion, GatedFusionUnit
from .local_object_branch import LocalObjectBranch

__all__ = ['GatedFusion', 'GatedFusionUnit', 'LocalObjectBranch']
