"""NutsConfig: how posteriors are sampled (no JAX here)."""

import dataclasses

from ie_scaling.running.config import at_least, between, positive, require, within

MOST_CHAINS, MOST_DRAWS = 256, 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class NutsConfig:
    """How NUTS samples, and the gate its draws must pass.

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

    def __post_init__(self) -> None:
        within(self, 1, MOST_CHAINS, "n_chains")
        within(self, 1, MOST_DRAWS, "n_warmup")
        within(self, 4, MOST_DRAWS, "n_samples", "max_samples")  # R-hat compares the halves of a chain
        rule = f"must be at least n_samples={self.n_samples}"
        require(self.max_samples >= self.n_samples, "max_samples", self.max_samples, rule)
        between(self, 0, 1, "target_accept")
        at_least(self, 1, "max_rhat")
        at_least(self, 0, "min_bfmi")
        positive(self, "min_ess")
