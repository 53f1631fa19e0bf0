"""One table with its columns mapped: hints on cells that are no numbers, scales, maps for several tables."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws import reading
from tests.tables.test_run_table import HEADER, rows, write


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


def test_one_map_serves_tables_of_which_some_have_our_names(tmp_path):
    ours = write(tmp_path, HEADER + "a,1e8,1e10,3.0\n", "ours.csv")
    theirs = write(tmp_path, "run_id,N,D,loss\nb,2e8,1e10,2.9\n", "theirs.csv")
    columns = "{'n_params_total': 'N', 'n_tokens': 'D'}"
    assert rows(f"{ours},{theirs}", columns=columns).frame["n_params_total"].tolist() == [1e8, 2e8]
    assert [len(table) for table in reading.read_each((ours, theirs), ("", ""), columns)] == [1, 1]
    with pytest.raises(InputError, match=r"ours\.csv has no column 'N'"):
        rows(ours, columns=columns)
