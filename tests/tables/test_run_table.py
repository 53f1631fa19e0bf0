"""Run tables under a map of columns: filters before judgment, derived columns, made-up names, tables together."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.tables import run_source, run_table
from ie_scaling.tables.columns import RUN_COLUMNS

DATA = Path(__file__).resolve().parents[2] / "data"
SHAPE = Architecture(d_model=512, n_layers=8, n_heads=8, n_kv_heads=8, d_head=64, d_ff=1536, vocab_size=50432)
TIED = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": True})
HEADER = "run_id,n_params_total,n_tokens,loss\n"


def write(folder: Path, text: str, name: str = "runs.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def rows(path: str, where: str = "", columns: str = "") -> run_source.Rows:
    runs = run_source.open_runs(path, columns)
    return runs.judge(runs.filter(where))


def shaped(*architectures: Architecture, column: str, counts: list[int], extra: str = "", value: str = "") -> str:
    """A table of these shapes with one column of counts, and perhaps another column of one value."""
    fields = ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff", "vocab_size")
    lines = [",".join((*fields, column, "n_tokens", "loss", *([extra] if extra else [])))]
    for architecture, count in zip(architectures, counts, strict=True):
        cells = [*(getattr(architecture, field) for field in fields), count, 10**10, 3.0, *([value] if extra else [])]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


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


@pytest.mark.parametrize(
    ("loss", "state", "hint"),
    [
        ("", "failed", """where="State == 'finished'" drops"""),
        ("", "finished", "where='loss > 0' drops"),
        ("-1", "finished", "where='loss > 0' drops"),
        ("inf", "finished", "where='loss < 1e30' drops"),
        ("oops", "finished", "must be a number"),
    ],
)
def test_a_cell_that_is_no_loss_comes_with_the_filter_that_drops_its_row(tmp_path, loss, state, hint):
    path = write(
        tmp_path, f"run_id,n_params_total,n_tokens,loss,State\na,1e8,1e10,3,finished\nb,1e8,2e10,{loss},{state}\n"
    )
    with pytest.raises(InputError, match=r"row 2, column loss") as caught:
        rows(path)
    assert hint in str(caught.value)
    if "where=" in hint:
        where = str(caught.value).split("where=")[1].split(" drops")[0][1:-1]
        assert len(rows(path, where).frame) == 1


def test_a_filter_that_compares_a_cell_that_is_no_number_says_so(tmp_path):
    path = write(tmp_path, HEADER + "a,1e8,1e10,3.0\nb,1e8,many,2.9\n")
    for columns in ("", "{'n_tokens': '1e9 * n_tokens'}"):
        with pytest.raises(InputError, match=r"where=.*column n_tokens does not hold numbers, row 2 has 'many'"):
            rows(path, "n_tokens > 1e9", columns)


def test_scaled_columns_are_filtered_and_judged_scaled(tmp_path):
    path = write(tmp_path, "run_id,N,D,loss\na,100,10,3.0\nb,100,20,2.9\n")
    columns = "{'n_params_total': '1e6 * N', 'n_tokens': {'column': 'D', 'scale': 1e9}}"
    frame = rows(path, "n_tokens > 1.5e10 and D > 15", columns).frame
    assert frame[["n_params_total", "n_tokens", "D"]].to_numpy(float).tolist() == [[1e8, 2e10, 20.0]]
    with pytest.raises(InputError, match="once scaled"):
        rows(path, "", "{'n_params_total': '1e307 * N', 'n_tokens': '1e9 * D'}")


@pytest.mark.parametrize(
    ("text", "columns", "remark"),
    [
        ("N,C,loss\n1e8,6e18,3\n", "{'n_params_total':'N','training_flops':'C'}", "/ (6 · n_params_total)"),
        ("N,C,loss\n1e8,6e18,3\n", "{'n_params_non_embedding':'N','training_flops':'C'}", "/ (6 · n_params_non_embedd"),
        (
            "D,C,loss\n1e10,6e18,3\n",
            "{'n_tokens':'D','training_flops':'C'}",
            "n_params_total = training_flops / (6 · n_t",
        ),
    ],
)
def test_tokens_or_parameters_follow_from_compute(tmp_path, text, columns, remark):
    found = rows(write(tmp_path, text), columns=columns)
    x = Observations.from_frame(found.frame).features
    assert (x.n_known[0], x.n_tokens[0]) == (1e8, 1e10)
    assert any(remark in line for line in found.remarks), found.remarks


def test_compute_from_which_tokens_follow_must_be_there(tmp_path):
    path = write(tmp_path, "N,C,loss\n1e8,6e18,3\n1e8,,3\n")
    with pytest.raises(InputError, match=r"row 2, column C: '' must not be blank"):
        rows(path, columns="{'n_params_total':'N','training_flops':'C'}")


def test_embeddings_follow_from_the_shape_where_it_tells_tied_from_untied(tmp_path):
    counts = [accounting.count_parameters(SHAPE), accounting.count_parameters(TIED)]
    found = rows(write(tmp_path, shaped(SHAPE, TIED, column="n_params_total", counts=counts)))
    non_embedding = accounting.count_non_embedding_parameters(SHAPE)
    assert found.frame["n_params_non_embedding"].tolist() == [non_embedding] * 2
    assert any("taken as tied in 1 rows and untied in 1" in remark for remark in found.remarks)
    other = rows(write(tmp_path, shaped(SHAPE, column="n_params_total", counts=[3 * counts[0]])))
    assert other.frame["n_params_non_embedding"].isna().all()  # neither: another kind of model


@pytest.mark.parametrize(("tied", "architecture"), [("true", TIED), ("0", SHAPE)])
def test_total_parameters_follow_from_non_embedding_ones_where_tying_is_known(tmp_path, tied, architecture):
    counts = [accounting.count_non_embedding_parameters(SHAPE)]
    text = shaped(SHAPE, column="n_params_non_embedding", counts=counts, extra="tied_embeddings", value=tied)
    found = rows(write(tmp_path, text))
    assert found.frame["n_params_total"].tolist() == [accounting.count_parameters(architecture)]
    unknown = rows(write(tmp_path, shaped(SHAPE, column="n_params_non_embedding", counts=counts)))
    assert unknown.frame["n_params_total"].isna().all()


def test_rows_without_names_are_numbered_across_tables(tmp_path):
    one, two = (write(tmp_path, f"n_params_total,n_tokens,loss\n{n},1e10,3\n", f"{n}.csv") for n in ("1e8", "2e8"))
    found = rows(f"{one},{two}")
    assert found.frame["run_id"].tolist() == ["row1", "row2"]
    assert len(Observations.from_frame(found.frame).model_ids) == 2
    with pytest.raises(InputError, match="is named twice"):
        rows(f"{one},{one}")


def test_one_map_serves_tables_of_which_some_have_our_names(tmp_path):
    ours = write(tmp_path, HEADER + "a,1e8,1e10,3.0\n", "ours.csv")
    theirs = write(tmp_path, "run_id,N,D,loss\nb,2e8,1e10,2.9\n", "theirs.csv")
    columns = "{'n_params_total': 'N', 'n_tokens': 'D'}"
    assert rows(f"{ours},{theirs}", columns=columns).frame["n_params_total"].tolist() == [1e8, 2e8]
    assert [len(table) for table in reading.read_each((ours, theirs), ("", ""), columns)] == [1, 1]
    with pytest.raises(InputError, match=r"ours\.csv has no column 'N'"):
        rows(ours, columns=columns)


def test_rows_need_one_number_of_parameters(tmp_path):
    text = "run_id,n_params_total,n_params_non_embedding,n_tokens,loss\na,1e8,,1e10,3\nb,,9e7,1e10,3\nc,,,1e10,3\n"
    path = write(tmp_path, text)
    assert np.isnan(rows(path, "run_id != 'c'").frame["n_params_total"]).tolist() == [False, True]
    with pytest.raises(InputError, match=r"row 3, column n_params_total: .* must not be blank without"):
        rows(path)


def test_models_of_several_sizes_or_shapes_are_refused(tmp_path):
    near = HEADER.replace("run_id", "model_id") + "m,100000000,1e10,3.0\nm,100400000,2e10,2.9\n"
    assert len(Observations.from_frame(rows(write(tmp_path, near)).frame).model_ids) == 1
    with pytest.raises(InputError, match=r"runs\.csv: row 1: model_id 'm' names models of 2 sizes"):
        reading.read(write(tmp_path, near.replace("100400000", "102000000")))
    wider = Architecture.from_fields(SHAPE.to_fields() | {"d_ff": 1600, "n_layers": 8})
    text = shaped(SHAPE, wider, column="n_params_total", counts=[10**8] * 2, extra="model_id", value="m")
    with pytest.raises(InputError, match=r"model_id 'm' names models of 2 sizes \(d_ff 1536, 1600\)"):
        reading.read(write(tmp_path, text))


def test_few_models_are_warned_of(tmp_path, capsys):
    path = write(tmp_path, HEADER + "".join(f"r{i},{i}e8,1e10,3.{i}\n" for i in range(1, 5)))
    (warning,) = reading.warn_of_few_models(reading.read(path)).warnings
    assert "4 rows of 4 models; a posterior or bootstrap over fewer than 5" in warning
    assert warning in capsys.readouterr().err


@pytest.mark.parametrize("digits", [310, 400, 5000])
def test_whole_numbers_of_many_digits_are_refused_in_a_line(tmp_path, digits):
    path = write(tmp_path, HEADER + f"a,{'9' * digits},1e10,3.0\n")
    with pytest.raises(InputError, match=r"row 1, column n_params_total: '99.*' must be finite") as caught:
        rows(path)
    assert len(str(caught.value)) < 400


def test_sardana_2024_is_read_and_fitted():
    """47 runs of 150M to 6B parameters, no shapes: law `chinchilla` on total parameters."""
    found = reading.read(DATA / "sardana2024.csv")
    assert (len(found), len(found.model_ids), found.warnings) == (47, 47, ())
    assert found.features.n_tokens.max() / found.features.n_total.min() > 1000
    fitted = solver.fit(pose(forms.get_law("chinchilla"), found), n_starts=8)
    assert fitted.status == "converged"
    assert np.median(np.abs(fitted.predict(found.features) - found.log_loss_R)) < 0.01


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
