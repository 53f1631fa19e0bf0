"""A selection checked before anything is predicted, its answer, and the answer in words."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.search import selection
from ie_scaling.search.candidate_latency import MeasuredLatency
from ie_scaling.search.candidates import Candidates, LatencySource
from ie_scaling.search.config import SelectionConfig
from ie_scaling.search.space import Space
from tests.search import small_fit
from tests.search.small_fit import GRID

CONFIG = SelectionConfig(n_tokens=1e8, max_latency_s=1.0)


@pytest.fixture
def draws(tmp_path):
    return posterior.load_fit(small_fit.write(tmp_path / "fit").fit)


@pytest.fixture
def candidates():
    shapes = Space.of((), GRID).architectures[:3]
    seconds = MeasuredLatency(np.array([0.5, 0.7, 9.0]), np.full(3, 0.01), np.full(3, 25.0))
    return Candidates(Space.own_sizes(shapes), seconds, LatencySource.TIMED, [])


def test_feasibility_and_diagnostics_need_no_prediction(draws, candidates, monkeypatch):
    monkeypatch.setattr(Posterior, "losses", lambda *_, **__: pytest.fail("losses were predicted"))
    selection.require_feasible(CONFIG, candidates)
    with pytest.raises(InputError, match=r"latency bound 0\.01 s: no candidate meets it with probability 0\.9"):
        selection.require_feasible(dataclasses.replace(CONFIG, max_latency_s=0.01), candidates)
    assert all("has no term" in str(entry) for entry in selection.diagnose(CONFIG, draws, candidates))


def test_the_answer_is_of_the_feasible_and_repeats_the_diagnostics(draws, candidates):
    result = selection.select(CONFIG, draws, candidates)
    answer, table = result.answer, result.table
    assert (answer["n_feasible"], answer["n_candidates"]) == (2, 3)
    assert table.loc[table["recommended"], "architecture"].item() == answer["recommended"]
    assert answer["failures"] == [str(entry) for entry in selection.diagnose(CONFIG, draws, candidates)]
    assert answer["runner_up"] is not None
    assert {answer["recommended"], answer["runner_up"]["architecture"]} == {*table["architecture"][:2]}
    text = selection.describe(answer)
    assert text.startswith(f"Train {answer['recommended']} within timed e2e_s ≤ 1e+03 ms: predicted loss ")
    assert f"The runner-up {answer['runner_up']['architecture']} would cost" in text


def test_without_a_bound_there_is_none_in_the_answer(draws, candidates):
    result = selection.select(dataclasses.replace(CONFIG, max_latency_s=None), draws, candidates)
    assert result.answer["latency_bound_s"] is None
    assert result.answer["n_feasible"] == 3
    assert "within" not in selection.describe(result.answer)
