"""Rows that can be read but are hardly runs are warned of, by row and with the way on; good tables are not."""

from pathlib import Path

import pandas as pd
import pytest

from ie_scaling.errors import InputError
from ie_scaling.tables import run_source

ROOT = Path(__file__).resolve().parents[2]
GOOD = pd.read_csv(ROOT / "tests" / "cases" / "good_table.csv")
PUBLIC = pd.read_csv(ROOT / "data" / "bian2025.csv")


def warnings_of(path: Path, frame: pd.DataFrame, where: str = "", columns: str = "") -> tuple[str, ...]:
    frame.to_csv(path, index=False)
    runs = run_source.open_runs(path, columns)
    return runs.judge(runs.filter(where)).warnings


@pytest.mark.parametrize("name", ["bian2025", "chinchilla", "gadre2024_models", "gemstones_cooldown", "sardana2024"])
def test_public_tables_are_not_warned_of(name):
    runs = run_source.open_runs(ROOT / "data" / f"{name}.csv")
    assert runs.judge(runs.filter("")).warnings == ()


@pytest.mark.parametrize(("column", "word"), [("State", "crashed"), ("status", "Running"), ("state", "timed out")])
def test_unfinished_runs_with_a_loss_are_warned_of_and_the_filter_that_is_named_drops_them(tmp_path, column, word):
    frame = GOOD.assign(**{column: ["finished"] * 3 + [word] + ["finished"] * 20})
    (warning,) = warnings_of(tmp_path / "runs.csv", frame)
    where = f"{column} != {word!r}"
    assert f"{word!r} in row 4" in warning
    assert where in warning
    assert warnings_of(tmp_path / "runs.csv", frame, where) == ()


@pytest.mark.parametrize("word", ["Total", "mean", "Mittelwert", "SUM:"])
def test_a_row_of_totals_is_no_run(tmp_path, word):
    total = pd.DataFrame([[word, GOOD["n_params_total"].sum(), GOOD["n_tokens"].sum(), GOOD["loss"].mean()]])
    frame = pd.concat([GOOD, total.set_axis(GOOD.columns, axis=1)])
    (warning,) = warnings_of(tmp_path / "runs.csv", frame)
    assert f"run_id is {word!r} in row 25" in warning


def test_a_run_that_is_commented_out_is_warned_of(tmp_path):
    frame = GOOD.assign(run_id=GOOD["run_id"].where(GOOD.index != 6, "# " + GOOD["run_id"]))
    (warning,) = warnings_of(tmp_path / "runs.csv", frame)
    assert "row 7 begins with #" in warning
    assert warnings_of(tmp_path / "runs.csv", GOOD.assign(run_id="#" + GOOD["run_id"])) == ()


def test_rows_that_repeat_another_in_every_cell_are_warned_of_where_no_run_id_tells(tmp_path):
    twice = pd.concat([GOOD, GOOD.head(2)])
    (unnamed,) = warnings_of(tmp_path / "runs.csv", twice.drop(columns="run_id"))
    assert "2 of 26 rows (row 25 the first) repeats a row above in every cell" in unnamed
    assert warnings_of(tmp_path / "runs.csv", twice) == ()  # counted once: laws.observations


def test_one_run_under_two_sources_is_warned_of(tmp_path):
    other = GOOD.head(2).assign(source="copy", table="of mine")
    (warning,) = warnings_of(tmp_path / "runs.csv", pd.concat([GOOD.assign(source="mine"), other]))
    assert "2 of 26 rows repeat the run_id, size, tokens and loss of a row of another source" in warning
    assert "row 25 the first, run_id 'N30M-D1B'" in warning


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_params_non_embedding": PUBLIC["n_params_total"]}, "n_params_non_embedding, 7.8914e+07 in row 1"),
        ({"n_kv_heads": 4 * PUBLIC["n_heads"]}, "is more than n_heads"),
        ({"d_model": PUBLIC["n_layers"], "n_layers": PUBLIC["d_model"]}, "are depth and width swapped?"),
        ({"d_model": 10 * PUBLIC["d_model"]}, "does not go with n_layers and the number of parameters"),
        ({"n_tokens": PUBLIC["n_tokens"] / 1e3}, "0.0398 tokens per parameter"),
    ],
)
def test_numbers_that_contradict_one_another_are_warned_of(tmp_path, changes, words):
    (warning,) = warnings_of(tmp_path / "runs.csv", PUBLIC.assign(**changes))
    assert words in warning


