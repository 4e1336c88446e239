"""Models that put images and shapes into one space."""

from .cisp import CISP, Embeddings

__all__ = ['CISP', 'Embeddings']
