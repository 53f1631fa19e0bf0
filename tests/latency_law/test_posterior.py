"""The latency law fitted to two simulated devices, one timed only five times, in two sessions: from tables to files."""

import dataclasses
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from experiments import fit_latency, predict_latency
from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file
from ie_scaling.inference.config import NutsConfig
from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import formula, likelihood, sampling, timed_rows
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.running import runner
from ie_scaling.tables import cells
from ie_scaling.tables.latency_metric import LatencyMetric
from ie_scaling.workload import Case, Workload
from tests.latency_law import new_device, simulated

QUICK = NutsConfig(
    n_chains=2, n_warmup=300, n_samples=600, max_samples=600, target_accept=0.9, min_ess=40, max_rhat=1.1
)
SESSIONS = (0.12, -0.12)
N_NEW = 5


@pytest.fixture(scope="module")
def truth():
    """Coordinates x_PK of the two devices."""
    return simulated.coordinates(np.random.default_rng(11), 2, 0.3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory, truth):
    """A fit: 24 rows of one device and 5 of another in two tables; 12 and 20 more are held out."""
    folder, rng = tmp_path_factory.mktemp("law"), np.random.default_rng(12)
    known, new = simulated.cases(36, seed=1), simulated.cases(N_NEW + 20, seed=2)
    for name, session, chosen in zip("ab", SESSIONS, (known[:18], known[18:]), strict=True):
        table = simulated.table(chosen, simulated.device(0), truth[:, 0], rng, session)
        table["held"] = [int(i >= 12) for i in range(len(chosen))]
        if name == "a":
            other = simulated.table(new, simulated.device(1), truth[:, 1], rng, session)
            table = pd.concat([table, other.assign(held=[int(i >= N_NEW) for i in range(len(new))])])
        cells.write_table(folder / f"{name}.csv", table)
    config = fit_latency.Config(tables=f"{folder / 'a.csv'},{folder / 'b.csv'}", holdout="held == 1", nuts=QUICK)
    assert runner.run(fit_latency, config, folder / "fit") == []
    return folder / "fit"


@pytest.fixture(scope="module")
def posterior(directory):
    return latency_law.load_fit(directory)


@pytest.fixture(scope="module")
def predictions(directory):
    return pd.read_csv(directory / "predictions.csv")


def test_known_parameters_are_recovered(posterior, truth):
    """Each of the well-timed device's within its 99 % interval, and most within their 90 %."""
    inside = 0
    for name, values in formula.constrain(truth).items():
        draws = posterior.draws[name][..., 0].ravel()
        low, five, ninety_five, high = np.quantile(draws, (0.005, 0.05, 0.95, 0.995))
        assert low < values[0] < high, name
        inside += five < values[0] < ninety_five
    assert inside >= 11
    difference_CS2 = posterior.effects_CS2N[..., 0] - posterior.effects_CS2N[..., 1]
    low_2, high_2 = np.quantile(difference_CS2, (0.005, 0.995), axis=(0, 1))
    assert (low_2 < SESSIONS[0] - SESSIONS[1]).all()
    assert (high_2 > SESSIONS[0] - SESSIONS[1]).all()


@pytest.mark.parametrize("metric", ["ttft_s", "tpot_s", "e2e_s"])
def test_rows_held_out_fall_within_their_intervals(predictions, metric):
    held = predictions[predictions["split"] == "holdout"]
    assert len(held) == 32
    inside = held[metric].between(held[f"{metric}_lo90"], held[f"{metric}_hi90"])
    assert 0.75 <= inside.mean() <= 1
    assert (held[f"{metric}_predicted"] / held[metric] - 1).abs().median() < 0.08
    assert (held[f"{metric}_hi90"] / held[f"{metric}_lo90"]).median() < 1.6


def test_a_new_device_needs_few_timings_where_others_are_known():
    """Two timings give the law of a third device to 7 %, less than half the error of those two alone."""
    errors = np.array([_errors_of_a_new_device(seed, n_timings=2) for seed in range(4)]).mean(axis=0)
    assert errors[0] < 0.07
    assert errors[0] < 0.5 * errors[1]


