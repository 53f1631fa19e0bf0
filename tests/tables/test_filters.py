"""Row filters: the rows they keep, and that they compute and do nothing else."""

import datetime
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ie_scaling.errors import InputError
from ie_scaling.tables import cells, filters, run_table

DATA = Path(__file__).parent.parent.parent / "data"
CASES = Path(__file__).parent.parent / "cases"
TEXT = pd.DataFrame(
    {
        "run_id": ["a", "b", "c", "d", "e"],
        "model_id": ["7", "7", "8", "08", ""],
        "state": ["finished", "finished", "crashed", "Finished", ""],
        "n": ["100", "100", "200", "2e2", "300"],
        "val/loss": ["3.5", "3.25", "nan", "3.0", ""],
        "my notes": ["lr=0.1", "x|y", "a.b", "axb", ""],
        "tied": ["True", "false", "TRUE", "", "False"],
        "seed": ["9007199254740992", "9007199254740993", "1", "2", "3"],
        "empty": ["", "", "", "", ""],
    }
)
TYPED = pd.DataFrame(
    {
        "run_id": ["a", "b", "c", "d", "e"],
        "n": [100, 100, 200, 200, 300],
        "val/loss": [3.5, 3.25, np.nan, 3.0, np.nan],
        "state": ["finished", "finished", "crashed", "Finished", None],
        "tied": [True, False, True, False, False],
        "when": [datetime.datetime(2024, 1, 1)] * 5,
    }
)


def kept(where: str, frame: pd.DataFrame = TEXT) -> str:
    """The run_ids of the rows that a filter keeps."""
    return "".join(filters.filter_rows(frame, where)["run_id"])


def refusal(where: str, frame: pd.DataFrame = TEXT) -> str:
    with pytest.raises(InputError, match="where=") as caught:
        filters.filter_rows(frame, where, "runs.csv")
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 900
    return message


