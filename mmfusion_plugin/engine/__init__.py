"""Training machinery: hooks, optimizer wrappers and what the launch scripts share; importing it registers them."""

from . import hooks, optim_wrappers  # noqa: F401  (registration is their side effect)
