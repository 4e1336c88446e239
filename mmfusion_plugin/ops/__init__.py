"""Functions on tensors: neighbourhoods, scatter, voxels, sparse convolution, projection and sampling.

They depend on torch, numpy and scipy alone and give the same result on a CPU and on CUDA. Import each from its own
module, for example ``from mmfusion_plugin.ops.scatter import scatter_mean``.
"""
