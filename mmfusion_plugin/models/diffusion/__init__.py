"""Shapes drawn from noise, guided by an embedding of an image."""

from .gaussian_diffusion import GaussianDiffusion
from .ic3d import IC3D
from .sampling import SamplingOptions
from .unet3d import UNet3D

__all__ = ['GaussianDiffusion', 'IC3D', 'SamplingOptions', 'UNet3D']
