"""Networks whose autocorrelation, dimension or answer is known."""

import numpy as np
import torch

from tsrnn.model import Architecture, LeakyRNN


def network(H: int, tau: float | None = None, heads: dict[int, int] | None = None) -> LeakyRNN:
    """A network of zeros, to be filled in by hand."""
    model = LeakyRNN.initialise(Architecture(neurons=H, tau=tau), [torch.Generator().manual_seed(0)])
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name != "tau":
                p.zero_()
    model.heads = heads or {}
    return model.requires_grad_(False)


def linear_network(H: int, seed: int = 0) -> LeakyRNN:
    """Only positive weights and input: the activity stays positive, where a leaky ReLU is the identity."""
    model, rng = network(H), np.random.default_rng(seed)
    model.tau[0] = torch.tensor(rng.uniform(1, 4, H))
    model.W[0] = torch.tensor(rng.uniform(0, 1.4 / H, (H, H))).fill_diagonal_(0)
    model.w_in[0] = torch.tensor(rng.uniform(0.2, 1, H))
    return model


def delay_line(H: int) -> LeakyRNN:
    """Unit i shows the bit of i steps ago."""
    model = network(H, tau=1)
    model.w_in[0, 0] = 1
    model.W[0] = torch.diag(torch.ones(H - 1), -1)
    return model
