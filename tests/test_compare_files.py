"""benchmarks/compare_files.py: what it calls equal, close, different, and on one side only."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks import compare_checkouts, compare_files
from benchmarks.compare_files import CLOSE, DIFFERS, EQUAL, LEFT_ONLY, RIGHT_ONLY


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    left, right = tmp_path / "left", tmp_path / "right"
    left.mkdir()
    right.mkdir()
    return left, right


def verdicts(sides) -> dict[str, str]:
    return {f"{found.file}:{found.field}": found.verdict for found in compare_files.compare_folders(*sides)}


def test_columns_are_equal_close_different_or_on_one_side(sides) -> None:
    (sides[0] / "t.csv").write_text("same,close,far,gone\n1.5,1,1,a\n,2,2,b\n")
    (sides[1] / "t.csv").write_text("same,close,far,new\n1.5,1.0000000001,1.1,c\n,2,2,d\n")
    wanted = {"same": EQUAL, "close": CLOSE, "far": DIFFERS, "gone": LEFT_ONLY, "new": RIGHT_ONLY}
    assert verdicts(sides) == {f"t.csv:{column}": verdict for column, verdict in wanted.items()}


def test_the_largest_relative_difference_is_given() -> None:
    verdict, detail = compare_files.compare_values(np.array([1.0, 100.0, 0.0]), np.array([1.1, 101.0, 0.0]))
    assert verdict == DIFFERS
    assert detail == "2 of 3; at most 0.091 relative (1 against 1.1)"


@pytest.mark.parametrize(("left", "right"), [([0.0], [np.nan]), ([1.0], [np.inf]), ([1.0, 2.0], [1.0])])
def test_blanks_infinities_and_lengths_differ(left, right) -> None:
    assert compare_files.compare_values(np.array(left), np.array(right))[0] == DIFFERS


def test_items_of_json_lists_are_one_field(sides) -> None:
    for folder, loss in zip(sides, (3.0, 3.5), strict=True):
        (folder / "r.json").write_text(json.dumps({"rows": [{"id": "a", "loss": 2.0}, {"id": "b", "loss": loss}]}))
    assert verdicts(sides) == {"r.json:rows[].id": EQUAL, "r.json:rows[].loss": DIFFERS}


def test_variables_of_netcdf_are_fields(sides) -> None:
    for folder, shift in zip(sides, (0.0, 1e-3), strict=True):
        with h5py.File(folder / "p.nc", "w") as file:
            file["posterior/alpha"] = np.arange(4.0) + shift
            file["posterior/name"] = ["x", "y"]
    assert verdicts(sides) == {"p.nc:posterior/alpha": DIFFERS, "p.nc:posterior/name": EQUAL}


def test_speed_environment_and_drawings_are_not_compared(sides) -> None:
    for folder, speed in zip(sides, (1.0, 2.0), strict=True):
        (folder / "runs").mkdir()
        (folder / "runs" / "metrics.jsonl").write_text(json.dumps({"loss": 1.0, "tokens_per_s": speed}))
        (folder / "environment.json").write_text(str(speed))
        (folder / "a.png").write_bytes(bytes([int(speed)]))
    assert verdicts(sides) == {"runs/metrics.jsonl:[].loss": EQUAL}


def test_a_job_brings_those_that_it_needs() -> None:
    assert compare_checkouts._with_needs(["select_predicted"]) == ["fit", "fit_latency", "select_predicted"]


def test_a_name_that_is_no_checkout_is_refused_in_one_line(capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        compare_checkouts.main(["no-such-revision", "."])
    assert stopped.value.code == 2
    assert "no-such-revision: neither the path of a checkout nor a git revision" in capsys.readouterr().err
