"""Run tables as callers give them: read with remarks and warnings, which the fit of them repeats once."""

import pandas as pd
import pytest

import ie_scaling as ies
from ie_scaling.api import rows as row_lib
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

FRAME = simulate(forms.get_law("chinchilla"))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9))
    cells.write_table(path, frame)
    return path


def test_rows_are_read_with_remarks_and_warnings(tmp_path):
    (tmp_path / "mine.csv").write_text("N,D,val/loss\n1e6,1e8,3.5\n2e6,1e8,3.25\n3e6,2e8,3.0\n")
    columns = {"n_params_total": "N", "n_tokens": "D", "loss": "val/loss"}
    rows = ies.read_runs(tmp_path / "mine.csv", columns=columns, where="n_tokens < 1.5e8")
    assert rows["loss"].tolist() == [3.5, 3.25]
    assert rows.attrs["warnings"] == []
    assert any("rows are named row1, row2" in remark for remark in rows.attrs["remarks"])


def test_warnings_about_cells_survive_reading_and_are_said_once(table, tmp_path):
    """A state column names crashed runs, which reading warns of; so does the fit of what was read, and of the file."""
    frame = pd.read_csv(table).assign(state="finished")
    frame.loc[0, "state"] = "crashed"
    frame.to_csv(tmp_path / "runs.csv", index=False)
    rows = ies.read_runs(tmp_path / "runs.csv")
    assert rows.attrs["warnings"]
    options = {"law": "chinchilla", "method": "least_squares", "n_starts": 8, "progress": False}
    of_rows, of_file = ies.fit(rows, **options), ies.fit(tmp_path / "runs.csv", **options)
    assert of_rows.warnings == of_file.warnings == tuple(rows.attrs["warnings"])
    assert ies.fit(frame, **options).warnings


def test_a_frame_and_its_file_are_the_same_rows(tmp_path):
    cells.write_table(tmp_path / "runs.csv", FRAME)
    one, other = row_lib.open_rows(FRAME, ""), row_lib.open_rows(tmp_path / "runs.csv", "")
    assert (one.name, other.name) == (row_lib.FRAME, str(tmp_path / "runs.csv"))
    frames = [source.judge(source.filter("")).frame for source in (one, other)]
    pd.testing.assert_series_equal(*(frame["loss"] for frame in frames))


def test_a_table_of_an_unfinished_sweep_is_refused_unless_allowed(tmp_path):
    (tmp_path / "config.json").write_text('{"experiment": "sweep"}')
    cells.write_table(tmp_path / "runs.csv", FRAME)
    with pytest.raises(InputError, match="not finished"):
        row_lib.open_rows(tmp_path / "runs.csv", "")
    assert len(row_lib.open_rows(tmp_path / "runs.csv", "", allow_unfinished=True)) == len(FRAME)


def test_what_is_no_table_is_refused():
    with pytest.raises(InputError, match=r"rows=\{1\}: must be a DataFrame"):
        row_lib.open_rows({1}, "")


def test_notes_of_an_earlier_reading_are_found_on_a_frame_alone():
    frame = FRAME.copy()
    frame.attrs = {"warnings": ["odd"]}
    assert row_lib.earlier(frame, "warnings", ()) == ["odd"]
    assert row_lib.earlier(frame, "source", "DataFrame") == "DataFrame"
    assert row_lib.earlier("runs.csv", "warnings", ()) == ()
