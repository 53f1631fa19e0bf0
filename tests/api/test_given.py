"""Posteriors as callers hand them over: several are stacked where they are of the same rows."""

import pytest

import ie_scaling as ies
from ie_scaling.errors import InputError
from tests.laws.simulated import DATA

SHAPES = ("d2048-n24-h16-k16-c128-f5632-v50432", "d4096-n6-h16-k16-c256-f11008-v50432")
OPTIONS = {"method": "least_squares", "n_bootstrap": 40, "n_starts": 4, "progress": False}


@pytest.fixture(scope="module")
def chinchilla():
    return ies.fit(DATA / "bian2025.csv", "chinchilla", **OPTIONS)


@pytest.mark.slow
def test_laws_of_the_same_rows_are_stacked(chinchilla):
    other = ies.fit(DATA / "bian2025.csv", "aspect_ratio", tie="free", **OPTIONS)
    table = ies.rank([chinchilla, other], SHAPES, n_tokens=3e10, progress=False)
    by_law = table.attrs["by_law"]
    assert [row["law"] for row in by_law] == ["chinchilla", "aspect_ratio"]
    assert sum(row["weight"] for row in by_law) == pytest.approx(1)
    assert "under law stacked (chinchilla + aspect_ratio)" in table.attrs["answer"]


def test_laws_of_other_rows_are_refused(chinchilla):
    fewer = ies.fit(DATA / "bian2025.csv", "chinchilla", where="n_tokens < 2e10", **OPTIONS)
    with pytest.raises(InputError, match="was not fitted to the same rows"):
        ies.rank([chinchilla, fewer], SHAPES, n_tokens=3e10, progress=False)
