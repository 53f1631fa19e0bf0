"""Ceilings of a device: of what sizes they are measured, and what stands for several measurements."""

import pytest

from ie_scaling.latency import ceilings
from ie_scaling.latency.ceilings import Ceilings


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(ceilings, "REPEATS", 2)
    monkeypatch.setattr(ceilings, "MATRIX_WIDTH", {"cpu": 128})


def test_working_sets_share_the_nearest_power_of_two():
    sets = [1e3, 5e6, 5.5e6, 7e6]
    measured = ceilings.Probe(sets, "float32").measure()
    assert ceilings.probe_bytes(sets, 4) == 2**22 + 2**23 + 2 * 4 * ceilings.MATRIX_WIDTH["cpu"] ** 2
    assert set(measured.bytes_per_s) == {2**22, 2**23}
    assert measured.bandwidth(1) == measured.bytes_per_s[2**22]
    assert measured.bandwidth(7e6) == measured.bytes_per_s[2**23]
    assert all(1e8 < rate < 1e14 for rate in (*measured.bytes_per_s.values(), measured.flops_per_s))


def test_sizes_end_at_the_limits():
    measured = Ceilings({2**22: 1.0, 2**30: 2.0}, 3.0)
    assert (measured.bandwidth(0), measured.bandwidth(1e15)) == (1.0, 2.0)


def test_the_typical_ceilings_are_medians_of_each_rate():
    several = [Ceilings({2**22: read}, flops) for read, flops in ((1.0, 30.0), (5.0, 10.0), (2.0, 20.0))]
    assert ceilings.typical(several) == Ceilings({2**22: 2.0}, 20.0)