def _errors_of_a_new_device(seed, n_timings):
    """Median relative error of a step's time on forty untimed cases: fitted with two other devices, and alone."""
    rng = np.random.default_rng(seed)
    x_PK, devices = simulated.coordinates(rng, 3, 0.15), [simulated.device(k) for k in range(3)]
    known, new = simulated.cases(24, 100 + seed), simulated.cases(n_timings, 200 + seed)
    tables = [simulated.table(known, devices[k], x_PK[:, k], rng) for k in (0, 1)]
    tables.append(simulated.table(new, devices[2], x_PK[:, 2], rng))
    errors = []
    for chosen in (tables, tables[2:]):
        rows = timed_rows.rows_of(law_table.add_columns(pd.concat(chosen)))
        mode_PK, _ = sampling.fit_mode(likelihood.pose(rows, "serial"))
        features = law_features.features_of(simulated.cases(40, 300 + seed), [rows.devices[-1]] * 40)
        found, true = (
            formula.log_step_s(formula.free_of(x_P[:, None]), features, "serial")
            for x_P in (mode_PK[:, -1], x_PK[:, 2])
        )
        errors.append(np.median(np.abs(np.expm1(found - true))))
    return errors


@pytest.mark.slow
def test_the_level_narrows_the_intervals_of_a_device_timed_five_times():
    among, alone = (new_device.judge(3, 5, fitted).loc["tpot_s"] for fitted in ("with the others", "alone"))
    for found in (among, alone):
        assert found["ok"]
        assert 0.8 <= found["inside"] <= 1
    assert among["error"] < min(0.08, alone["error"])
    assert among["width"] < 0.75 * alone["width"]


def test_a_saved_posterior_predicts_the_same(posterior, tmp_path):
    posterior.save(tmp_path / "again.nc")
    again = latency_law.load(tmp_path / "again.nc")
    assert (again.form, again.devices, again.sessions) == (posterior.form, posterior.devices, posterior.sessions)
    cases = simulated.cases(4, seed=9)
    ours, theirs = (each.predict(cases, "sim1", seed=3) for each in (posterior, again))
    for metric in LatencyMetric:
        np.testing.assert_array_equal(getattr(ours, f"{metric}_WA"), getattr(theirs, f"{metric}_WA"))


def test_arviz_reads_the_file(directory, posterior):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz 0.23 announces its successor on import
        import arviz
    data = arviz.from_netcdf(directory / latency_law.FILE_NAME)
    for group in ("posterior", "sample_stats", "log_likelihood", "observed_data", "constant_data"):
        assert hasattr(data, group), group
    np.testing.assert_array_equal(data.posterior["sharpness"].to_numpy(), posterior.draws["sharpness"])
    assert data.posterior["sharpness"].dims == ("chain", "draw", "device")
    assert data.log_likelihood["timing"].shape == (2, 600, 24 + N_NEW)
    assert np.isfinite(data.log_likelihood["timing"].to_numpy()).all()
    summary = arviz.summary(data, var_names=["sharpness", "u", "misfit_weights"])
    assert summary.loc["sharpness[" + posterior.devices[0].name + "]", "r_hat"] < 1.1
    assert len(summary) == len(posterior.devices) + 2 * len(posterior.sessions) + 2 * (24 + N_NEW)


def test_what_is_predicted_hangs_together(posterior):
    shape = simulated.cases(1, seed=5)[0].architecture
    loads = [Workload(batch=3, prompt_tokens=64, new_tokens=new) for new in (1, 2, 17)]
    predicted = posterior.predict([Case(shape, load) for load in loads], "sim0")
    assert np.isnan(predicted.tpot_s_WA[:, 0]).all()
    assert list(predicted.intervals()["tpot_s_hi90"].isna()) == [True, False, False]
    np.testing.assert_array_equal(predicted.e2e_s_WA[:, 0], predicted.ttft_s_WA[:, 0])
    np.testing.assert_allclose(predicted.e2e_s_WA[:, 2], predicted.ttft_s_WA[:, 2] + 16 * predicted.tpot_s_WA[:, 2])
    np.testing.assert_allclose(predicted.tokens_per_s_WA * predicted.e2e_s_WA, np.tile([3, 6, 51], (1200, 1)))


