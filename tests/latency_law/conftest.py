"""A latency table of twelve simulated cases on one device, as a frame and as a file."""

import numpy as np
import pytest

from ie_scaling.tables import cells
from tests.latency_law import simulated

DEVICE = simulated.device(0)
CASES = simulated.cases(12, seed=4)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return simulated.table(CASES, DEVICE, simulated.coordinates(rng, 1, 0.2)[:, 0], rng)


@pytest.fixture
def path(tmp_path, frame):
    cells.write_table(tmp_path / "latency.csv", frame)
    return tmp_path / "latency.csv"