@pytest.mark.parametrize("frame", [TEXT, TYPED], ids=["text", "typed"])
@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("n == 200", "cd"),
        ("n != 200", "abe"),
        ("100 < n <= 300", "cde"),
        ("n in [100, 300]", "abe"),
        ("n not in (100, 300)", "cd"),
        ("n.isin([100])", "ab"),
        ("n.between(100, 200)", "abcd"),
        ("n.between(100, 200, inclusive='neither')", ""),
        ("n.between(left=100, right=200, inclusive='right')", "cd"),
        ("n / 100 + 1 == 2 * 2 - 1", "cd"),
        ("n // 150 == 1 and n % 150 == 50", "cd"),
        ("n ** 0.5 == 10", "ab"),
        ("-n < -250", "e"),
        ("abs(n - 200) < 1", "cd"),
        ("(n - 200).abs() < 1", "cd"),
        ("n > 100 & n < 300", "cd"),
        ("(n == 100) | (n == 300)", "abe"),
        ("~(n == 100)", "cde"),
        ("not n == 100", "cde"),
        ("`val/loss` < 3.3", "bd"),
        ("not `val/loss` < 3.3", "ace"),
        ("`val/loss` != 3.5", "bcde"),
        ("`val/loss`.isna()", "ce"),
        ("`val/loss`.notnull()", "abd"),
        ("`val/loss` - 3 == 0.5", "a"),
        ("state == 'finished'", "ab"),
        ("state == 'finished' and `val/loss` > 3.3", "a"),
        ("state != 'finished'", "cde"),
        ("state in ['crashed', 'finished']", "abc"),
        ("state.isna()", "e"),
        ("state == ''", "e"),
        ("state < 'b'", "de"),
        ("state.str.lower() == 'finished'", "abd"),
        ("state.str.upper().str.startswith('FIN')", "abd"),
        ("state.str.startswith(['cr', 'Fin'])", "cd"),
        ("state.str.endswith('ed')", "abcd"),
        ("state.str.contains('fin|cras')", "abc"),
        ("state.str.contains('^FIN', case=False)", "abd"),
        ("state.str.contains('finished', na=False)", "ab"),
        ("state.str.contains('i.i', regex=False) or n == 300", "e"),
        ("tied", "ac"),
        ("not tied", "bde"),
        ("tied == True and n > 100", "c"),
        ("`val/loss` == `val/loss`.groupby(n).transform('min')", "bd"),
        ("`val/loss` == `val/loss`.groupby([n, 'n']).transform('max')", "ad"),
        ("`val/loss` == groupby(['n'])['val/loss'].transform('min')", "bd"),
        ("n == groupby(state).n.transform('mean')", "abcd"),
        ("`val/loss` > `val/loss`.groupby(n).transform('mean')", "a"),
    ],
)
def test_a_filter_keeps_the_same_rows_of_text_and_of_typed_columns(frame, where, rows):
    frame = frame.assign(state=TEXT["state"]) if where == "state == ''" or "state <" in where else frame
    if rows:
        assert kept(where, frame) == rows
    else:
        assert "keeps no row of runs.csv" in refusal(where, frame)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("`my notes`.str.contains('a.b')", "cd"),
        ("`my notes`.str.contains('a.b', regex=False)", "c"),
        ("`my notes`.str.contains('x|y', regex=False)", "b"),
        ("`my notes` == 'x|y' | n == 300", "be"),
        ("model_id == '7'", "ab"),
        ("model_id.str.startswith('0')", "d"),
        ("seed == '9007199254740993'", "b"),
        ("seed == seed.groupby(model_id).transform('max')", None),
        ("n == n.groupby(seed).transform('min')", "abcde"),
        ("empty == ''", "abcde"),
        ("empty.isna() and n < 150", "ab"),
        ("not empty > 3 and n < 150", "ab"),
        ("empty.str.contains('x') or n < 150", "ab"),
    ],
)
def test_text_that_is_numbers_is_compared_without_a_guess(where, rows):
    if rows is None:
        assert "beyond 2**53" in refusal(where)
    else:
        assert kept(where) == rows


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("n % 8", "must be true or false for each row"),
        ("n", "column n must be true or false for each row"),
        ("state", "column state must be true or false"),
        ("1 < 2", "must be true or false for each row"),
        ("True", "must be true or false for each row"),
        ("'a'", "must be true or false for each row"),
        ("n > 1 and 3", "must be true or false for each row"),
        ("n > 1 and n", "must be true or false for each row"),
        ("m > 1", "no column is named m; there are run_id"),
        ("stat == 'x'", "did you mean state?"),
        ("`val loss` > 3", "did you mean val/loss?"),
        ("`val/loss > 3", "unmatched `"),
        ("state > 3", "column state does not hold numbers, row 1 has 'finished'"),
        ("state == 3", "column state does not hold numbers"),
        ("n == 'many'", "column n holds numbers; 'many' is text"),
        ("n == '200'", "'2e2' is not the text '200'; write the number without quotes"),
        ("n < '200'", "column n holds numbers"),
        ("state > True", "not true and false"),
        ("(n > 1) == 1", "true and false cannot be compared with numbers"),
        ("(n > 1) + 1 == 2", "must be a number"),
        ("-state == 'x'", "column state does not hold numbers"),
        ("`val/loss`.str.lower() > 3", "text cannot be compared with numbers"),
        ("seed == 9007199254740993", "compare it as text, in quotes"),
        ("seed == 9007199254740992", "beyond 2**53"),
        ("n = 200", "== compares"),
        ("n > 1 AND n < 2", "written small"),
        ("n in 200", "in needs a list"),
        ("'fin' in state", "name.str.contains('a')"),
        ("n in []", "one at least"),
        ("n in [n]", "numbers or texts"),
        ("n in [1, 'a']", "column n holds numbers"),
        ("n == [200]", "a list that does not follow `in` is not allowed"),
        ("n.isin(200)", "takes a list"),
        ("n.isin([1], [2])", "takes values"),
        ("n.between(1)", "takes left, right, inclusive"),
        ("n.between(1, 2, inclusive=3)", "inclusive must be one of"),
        ("n.isna(1)", "takes no argument"),
        ("state.str.contains('(')", "no regular expression"),
        ("state.str.contains(3)", "takes a text in quotes"),
        ("state.str.contains('a', flags=2)", "takes pat, case, na, regex"),
        ("state.str.contains(**{'pat': 'a'})", "takes pat, case, na, regex"),
        ("state.str.startswith(3)", "text in quotes"),
        ("n.groupby(m).transform('min') > 1", "no column is named m"),
        ("n.groupby(n).transform('sum') > 1", "'min', 'max', 'mean'"),
        ("n.groupby(n).transform(abs) > 1", "'min', 'max', 'mean'"),
        ("n.groupby(n % 2).transform('min') > 1", "groupby() takes columns"),
        ("n.groupby(n).min() > 1", ".min() is not allowed"),
        ("n.transform('min') > 1", "write loss.groupby"),
        ("n > None", "None (use .isna())"),
        ("n is 3", "`is`"),
        ("n > 1e400", "finite"),
        ("n > 1 / 0", "finite"),
        ("n > ", "not a row filter"),
        ("n > 1; n", "not a row filter"),
        ("n > 1\nn > 2", "not a row filter"),
        (" ", "not a row filter"),
        ("\0", "not a row filter"),
        ("\ud800", "not a row filter"),
    ],
)
def test_a_filter_that_means_nothing_certain_is_one_line(where, words):
    assert words in refusal(where)