def test_a_new_session_is_less_certain_than_the_law_and_than_a_session_that_was_fitted(posterior):
    cases = simulated.cases(6, seed=6)
    known = [posterior.sessions[0]] * 6
    law_alone, in_known, in_new = (
        np.log(posterior.predict(cases, "sim0", level=level, sessions=sessions).e2e_s_WA).std(axis=0).mean()
        for level, sessions in (("law", None), ("new_measurement", known), ("new_measurement", None))
    )
    assert in_new > law_alone
    assert in_new > 1.5 * in_known
    slow = posterior.predict(cases, "sim0", sessions=known).tpot_s_WA
    fast = posterior.predict(cases, "sim0", sessions=[posterior.sessions[1]] * 6).tpot_s_WA
    assert np.log(slow / fast).mean() == pytest.approx(SESSIONS[0] - SESSIONS[1], abs=0.06)


def test_the_summary_agrees_with_the_predictions(directory, predictions):
    fit = json.loads((directory / "latency_fit.json").read_text())
    for split in ("fit", "holdout"):
        rows = predictions[predictions["split"] == split]
        errors = (rows["tpot_s_predicted"] / rows["tpot_s"] - 1).abs()
        assert fit["metrics"][split]["tpot_s"]["median_abs_relative_error"] == pytest.approx(errors.median())
        proxied = (rows["tpot_s_proxy"] / rows["tpot_s"] - 1).abs()
        scores = fit["proxy"]["metrics"][split]["tpot_s"]
        assert scores["median_abs_relative_error"] == pytest.approx(proxied.median())
        assert errors.median() < proxied.median()
    assert fit["prior_predictive"]["tpot_s"]["share_inside_90"] > 0.9
    assert set(fit["params"]) == {"sim0 float32 loop", "sim1 float32 loop", "common"}
    assert (directory / "figures" / "predicted_measured.png").stat().st_size > 10_000
    assert (directory / "DONE").exists()


def test_bad_questions_are_one_clear_line(posterior, tmp_path):
    cases = simulated.cases(1, seed=1)
    other = Case(cases[0].architecture, dataclasses.replace(cases[0].workload, dtype="bfloat16"))
    for arguments, word in (
        (([], "sim0"), "at least one case"),
        ((cases, "tpu"), "device_kind='tpu'"),
        ((cases, ""), "several were fitted"),
        (([other], "sim0"), "dtype='bfloat16'"),
        ((cases, "sim0", 0, "shape"), "level='shape'"),
    ):
        with pytest.raises(ValueError, match=word):
            posterior.predict(*arguments)
    with pytest.raises(ValueError, match="no such file"):
        latency_law.load_fit(tmp_path)
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(ValueError, match="not a netCDF posterior"):
        latency_law.load(tmp_path / "text.nc")
    draws_file.write(tmp_path / "loss.nc", {"posterior": xr.Dataset({"E": 1.0})}, {"law": "chinchilla"})
    with pytest.raises(ValueError, match="is not the posterior of a latency law"):
        latency_law.load(tmp_path / "loss.nc")


def test_too_few_rows_are_refused(truth):
    table = simulated.table(simulated.cases(2, seed=1), simulated.device(0), truth[:, 0], np.random.default_rng(0))
    with pytest.raises(ValueError, match="has 2 rows"):
        latency_law.fit(table, LatencyLawConfig())


