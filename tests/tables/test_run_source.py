"""Run tables read: columns mapped, rows filtered, and only then the cells of the chosen rows checked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import run_source, run_table
from ie_scaling.tables.columns import RUN_COLUMNS
from tests.tables.test_run_table import rows, write


def test_a_filter_comes_before_cells_are_judged_and_rows_keep_their_numbers(tmp_path):
    text = "name,N,D,val loss,state\na,1e8,1e10,3.0,finished\nb,1e8,1e10,NaN,crashed\nc,1e8,1e10,oops,finished\n"
    path = write(tmp_path, text)
    columns = "{'run_id': 'name', 'n_params_total': 'N', 'n_tokens': 'D', 'loss': 'val loss'}"
    assert rows(path, "run_id == 'a'", columns).frame["loss"].tolist() == [3.0]
    assert rows(path, "name == 'a' and N > 1e7 and n_tokens > 1e9", columns).frame.index.tolist() == [0]
    with pytest.raises(InputError, match=r"row 3, column val loss: 'oops' must be a number; where="):
        rows(path, "state == 'finished'", columns)
    with pytest.raises(InputError, match=r"""row 2, column val loss: 'NaN' .*; where="state == 'finished'" drops"""):
        rows(path, "name < 'c'", columns)


def test_rows_without_names_are_numbered_across_tables(tmp_path):
    one, two = (write(tmp_path, f"n_params_total,n_tokens,loss\n{n},1e10,3\n", f"{n}.csv") for n in ("1e8", "2e8"))
    found = rows(f"{one},{two}")
    assert found.frame["run_id"].tolist() == ["row1", "row2"]
    assert len(Observations.from_frame(found.frame).model_ids) == 2
    with pytest.raises(InputError, match="is named twice"):
        rows(f"{one},{one}")


def test_a_table_of_parquet_with_names_that_are_no_text_is_read(tmp_path):
    frame = pd.DataFrame({"n_params_total": [10**8], "n_tokens": [10**10], "loss": [3.0], "7": [1]})
    frame.to_parquet(tmp_path / "runs.parquet")
    assert run_table.read_runs(tmp_path / "runs.parquet")["loss"].tolist() == [3.0]


@pytest.mark.parametrize("values", [[1.0, np.nan], pd.Categorical(["a", None]), [pd.Timestamp("2024-01-01"), pd.NaT]])
def test_names_of_any_type_are_read_as_text_and_blanks_as_blank(tmp_path, values):
    frame = pd.DataFrame({"n_params_total": [1e8, 2e8], "n_tokens": [1e10] * 2, "loss": [3.0, 2.9], "model_id": values})
    frame.assign(run_id=values).to_parquet(tmp_path / "runs.parquet")
    found = rows(str(tmp_path / "runs.parquet")).frame
    assert found["run_id"].tolist() == [found["model_id"].iloc[0], "row2"]
    assert found["model_id"].iloc[1] == "row2"


def test_a_frame_that_is_held_reads_as_its_file_does(tmp_path):
    """Text or numbers, whatever its index, and with a map of columns."""
    text = "N,D,loss,run_id\n1e6,1e7,3.5,a\n2e6,1e7,3.25,b\n3e6,2e7,3.0,c\n"
    (tmp_path / "runs.csv").write_text(text)
    chosen = {"n_params_total": "N", "n_tokens": "D"}
    read = run_table.read_runs(tmp_path / "runs.csv", columns=chosen)
    for given in (pd.read_csv(tmp_path / "runs.csv"), pd.read_csv(tmp_path / "runs.csv", dtype=str)):
        runs = run_source.open_frame(given.set_axis([7, 8, 9]), "rows", chosen)
        judged = runs.judge(runs.filter("")).frame
        pd.testing.assert_frame_equal(judged[list(RUN_COLUMNS)], read[list(RUN_COLUMNS)])
    again = run_source.open_frame(read, "rows")
    pd.testing.assert_frame_equal(again.judge(again.filter("")).frame, read)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.assign(loss=[3.5, -1.0]), "rows: row 2, column loss"),
        (lambda frame: frame.drop(columns="n_tokens"), "rows: column n_tokens is missing"),
        (lambda frame: frame.iloc[:0], "rows: has no rows"),
        (lambda frame: pd.concat([frame, frame[["loss"]]], axis=1), "rows: 2 columns are named 'loss'"),
    ],
)
def test_a_bad_frame_is_refused_by_row_and_column(change, words):
    frame = pd.DataFrame({"n_params_total": [1e6, 2e6], "n_tokens": [1e7, 1e7], "loss": [3.5, 3.25]})
    with pytest.raises(InputError, match=words):
        runs = run_source.open_frame(change(frame), "rows")
        runs.judge(runs.filter(""))


def test_inputs_are_the_tables_that_a_field_names():
    assert run_source.inputs("runs", "a.csv, b.csv") == {"runs a.csv": Path("a.csv"), "runs b.csv": Path("b.csv")}
    assert run_source.inputs("holdout", "held.csv", or_filter=True) == {"holdout held.csv": Path("held.csv")}
    assert run_source.inputs("holdout", "n_tokens > 1e9", or_filter=True) == {}
    with pytest.raises(InputError, match=r"runs=.*no usable path"):
        run_source.inputs("runs", "a\0b.csv")
