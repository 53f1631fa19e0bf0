"""A fit directory holds what the contract says, and bad input leaves nothing behind."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import fit
from ie_scaling.errors import InputError
from ie_scaling.inference.diagnostics import Gate
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.evidence import certificate
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, files, runner
from ie_scaling.tables import cells
from tests.laws.simulated import TRUTH, simulate

GATE = Gate(
    failures=(),
    max_rhat=1.0,
    min_ess_bulk=400.0,
    min_ess_tail=400.0,
    n_divergences=0,
    min_bfmi=1.0,
    per_parameter={},
)


def run(config, directory):
    """The warnings."""
    return diagnostic.lines(runner.run(fit, config, directory))


def test_the_report_fills_in_the_checklist(fit_directory, fit_config):
    report = files.read_json(fit_directory / "fit_report.json")
    assert set(report) == {"hypothesis", "training setup", "data", "fitting", "goodness", "code"}
    assert report["data"]["sha256"] == files.sha256(Path(fit_config.runs))
    assert (report["data"]["rows in the table"], report["data"]["rows fitted"]) == (40, 30)
    assert report["data"]["rows dropped"] == 10
    assert report["training setup"]["models with several rows"].startswith("10 ")
    text = (fit_directory / "fit_report.md").read_text()
    assert all(f"## {section.capitalize()}" in text for section in report)
    assert repr(report["fitting"]["parameters"]["alpha"])[:15] in text


def test_quantities_have_intervals_and_are_saved_beside_the_draws(fit_directory):
    found = files.read_json(fit_directory / "fit.json")["quantities"]
    name = next(name for name in found if name.startswith("optimal_n_params@"))
    assert found[name]["lo90"] < found[name]["estimate"] < found[name]["hi90"]
    for kind in ("posterior", "bootstrap"):
        made = posterior.load(fit_directory / f"{kind}.nc")
        assert made.quantities[name].shape == made.shape
        assert made.log_likelihood_CSR.shape == made.replicated_CSR.shape == (*made.shape, len(made.rows))


def test_mixed_sources_are_flagged(tmp_path):
    frame = simulate(forms.get_law("chinchilla"), sigma=0.002)
    for name in ("one", "two"):
        cells.write_table(tmp_path / f"{name}.csv", frame.assign(source=name))
    runs = f"{tmp_path}/one.csv,{tmp_path}/two.csv"
    config = fit.Config(runs=runs, law="chinchilla", method="least_squares", n_starts=4)
    failures = run(config, tmp_path / "fit")
    assert any(failure.startswith("source: one, two share one law") for failure in failures)
    assert len(files.read_json(tmp_path / "fit" / "fit.json")["runs_sha256"].split(",")) == 2


def test_files(fit_directory, fit_config):
    assert {path.name for path in fit_directory.iterdir() if path.name[0] != "."} == {
        *("config.json", "inputs.json", "environment.json", "DONE", "fit.json", "predictions.csv", "diagnostics.json"),
        *("posterior.nc", "bootstrap.nc", "fit_report.json", "fit_report.md", "certificate.json", "figures", "parts"),
    }
    assert files.read_json(fit_directory / "config.json") == {"experiment": "fit"} | config_lib.to_plain(fit_config)


def test_the_certificate_says_what_it_could_have_noticed(fit_directory):
    answer, said = (files.read_json(fit_directory / f"{name}.json") for name in ("certificate", "fit"))
    assert (answer["rolled_forward"]["n_models"], answer["rolled_forward"]["n"]) == (2, 6)
    assert said["certificate"] == {key: answer[key] for key in ("passed", "failures", "noticeable", "notes")}
    assert "with probability 0.8" in answer["noticeable"]
    for place in ("fit_report.md", "fit_report.json"):
        assert answer["noticeable"] in (fit_directory / place).read_text()


def interrupted(fit_directory, tmp_path, *missing):
    """A copy that has its draws and not yet these."""
    shutil.copytree(fit_directory, tmp_path / "fit")
    for name in ("DONE", "certificate.json", "fit.json", "diagnostics.json", *missing):
        (tmp_path / "fit" / name).unlink()
    return tmp_path / "fit"


def test_an_interrupted_certificate_costs_no_posterior(fit_directory, fit_config, tmp_path, monkeypatch):
    directory = interrupted(fit_directory, tmp_path)
    monkeypatch.setattr(fit.bayes, "prepare", None)  # would fail if it were called
    run(fit_config, directory)
    for name in ("posterior.nc", "parts/sampling.json", "parts/rolled_forward.json"):
        assert (directory / name).read_bytes() == (fit_directory / name).read_bytes(), name
    again, before = (files.read_json(folder / "fit.json") for folder in (directory, fit_directory))
    assert {name: entry["mean"] for name, entry in again["intervals"].items()} == pytest.approx(
        {name: entry["mean"] for name, entry in before["intervals"].items()}
    )
    assert again["certificate"] == before["certificate"]
    assert again["gate"] == before["gate"]
    again, before = (files.read_json(folder / "diagnostics.json") for folder in (directory, fit_directory))
    assert again == before
    assert (directory / "DONE").exists()


def test_a_certificate_is_begun_when_the_draws_are_saved(fit_directory, fit_config, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    directory = interrupted(fit_directory, tmp_path, "parts/rolled_forward.json", "parts/sampling.json")
    (directory / "posterior.nc").unlink()
    saved = posterior.load(fit_directory / "posterior.nc")
    monkeypatch.setattr(fit.bayes, "prepare", lambda *_: saved)
    monkeypatch.setattr(fit.bayes, "finish", lambda prepared, *_, **__: dataclasses.replace(saved, gate=GATE))
    monkeypatch.setattr(certificate, "roll_forward_briefly", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(fit_config, directory)
    assert not (directory / "DONE").exists()
    assert posterior.load(directory / "posterior.nc").shape == saved.shape
    run_without = dataclasses.replace(fit_config, skip_forward_coverage=True)
    with pytest.raises(InputError, match="started with skip_forward_coverage=False"):
        run(run_without, directory)


def test_fit_json(fit_directory):
    said = files.read_json(fit_directory / "fit.json")
    expected = {"law", "tie", "count", "method", "params", "objective", "grad_norm", "status", "n_rows", "metrics"}
    assert expected <= set(said)
    assert (said["law"], said["tie"], said["count"]) == ("chinchilla", "free", "total")
    assert (said["status"], said["n_rows"]) == ("converged", 30)
    assert said["params"]["alpha"] == pytest.approx(TRUTH["alpha"], abs=0.1)
    assert said["metrics"]["fit"]["n"] == 30
    assert said["metrics"]["holdout"]["n"] == 10
    assert said["metrics"]["all"]["n"] == 40
    assert said["metrics"]["fit"]["r2"] > 0.95
    assert said["gate"]["passed"]


def test_predictions_cover_the_rows(fit_directory):
    table = pd.read_csv(fit_directory / "predictions.csv")
    assert list(table.columns)[:6] == ["run_id", "loss", "prediction", "lo90", "hi90", "split"]
    assert table["split"].value_counts().to_dict() == {"fit": 30, "holdout": 10}
    inside = (table["lo90"] <= table["loss"]) & (table["loss"] <= table["hi90"])
    assert inside.mean() >= 0.8
    assert (table["hi90"] / table["lo90"] < 1.2).all()


def test_a_finished_fit_is_read(fit_directory, fit_config, monkeypatch):
    monkeypatch.setattr(fit, "load", None)  # would fail if it were called
    failures = run(fit_config, fit_directory)
    assert failures == diagnostic.lines(diagnostic.read(fit_directory))
    assert all(failure.startswith("certificate chinchilla: sensitivity") for failure in failures)  # of 30 rows


def test_another_configuration_in_its_place_is_refused(fit_directory, fit_config):
    with pytest.raises(ValueError, match="started with seed=0, now 1"):
        run(dataclasses.replace(fit_config, seed=1), fit_directory)


def test_as_published_with_held_out_rows(tmp_path):
    config = fit.Config(
        where="fit_set.str.contains('fig7')",
        holdout="rest",
        law="aspect_ratio",
        method="least_squares",
        objective="squared",
    )
    assert run(config, tmp_path / "fit") == []
    said = files.read_json(tmp_path / "fit" / "fit.json")
    assert f"{said['metrics']['all']['r2']:.4f} {said['metrics']['holdout']['r2']:.4f}" == "0.9982 0.9975"
    assert pd.read_csv(tmp_path / "fit" / "predictions.csv")["lo90"].isna().all()
    assert not (tmp_path / "fit" / "posterior.nc").exists()


def test_what_is_not_identified_is_a_failure(tmp_path):
    config = fit.Config(where="fit_set.str.contains('fig8')", law="chinchilla", method="least_squares", n_starts=4)
    failures = run(config, tmp_path / "fit")
    assert len(failures) == 1
    assert failures[0].startswith(
        "least squares chinchilla: not_identified (A_ref, B_ref, alpha, beta: tokens are 20.3"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": "absent.csv"}, r"absent\.csv: no such file"),
        ({"law": "kaplan"}, "law='kaplan': must be one of"),
        ({"where": "n_tokens > 1e99"}, "keeps no row"),
        ({"where": "n_tokens >"}, "not a row filter"),
        ({"where": "loss < 2.91"}, "needs at least 3"),
        ({"holdout": "loss > 0"}, "every row it keeps .* is fitted"),
        ({"law": "effective", "objective": "squared"}, "objective='squared': published for"),
        ({"runs": "data/gadre2024_models.csv", "law": "chinchilla"}, "listed twice"),
    ],
)
def test_bad_input_leaves_nothing_behind(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        run(dataclasses.replace(fit.Config(), **changes), tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_a_negative_loss_is_named(tmp_path):
    frame = simulate(forms.get_law("chinchilla")).astype({"loss": object})
    frame.loc[6, "loss"] = -np.float64(1)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ValueError, match=r"runs\.csv: row 7, column loss: .* must be finite and above zero"):
        run(fit.Config(runs=str(tmp_path / "runs.csv")), tmp_path / "fit")


def test_held_out_rows_that_are_fitted_are_warned_of(tmp_path):
    table = pd.read_csv(Path(__file__).parents[1] / "cases" / "good_table.csv")
    table.to_csv(tmp_path / "all.csv", index=False)
    table.tail(6).to_csv(tmp_path / "held.csv", index=False)
    config = fit.Config(runs=str(tmp_path / "all.csv"), holdout=str(tmp_path / "held.csv"), law="chinchilla")
    (warning,) = fit.load(config).warnings
    assert "6 of 6 held-out rows have the size, tokens and loss of a fitted row" in warning
    (warning,) = fit.load(dataclasses.replace(config, where="n_params_total < 1e9")).warnings
    assert "2 of 6 held-out rows" in warning
