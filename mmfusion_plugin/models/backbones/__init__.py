"""Encoders."""

from .spv_encoder import SPVEncoder, SPVFeatures, SPVLevel

__all__ = ['SPVEncoder', 'SPVFeatures', 'SPVLevel']
