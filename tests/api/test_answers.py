"""Results of latency laws and decisions as a person reads them."""

import pandas as pd

import ie_scaling as ies
from ie_scaling.api.answers import Decision, LatencyFit
from tests.latency_law import small_posterior

NAME = "d64-n4-h4-k2-c16-f192-v512"


def test_a_latency_law_shows_devices_sessions_and_its_gate():
    fit = LatencyFit(posterior=small_posterior.make(), source="runs/fit_latency")
    text = repr(fit)
    assert "2 sessions; from runs/fit_latency" in text
    assert "convergence gate FAILED" in text
    assert "warning: R-hat 1.3 of sharpness is above 1.01" in text
    assert ("common", "noise_correlation") in fit.parameters.index


def test_a_decision_shows_the_feasible_by_regret_and_its_warnings():
    columns = {"loss_mean": 3.0, "loss_lo90": 2.9, "loss_hi90": 3.1, "p_best": 0.5, "latency_mean": 0.1}
    table = pd.DataFrame([columns | {"p_feasible": 1.0, "expected_regret": regret} for regret in (0.2, None, 0.1)])
    facts = {"recommended": NAME, "loss_mean": 3.0, "loss_lo90": 2.9, "loss_hi90": 3.1, "p_best": 0.5}
    facts |= {"expected_regret": 0.1, "expected_regret_se": 0.001, "n_feasible": 2, "n_candidates": 3}
    facts |= {"law": "effective", "level": "shape", "latency_metric": "e2e_s", "latency_source": "timed"}
    facts |= {"latency_bound_s": None, "runner_up": None, "ties": [], "sizes": "", "failures": ["a < b"], "notes": []}
    decision = Decision(
        recommended="mine",
        architecture=ies.Architecture.parse(NAME),
        table=table.set_axis(["a", "b", "c"]),
        facts=facts,
    )
    lines = repr(decision).splitlines()
    assert lines[0] == "Decision: mine"
    assert [line.split()[0] for line in lines[3:5]] == ["c", "a"]
    assert lines[-1] == "  warning: a < b"
    assert "a &lt; b" in decision._repr_html_()