@pytest.mark.parametrize(
    "where",
    [
        "n > 0 and @pd.io.common.os.system('touch FILE') == 0",
        "@pd.read_csv('x')",
        "__import__('os').system('touch FILE') == 0",
        "n.to_csv('FILE')",
        "n.to_csv('FILE') or n > 1",
        "n.to_pickle('FILE') == None",
        "n.map(open) > 1",
        "n.apply('to_csv', path_or_buf='FILE') > 1",
        "n.pipe(print) > 1",
        "n.str.__class__.__mro__ == 1",
        "n.__class__ == 1",
        "state.str.cat('FILE') == 'x'",
        "().__class__.__bases__[0].__subclasses__() == 1",
        "(lambda: n > 1)()",
        "[x for x in n]",
        "{x for x in n} == 1",
        "(x for x in n)",
        "(x := n) > 1",
        "f'{n}' == 'x'",
        "open('FILE', 'w')",
        "eval('n > 1')",
        "exec('import os')",
        "n > 1 if n else n",
        "n[0] > 1",
        "n[n > 1] > 1",
        "{'a': 1} == n",
        "n @ n > 1",
        "n ^ n > 1",
        "n << 2 > 1",
        "print(n)",
        "abs(n, key=print) > 1",
        "abs(*n) > 1",
        "b'a' == state",
        "1j == n",
        "... == n",
        "await n",
        "n > 1 # comment",
        "'%s' % n == 'x'",
        "'{}'.format(n) == 'x'",
        "state.str.format('x') == 'x'",
    ],
)
def test_code_in_a_filter_is_refused_and_nothing_runs(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    refusal(where.replace("FILE", "made"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "where",
    [
        "9**9**9 > n",
        "n > 10**400",
        "n ** 1e9 > 1",
        "n ** n > 1",
        "2.0 ** (10 ** 2 + 1) > n",
        "'a' * 10**9 == state",
        "state * 1000000000 == 'a'",
        "[0] * 10**9 == n",
        "1" * 1999,
        "a" * 100_000,
        "(" * 900 + "n > 1" + ")" * 900,
        "not " * 450 + "n > 1",
        "-" * 1900 + "n > 1",
        "+".join("n" * 500) + " > 1",
        "n > " + "1 < " * 480 + "2",
        "state.str.contains('((((a{1000}){1000}){1000}){1000})')",
    ],
)
def test_a_filter_that_would_hang_or_fill_the_memory_is_over_at_once(where):
    started = time.monotonic()
    refusal(where, TEXT.assign(state="a" * 5000))
    assert time.monotonic() - started < 2


def test_backtracking_cannot_hang_a_pattern():
    frame = TEXT.assign(state="a" * 50_000)
    started = time.monotonic()
    assert "keeps no row" in refusal("state.str.contains('(a|a)*(a+)+$x')", frame)
    assert kept("state.str.contains('" + "(a*)*" * 300 + "$')", frame) == "abcde"
    assert time.monotonic() - started < 2


def test_crashed_runs_are_dropped_by_their_state_before_their_cells_are_judged():
    frame = cells.read_frame(CASES / "one_crashed_run.csv")
    finished = filters.filter_rows(frame, "state=='finished'")
    assert len(finished) == len(frame) - 1
    assert cells.positive(Path("runs.csv"), finished, "loss", required=True).between(1, 10).all()
    assert len(filters.filter_rows(frame, "loss.notna()")) == len(frame) - 1
    assert len(filters.filter_rows(frame, "loss < 10")) == len(frame) - 1


def test_the_best_loss_of_each_n_and_d():
    frame = cells.read_frame(DATA / "gadre2024_models.csv")
    where = "loss == loss.groupby([n_params_total, n_tokens]).transform('min')"
    best = filters.filter_rows(frame, where)
    numbers = frame.assign(loss=frame["loss"].astype(float))
    indices = numbers.groupby(["n_params_total", "n_tokens"])["loss"].idxmin()
    assert best.index.tolist() == sorted(indices)


@pytest.mark.parametrize(
    ("table", "where", "n_rows"),
    [
        ("bian2025", "fit_set.str.contains('fig7')", 27),
        ("bian2025", "n_tokens > 1e9 and fit_set.str.contains('fig7')", 27),
        ("chinchilla", "fit_set == 'besiroglu240'", 240),
        ("gadre2024_models", "loss_split == 'c4_val' and notes.str.contains('train=rpj')", 35),
    ],
)
def test_published_subsets_are_as_before(table, where, n_rows):
    path = DATA / f"{table}.csv"
    assert len(filters.filter_rows(cells.read_frame(path), where)) == n_rows
    judged = run_table.read_runs(path)
    pd.testing.assert_frame_equal(filters.filter_rows(judged, where), judged.query(where, engine="python"))


def test_rows_keep_their_index_and_a_blank_filter_keeps_all():
    assert filters.filter_rows(TEXT, "n == 200").index.tolist() == [2, 3]
    assert filters.filter_rows(TEXT, "") is TEXT
    shuffled = TEXT.set_index(pd.Index([5, 5, 3, 1, 0]))
    assert kept("n == 100", shuffled) == "ab"


def test_a_date_is_neither_number_nor_text():
    assert "column when does not hold numbers" in refusal("when > 3", TYPED)
    assert "column when does not hold text" in refusal("when == '2024'", TYPED)
    assert kept("when.notna() and n > 200", TYPED) == "e"


def test_the_field_and_the_table_are_named():
    with pytest.raises(InputError, match=r"^holdout='n > 999': keeps no row of mine\.csv$"):
        filters.filter_rows(TEXT, "n > 999", "mine.csv", "holdout")
