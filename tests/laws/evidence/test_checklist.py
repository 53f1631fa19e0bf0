"""The report of a fit fills every item of the checklist in, from the fit itself."""

import pytest

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, forms, least_squares, reading
from ie_scaling.laws.choices import Objective
from ie_scaling.laws.evidence import checklist
from ie_scaling.laws.least_squares import published
from ie_scaling.tables import run_source
from tests.laws.simulated import simulate

OPTIONS = {"resample": "model", "nuts": NutsConfig(), "seed": 7}
INTERVAL = {"mean": 1.9, "sd": 0.1, "lo90": 1.8, "median": 1.91, "hi90": 2.1}


@pytest.fixture(scope="module")
def split():
    runs = run_source.open_frame(simulate(forms.get_law("chinchilla"), sigma=0.002), "runs.csv")
    return reading.split(runs, forms.get_law("chinchilla"), where="n_tokens < 2e9", holdout="rest")


@pytest.fixture(scope="module")
def record(split):
    """What the report reads of fit.json."""
    return {
        "reference": {"N0": 1e6},
        "runs_sha256": "abc",
        "remarks": [],
        "warnings": ["odd"],
        "method": "both",
        "params": {"E": 1.9},
        "gate": {"passed": False, "failures": ["R-hat"]},
        "certificate": {"passed": False, "failures": ["off"], "noticeable": "less than 55 %", "notes": ["tau"]},
        "metrics": {"fit": {"mse": 0.1}, "holdout": None, "all": {"mse": 0.1}},
        "intervals": {"E": INTERVAL},
        "intervals_from": "bayes",
        "quantities": {"optimal_loss@1e+18": {"estimate": 2.5} | INTERVAL},
    }


def test_data_are_described_by_the_split_itself(split, record):
    data = checklist.fill(record, split, None, None, **OPTIONS)["data"]
    assert (data["table"], data["row filter"], data["rows held out"]) == ("runs.csv", "n_tokens < 2e9", "10 (rest)")
    assert (data["rows in the table"], data["rows fitted"], data["rows dropped"]) == (30, 20, 10)
    assert (data["assumed of the table"], data["suspicious in the table"]) == ("nothing", ["odd"])


def test_fitting_is_described_by_the_fits_themselves(split, record):
    point = least_squares.fit(split.problem, n_starts=4, huber_delta=0.002)
    bootstrap = bayes.bootstrap(point, 20, seed=0)
    fitting = checklist.fill(record, split, point, bootstrap, **OPTIONS)["fitting"]
    assert (fitting["method"], fitting["seed"], fitting["δ"]) == ("both", 7, 0.002)
    assert fitting["objective"] == checklist.OBJECTIVES[Objective.HUBER_LOG]
    assert fitting["starts"].startswith("4, ")
    assert fitting["bootstrap"] == "20 resamples of whole models"
    assert "target_accept" in fitting["sampler"]
    assert fitting["convergence gate"] == "FAILED: ['R-hat']"
    as_published = checklist.fill(record, split, published.fit(split.problem), None, **OPTIONS)["fitting"]
    assert (as_published["δ"], as_published["optimiser"]) == ("none", checklist.OPTIMIZERS[Objective.SQUARED])


def test_under_bayes_alone_least_squares_is_left_out(split, record):
    fitting = checklist.fill(record | {"gate": None}, split, None, None, **OPTIONS)["fitting"]
    assert set(fitting) == {"method", "seed", "parameters"}


def test_goodness_says_what_was_not_held_out_and_every_interval(split, record):
    goodness = checklist.fill(record, split, None, None, **OPTIONS)["goodness"]
    assert "no rows held out" in goodness["extrapolation"]
    assert goodness["E"] == "1.91 (90 % 1.8 to 2.1, bayes)"
    assert goodness["short certificate"] == "FAILED: ['off']"
    assert goodness["what the certificate says besides"] == "less than 55 %; tau"
    assert goodness["optimal_loss@1e+18, least squares"] == "2.5"
    assert goodness["optimal_loss@1e+18, median"] == "1.91 (90 % 1.8 to 2.1, bayes)"


def test_the_page_has_a_table_for_each_section(split, record):
    report = checklist.fill(record, split, None, None, **OPTIONS)
    page = checklist.to_markdown(report)
    assert [line[3:].lower() for line in page.splitlines() if line.startswith("## ")] == list(report)
    assert report["training setup"]["N in the law"].startswith("total: all parameters")
