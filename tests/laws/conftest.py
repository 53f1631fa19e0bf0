"""One quick fit of a simulated table, which many tests read."""

from pathlib import Path

import pytest

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import fitting, forms
from ie_scaling.laws.config import FitConfig
from ie_scaling.tables import cells
from tests.laws.simulated import simulate


@pytest.fixture(scope="session")
def fit_config(tmp_path_factory) -> FitConfig:
    """A quick fit, by both methods and the bootstrap, of a noisy simulated table."""
    folder = tmp_path_factory.mktemp("fit")
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9, 3e9))
    cells.write_table(folder / "runs.csv", frame)
    return FitConfig(
        runs=str(folder / "runs.csv"),
        where="n_tokens < 2e9",
        holdout="rest",
        law="chinchilla",
        n_starts=8,
        n_bootstrap=64,
        nuts=NutsConfig(n_chains=4, n_warmup=300, n_samples=300, min_ess=100, max_rhat=1.05),
    )


@pytest.fixture(scope="session")
def fit_directory(fit_config) -> Path:
    """Where `fit_config` was fitted."""
    directory = Path(fit_config.runs).parent / "fit"
    fitting.run(fit_config, directory)
    return directory
