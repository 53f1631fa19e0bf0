"""From a fit directory and a question to ranking.csv and rank.json, and bad input before anything is written."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from experiments import rank
from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, files, runner, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search import ranked
from ie_scaling.search.config import GridConfig
from tests.search import small_fit
from tests.search.small_fit import GRID


@pytest.fixture
def fit(tmp_path):
    return small_fit.write(tmp_path / "fit")


def run(config, directory):
    """The warnings."""
    return diagnostic.lines(runner.run(rank, config, directory))


def test_the_best_of_the_grid_is_near_the_optimum(fit, tmp_path):
    config = dataclasses.replace(fit, level="law")
    warnings = run(config, tmp_path / "out")
    assert all("has no term for the ratio of MLP to attention" in warning for warning in warnings), warnings
    table = pd.read_csv(tmp_path / "out" / "ranking.csv")
    best = table.iloc[0]
    assert best["expected_regret"] == table["expected_regret"].min()
    ratios = (table["d_model"] / table["n_layers"]).to_numpy()
    assert abs(np.log(ratios[0] / 40)) < 0.5
    assert table["loss_lo90"].lt(table["loss_mean"]).all()
    assert 0 < best["p_best"] <= best["p_top_k"] <= 1
    answer = files.read_json(tmp_path / "out" / "rank.json")
    assert answer["best"] == best["architecture"]
    assert "P(best)" in ranked.describe(answer, table)


def test_a_failed_certificate_reaches_the_answer(fit, tmp_path):
    failed = Diagnostic(Kind.CERTIFICATE, "certificate effective", "models left out: 90 % intervals cover 40 %")
    diagnostic.write(tmp_path / "fit", [failed, Diagnostic(Kind.CONVERGENCE, "bayes effective", "R-hat 1.2 of E")])
    warnings = run(fit, tmp_path / "out")
    said = [warning for warning in warnings if "certificate" in warning or "R-hat" in warning]
    assert said == ["law effective: certificate: models left out: 90 % intervals cover 40 %"]
    assert files.read_json(tmp_path / "out" / "rank.json")["warnings"] == warnings


def test_what_is_no_diagnostics_is_refused(fit, tmp_path):
    files.write_json(tmp_path / "fit" / "diagnostics.json", {"diagnostics": [1]})
    with pytest.raises(InputError, match=r"diagnostics\.json: 1 is no diagnostic"):
        run(fit, tmp_path / "out")


def test_a_dry_run_reads_what_the_run_reads(fit, tmp_path):
    assert all("no term for" in line for line in runner.dry_run(rank, fit, tmp_path / "out"))
    with pytest.raises(InputError, match="nowhere"):
        runner.dry_run(rank, dataclasses.replace(fit, fit="nowhere"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_answer_is_drawn_before_it_is_done_and_shown_from_its_files(fit, tmp_path, capsys):
    warnings = runner.start(rank, fit, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."}
    assert names == {*workdir.RECORDS, "ranking.csv", "rank.json", "diagnostics.json", "figures", "DONE"} - {
        "unfinished.json"
    }
    drawn, done = (tmp_path / "out" / name for name in ("figures/ranks.png", "DONE"))
    assert drawn.stat().st_mtime_ns <= done.stat().st_mtime_ns
    shown = capsys.readouterr().out
    assert "expected_regret" in shown
    assert runner.start(rank, fit, tmp_path / "out") == warnings
    assert capsys.readouterr().out == shown


def test_far_sizes_are_answered_with_how_far(fit, tmp_path):
    names = ("d1024-n16-h16-k16-c64-f2752-v32000", "d2048-n4-h16-k16-c128-f5504-v32000")
    warnings = run(dataclasses.replace(fit, candidates=names, grid=GridConfig()), tmp_path / "out")
    assert any(
        warning.startswith("n_total reaches") and "times beyond the largest fitted" in warning for warning in warnings
    )
    assert (tmp_path / "out" / "ranking.csv").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": GridConfig()}, "candidates: none"),
        ({"grid": dataclasses.replace(GRID, n_params=9e3)}, "grid.n_params=9000: no shape comes within"),
        ({"candidates": ("llama-9",)}, "llama-9.*unknown architecture"),
        ({"fit": "nowhere"}, "nowhere"),
        ({"fit": "x" * 5000}, "fit=.*no usable path"),
        ({"fit": ".,./"}, "names a directory twice"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(fit, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        run(dataclasses.replace(fit, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()
