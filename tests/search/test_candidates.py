"""Candidates of a selection: rows of a table or shapes under a law, in order, and what each cannot answer."""

from pathlib import Path

import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.search import candidates
from ie_scaling.search.candidates import LatencySource
from ie_scaling.search.config import GridConfig, SelectionConfig
from ie_scaling.tables import latency_table
from tests.latency_law import small_posterior

TABLE = str(Path(__file__).resolve().parents[2] / "results" / "latency_study" / "draw_07.csv")
ROWS_40M = "series == '40M parameters'"
NAMES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512")


def test_timed_candidates_stand_in_their_own_order_with_their_medians():
    rows = latency_table.read_latency(TABLE)
    every = candidates.read(SelectionConfig(where=ROWS_40M), 10, TABLE)
    assert every.source is LatencySource.TIMED
    names = [a.name for a in every.architectures]
    swapped = tuple(reversed(names[:2]))
    chosen = candidates.candidates_of(SelectionConfig(where=ROWS_40M, candidates=swapped), 10, rows, "mine.csv")
    assert tuple(a.name for a in chosen.architectures) == swapped
    np.testing.assert_array_equal(chosen.latency.median_A, every.latency.median_A[[1, 0]])
    assert np.isnan(chosen.space.n_params_A).all()


def test_a_law_predicts_for_names_and_every_shape_of_a_grid():
    grid = GridConfig(n_params=1e6, d_head=16, vocab_size=512, width_step=32, max_width=512, tolerance=0.1)
    config = SelectionConfig(candidates=NAMES, grid=grid)
    found = candidates.candidates_of(config, 10, small_posterior.make(), "law")
    assert found.source is LatencySource.PREDICTED
    assert found.architectures[:2] == [Architecture.parse(name) for name in NAMES]
    assert len(found.architectures) > 3
    assert found.latency.median_A.shape == (len(found.architectures),)
    assert found.diagnostics[0].message == "R-hat 1.3 of sharpness is above 1.01"


def test_only_small_enough_candidates_stay():
    sizes = SelectionConfig(candidates=NAMES, max_params=3e5)
    kept = candidates.candidates_of(sizes, 10, small_posterior.make(), "law").architectures
    assert [a.name for a in kept] == [NAMES[0]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"where": "batch == 1"}, "where='batch == 1': chooses rows of a table; latency='law' is a law"),
        ({"candidates": ()}, "candidates: none"),
        ({"max_params": 10.0}, "max_params=10: the smallest candidate has"),
    ],
)
def test_what_a_law_cannot_answer_is_named(changes, words):
    config = SelectionConfig(**({"candidates": NAMES} | changes))
    with pytest.raises(InputError, match=words):
        candidates.candidates_of(config, 10, small_posterior.make(), "law")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": GridConfig(n_params=1e6)}, "grid: needs a latency law"),
        ({}, "several workloads; choose with where"),
        ({"where": ROWS_40M, "candidates": ("pythia-160m",)}, "'pythia-160m': not timed in"),
        ({"where": ROWS_40M, "candidates": ("gpt-9",)}, "candidates: 'gpt-9': unknown architecture"),
    ],
)
def test_what_a_table_cannot_answer_is_named(changes, words):
    with pytest.raises(InputError, match=words):
        candidates.read(SelectionConfig(**changes), 10, TABLE)


def test_as_many_candidates_as_memory_holds(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_CELLS", 40)
    with pytest.raises(InputError, match=r"grid: has 2 shapes, more than 1 at 40 draws"):
        candidates.candidates_of(SelectionConfig(candidates=NAMES), 10, small_posterior.make(), "law")
