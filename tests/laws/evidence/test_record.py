"""The text of fit.json: every parameter once, intervals where there are some, and verdicts."""

import pytest

from ie_scaling.laws.choices import Status
from ie_scaling.laws.evidence import record

INTERVAL = {"mean": 1.91, "sd": 0.1, "lo90": 1.8, "median": 1.9, "hi90": 2.1}


@pytest.fixture
def fit():
    """fit.json of least squares without anything else."""
    metrics = {"fit": {"mse": 0.125, "r2": 0.9, "spearman": None}, "holdout": None, "all": {"mse": 0.125}}
    return record.FitRecord(
        law="chinchilla",
        tie="free",
        count="total",
        method="least_squares",
        params={"E": 1.9, "alpha": 0.31},
        objective=1.25e-6,
        grad_norm=3e-13,
        status=Status.AT_BOUND,
        reasons=["alpha: at the largest value allowed"],
        n_rows=30,
        n_rows_in_table=40,
        warnings=[],
        remarks=["runs.csv: rows are named row1, row2 …"],
        metrics=metrics,
        metrics_least_squares=metrics,
        intervals=None,
        intervals_from=None,
        gate=None,
        certificate=None,
        reference={"N0": 1e6},
        n_starts=64,
        n_agreeing=60,
        runs_sha256="abc",
        quantities={},
    )


def test_least_squares_alone(fit):
    lines = record.to_text(fit).splitlines()
    assert lines[0] == "law chinchilla (tie free, N total), 30 rows, method least_squares"
    assert lines[1].split() == ["parameter", "least", "squares"]
    assert lines[2].split() == ["E", "1.9"]
    assert "  fit      mse 0.125, r2 0.9" in lines  # no line of `all` without held-out rows
    assert not [line for line in lines if line.startswith("  all")]
    assert "  least squares: at_bound, objective 1.25e-06, gradient 3.0e-13" in lines
    assert lines[-2:] == ["    alpha: at the largest value allowed", "  runs.csv: rows are named row1, row2 …"]


def test_a_posterior_has_intervals_quantities_and_verdicts(fit):
    quantity = {
        "optimal_loss@1e+18": {"estimate": 2.5} | INTERVAL,
        "optimal_aspect_ratio": {"estimate": None, "note": "none"},
    }
    failed = record.Judgment(passed=False, failures=["R-hat 1.2 of E"])
    fit |= {"intervals": {"E": INTERVAL, "tau": INTERVAL}, "intervals_from": "bayes", "quantities": quantity}
    fit |= {"gate": failed, "certificate": record.Judgment(passed=True, failures=[]), "objective": None}
    lines = record.to_text(fit).splitlines()
    assert lines[2].split() == ["E", "1.9", "1.91", "1.8", "2.1"]
    assert [line.split() for line in lines if line.startswith("  tau")] == [["tau", "1.91", "1.8", "2.1"]]
    assert "    least squares   2.5" in lines
    assert "    posterior median 1.9 (90 % 1.8 to 2.1)" in lines
    assert "  short certificate: passed" in lines
    assert lines[lines.index("  convergence gate: FAILED") + 1] == "    R-hat 1.2 of E"
    assert not [line for line in lines if "objective" in line]


def test_what_a_certificate_could_have_noticed_follows_its_verdict(fit):
    certificate = record.CertificateRecord(passed=False, failures=["a"], noticeable="b", notes=["c"])
    lines = record.to_text(fit | {"certificate": certificate}).splitlines()
    start = lines.index("  short certificate: FAILED")
    assert lines[start + 1 : start + 4] == ["    a", "    b", "    c"]


def test_the_heading_says_whose_estimates_stand(fit):
    assert "posterior mean" in record.to_text(fit | {"method": "bayes"}).splitlines()[1]
    drawn = fit | {"intervals_from": "bootstrap", "quantities": {"optimal_loss@1e+18": {"estimate": None} | INTERVAL}}
    assert "    bootstrap median 1.9 (90 % 1.8 to 2.1)" in record.to_text(drawn).splitlines()
