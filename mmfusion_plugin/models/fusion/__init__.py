"""Modules through which images teach or join points."""

from .contextual_similarity import ContextualSimilarity
from .cross_modal_attention import CrossModalAttention
from .gated_fusion import GatedFusion, GatedFusionUnit
from .geometric_similarity import GeometricSimilarity
from .local_object_branch import LocalObjectBranch
from .nearest_pixel_aggregation import NearestPixelAggregation
from .neighbourhoods import Neighbourhoods
from .similarity_fusion import SimilarityFusion

__all__ = [
    'ContextualSimilarity',
    'CrossModalAttention',
    'GatedFusion',
    'GatedFusionUnit',
    'GeometricSimilarity',
    'LocalObjectBranch',
    'NearestPixelAggregation',
    'Neighbourhoods',
    'SimilarityFusion',
]