def test_parameters_and_tokens_swapped_or_scaled_twice_are_warned_of(tmp_path):
    swapped = "{'n_tokens': 'n_params_total', 'n_params_total': 'n_tokens'}"
    assert "are parameters and tokens swapped" in warnings_of(tmp_path / "a.csv", GOOD, columns=swapped)[0]
    assert "3.17e+10 tokens per" in warnings_of(tmp_path / "a.csv", GOOD, columns="{'n_tokens': '1e9 * n_tokens'}")[0]


def test_a_column_in_two_units_is_not_to_be_scaled_as_a_whole(tmp_path):
    frame = GOOD.assign(n_tokens=GOOD["n_tokens"].where(GOOD.index % 9 > 0, GOOD["n_tokens"] / 1e9))
    (warning,) = warnings_of(tmp_path / "runs.csv", frame)
    assert "write all rows in one unit" in warning
    assert "--config.columns" not in warning


@pytest.mark.parametrize("column", ["d_model", "n_layers", "vocab_size"])
def test_a_shape_in_thousands_is_refused(tmp_path, column):
    with pytest.raises(InputError, match=rf"row 1, column {column}: .* must be a whole number"):
        warnings_of(tmp_path / "runs.csv", PUBLIC.assign(**{column: PUBLIC[column] / 1e5}))


def test_a_count_whose_products_overflow_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"row 1, column n_tokens: 1e\+300 must be above zero and below 1e\+30"):
        warnings_of(tmp_path / "runs.csv", GOOD.assign(n_tokens=1e300))


@pytest.mark.parametrize("word", ["-", "#N/A", "TBD", "?"])
def test_a_word_for_no_number_is_dropped_by_the_filter_that_the_error_names(tmp_path, word):
    frame = GOOD.astype({"loss": object})
    frame.loc[2, "loss"] = word
    with pytest.raises(InputError) as error:
        warnings_of(tmp_path / "runs.csv", frame)
    where = f"loss != {word!r}"
    assert str(error.value).endswith(f"; where={where!r} drops such rows")
    assert warnings_of(tmp_path / "runs.csv", frame, where) == ()


def test_names_with_groups_and_units_are_suggested(tmp_path):
    names = {"n_params_total": "Params (M)", "n_tokens": "Tokens [B]", "loss": "summary.loss"}
    with pytest.raises(InputError) as error:
        warnings_of(tmp_path / "runs.csv", GOOD.rename(columns=names))
    for words in ("'n_params_total': '1e6 * Params (M)'", "'n_tokens': '1e9 * Tokens [B]'", "'loss': 'summary.loss'"):
        assert words in str(error.value)


def test_another_delimiter_is_told(tmp_path):
    path = tmp_path / "runs.csv"
    GOOD.to_csv(path, index=False, sep="|")
    with pytest.raises(InputError, match=r"has one column, .* must have commas, tabs or semicolons"):
        run_source.open_runs(path)


def test_a_repeated_row_of_several_tables_is_named_by_its_table(tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    GOOD.head(12).to_csv(paths[0], index=False)
    GOOD.tail(14).to_csv(paths[1], index=False)
    runs = run_source.open_runs(f"{paths[0]},{paths[1]}")
    (warning,) = runs.judge(runs.filter("")).warnings
    assert "2 of 26 rows repeat the run_id" in warning
    assert f"({paths[1]}: row 1 the first" in warning


def test_spaces_around_a_name_make_no_other_model_and_nan_is_no_name(tmp_path):
    names = [f"m{row // 4}" + " " * (row % 2) for row in range(24)]
    GOOD.assign(model_id=names).to_csv(tmp_path / "runs.csv", index=False)
    runs = run_source.open_runs(tmp_path / "runs.csv")
    assert runs.view["model_id"].nunique() == 6
    GOOD.assign(model_id=["NaN" if row < 8 else "m" for row in range(24)]).to_csv(tmp_path / "runs.csv", index=False)
    runs = run_source.open_runs(tmp_path / "runs.csv")
    assert runs.view["model_id"].tolist() == GOOD["run_id"].tolist()[:8] + ["m"] * 16


def test_missing_cells_of_parquet_are_no_states(tmp_path):
    states = pd.array(["finished", None, "crashed", *["finished"] * 21], dtype="string")
    GOOD.assign(state=states)[["state", *GOOD.columns]].to_parquet(tmp_path / "runs.parquet")
    runs = run_source.open_runs(tmp_path / "runs.parquet")
    (warning,) = runs.judge(runs.filter("")).warnings
    assert "state is 'crashed' in row 3" in warning
    GOOD.assign(state=[None] * 23 + ["ok"]).drop(columns="run_id").to_parquet(tmp_path / "runs.parquet")
    runs = run_source.open_runs(tmp_path / "runs.parquet")
    assert runs.judge(runs.filter("")).warnings == ()
