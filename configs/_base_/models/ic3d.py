"""IC3D (arXiv 2211.10865) as the released code of CISP has it, conditioned on an embedding of 256.

1000 linear steps of noise, one embedding in ten replaced by the null token, guidance 1.5, all steps sampled, ten shapes
for each image (the paper's number). 83,160,833 parameters with the embedding's layers.
"""

# Often changed
embed_dim = 256
guidance = 1.5
num_samples = 10

# Sometimes
sampler = 'ddpm'
steps = None  # all; fewer are ours

# Rarely
model = dict(
    type='IC3D',
    data_preprocessor=dict(type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    denoiser=dict(
        type='UNet3D',
        model_channels=32,
        channel_mult=[1, 2, 4, 8],
        num_res_blocks=5,
        attention_at=[4, 8],
        embed_dim=embed_dim,
    ),
    diffusion=dict(num_steps=1000, beta_start=1e-4, beta_end=0.02),
    p_uncond=0.1,
    sampling=dict(num_samples=num_samples, guidance=guidance, sampler=sampler, steps=steps, threshold=0.5),
    validation='noise',  # drawing shapes takes hours
)