def test_predicting_from_the_command_line(directory, tmp_path, capsys):
    config = predict_latency.Config(
        fit=str(directory), architectures=("smollm2-135m", "llama-3.1-8b"), device_kind="sim0", batch=2, new_tokens=9
    )
    said = runner.start(predict_latency, config, tmp_path / "out")
    assert any("step_bytes reaches" in warning and "beyond the largest fitted" in warning for warning in said)
    table = pd.read_csv(tmp_path / "out" / "predicted_latency.csv")
    assert (table["e2e_s_lo90"] < table["e2e_s"]).all()
    assert (table["e2e_s"] < table["e2e_s_hi90"]).all()
    np.testing.assert_allclose(table["n_params_total"], [134_515_008, 8_030_261_248])
    assert "TPOT ms" in capsys.readouterr().out
    assert runner.start(predict_latency, config, tmp_path / "out") == said
    with pytest.raises(ValueError, match="device_kind='': several"):
        runner.start(predict_latency, dataclasses.replace(config, device_kind=""), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_failed_gate_follows_the_predictions(posterior, tmp_path):
    failed = dataclasses.replace(posterior, failures=("R-hat 2 of sharpness is above 1.01",))
    failed.save(tmp_path / latency_law.FILE_NAME)
    config = predict_latency.Config(fit=str(tmp_path), device_kind="sim0")
    assert "latency law: R-hat 2 of sharpness is above 1.01" in runner.start(predict_latency, config, tmp_path / "out")


def test_a_dry_run_says_what_would_be_fitted(directory):
    stored = json.loads((directory / "config.json").read_text())
    config = fit_latency.Config(tables=stored["tables"], holdout=stored["holdout"])
    estimate = fit_latency.estimate(config, fit_latency.load(config))
    assert "29 rows of 2 devices in 2 sessions fitted, held out 32 rows" in estimate
    with pytest.raises(InputError, match="no such file"):
        fit_latency.load(fit_latency.Config(tables="nowhere.csv"))


def test_a_faster_hour_is_predicted_faster(posterior):
    """Twice the bandwidth and rate halve what is not overhead; unknown, the hour is one of those that were fitted."""
    cases = simulated.cases(3, seed=9)
    device = dataclasses.replace(
        posterior.devices[0], sessions=("slow", "fast"), bandwidth_factors=(1.0, 2.0), rate_factors=(1.0, 2.0)
    )
    restless = dataclasses.replace(posterior, devices=(device, *posterior.devices[1:]))
    at = {
        speed: restless.predict(cases, device.device_kind, level="law", speeds=np.full((2, 3), speed)).tpot_s_WA
        for speed in (1.0, 2.0)
    }
    named = restless.predict(cases, device.device_kind, level="law", sessions=["fast"] * 3).tpot_s_WA
    np.testing.assert_allclose(named, at[2.0])
    np.testing.assert_allclose(restless.predict(cases, device.device_kind, level="law").tpot_s_WA, at[1.0])
    depth_A = np.array([case.architecture.n_layers for case in cases]) / formula.TYPICAL_DEPTH
    batched_A = np.array([1 - 1 / case.workload.batch for case in cases])
    of_device = {name: values[..., 0].reshape(-1, 1) for name, values in posterior.draws.items() if values.ndim == 3}
    share = of_device["fixed_share"]
    overhead_WA = of_device["overhead_s"] * (share + (1 - share) * depth_A)
    overhead_WA = overhead_WA + of_device["batch_overhead_s"] * depth_A * batched_A
    heads_A = [case.architecture.n_layers * case.architecture.n_kv_heads * case.workload.batch for case in cases]
    overhead_WA = overhead_WA + of_device["head_overhead_s"] * np.array(heads_A)
    np.testing.assert_allclose(2 * (at[2.0] - overhead_WA), at[1.0] - overhead_WA, rtol=1e-6)
    fresh = np.log(restless.predict(cases, device.device_kind).tpot_s_WA)
    steady = np.log(posterior.predict(cases, device.device_kind).tpot_s_WA)
    assert (fresh.std(axis=0) > 1.5 * steady.std(axis=0)).all()
