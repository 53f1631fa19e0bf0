"""NutsConfig: how posteriors are sampled (no JAX here)."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class NutsConfig:
    """How NUTS samples, and the gate its draws must pass (science.md §4).

    `n_samples` draws of each chain are doubled, up to `max_samples`, while R-hat or ESS fail the gate.
    """

    n_chains: int = 4
    n_warmup: int = 1000
    n_samples: int = 1000
    max_samples: int = 4000
    target_accept: float = 0.975
    max_rhat: float = 1.01
    min_ess: float = 400.0
    min_bfmi: float = 0.3
