"""Warnings of numbers that cannot be what their column says, and none where the table itself confirms the unit."""

from pathlib import Path

import pandas as pd
import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.tables import cells, run_source, run_table

DATA = Path(__file__).resolve().parents[2] / "data"
TINY = Architecture(d_model=16, n_layers=1, n_heads=2, n_kv_heads=2, d_head=8, d_ff=32, vocab_size=64)
HEADER = "run_id,n_params_total,n_tokens,loss,vocab_size\n"


def warnings_of(path: Path, columns: str = "") -> tuple[str, ...]:
    runs = run_source.open_runs(path, columns)
    return runs.judge(runs.filter("")).warnings


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("30,1e9,3,", ["n_params_total, 30 in row 1", "looks like millions", "1e6 * n_params_total"]),
        ("0.07,1e9,3,", ["n_params_total, 0.07", "looks like billions", "1e9 * n_params_total"]),
        ("7,1e11,2,", ["n_params_total, 7 ", "looks like billions"]),
        ("7e9,140,2,", ["n_tokens, 140", "looks like billions", "1e9 * n_tokens"]),
        ("7e9,1.4,2,", ["n_tokens, 1.4", "looks like trillions", "1e12 * n_tokens"]),
        ("3e7,600,3,", ["n_tokens, 600", "looks like millions"]),
        ("1e8,1e10,35,", ["column loss, 35", "among 300,000 tokens", "perplexity"]),
        ("1e8,1e10,7.5,256", ["column loss, 7.5", "among 256 tokens", "perplexity"]),
        ("1e8,1e10,0.05,", ["column loss, 0.05", "below 0.1 nats"]),
    ],
)
def test_a_number_in_another_unit_is_named_with_the_unit_that_is_likely(tmp_path, row, words):
    path = tmp_path / "runs.csv"
    path.write_text(HEADER + f"a,{row}\n")
    (warning,) = warnings_of(path)
    assert warning.startswith(f"{path}: column ")
    assert all(word in warning for word in words), warning


def test_the_advice_on_a_mapped_column_holds_its_own_factor(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id,N,D,loss\na,0.3,1e10,3\n")
    (warning,) = warnings_of(path, "{'n_params_total': '1e3 * N', 'n_tokens': 'D'}")
    assert "{'n_params_total': '1e9 * N'}" in warning
    path.write_text("run_id,N,D,loss\na,0.3,1e10,3\n")
    assert warnings_of(path, "{'n_params_total': '1e9 * N', 'n_tokens': 'D'}") == ()


def test_tiny_runs_that_confirm_their_own_numbers_are_not_warned_of(tmp_path):
    """A run trained here: its shape gives N, its steps give D."""
    row = run_table.run_record(
        TINY, source="t", run_id="a", n_tokens=6400, loss=3.9, loss_split="v", n_steps=50, batch_size=4
    )
    path = tmp_path / "runs.csv"
    cells.write_table(path, [row | {"sequence_length": 32}])
    assert accounting.count_parameters(TINY) < 1e4
    assert warnings_of(path) == ()
    few = row | {"n_tokens": 1280, "n_steps": 10, "sequence_length": 32}  # a fraction of a token per parameter
    cells.write_table(path, [few])
    assert warnings_of(path) == ()
    cells.write_table(path, [row | {"sequence_length": 64}])
    assert len(warnings_of(path)) == 1
    cells.write_table(path, [row | {"sequence_length": 32, "n_params_total": 30, "n_params_non_embedding": ""}])
    assert "n_params_total, 30" in warnings_of(path)[0]


def test_compute_far_from_six_n_d_is_warned_of(tmp_path):
    path = tmp_path / "runs.csv"
    pd.DataFrame({"n_params_total": [1e8], "n_tokens": [1e10], "loss": [3.0], "training_flops": [6.0]}).to_csv(
        path, index=False
    )
    (warning,) = warnings_of(path)
    assert "times 6 · n_params_total · n_tokens; one of the three is in another unit" in warning


@pytest.mark.parametrize("name", ["bian2025", "gemstones_cooldown", "chinchilla", "gadre2024_models", "sardana2024"])
def test_public_tables_are_not_warned_of(name):
    assert warnings_of(DATA / f"{name}.csv") == ()
