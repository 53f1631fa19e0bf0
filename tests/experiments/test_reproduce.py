"""Reproduction as a verb: rows and figures chosen by name."""

import dataclasses

import pytest

from experiments import reproduce
from ie_scaling.errors import InputError
from ie_scaling.running import runner
from tests.laws.simulated import DATA

CONFIG = reproduce.Config(data=str(DATA), n_starts=16)


def test_rows_are_chosen_by_name_and_drawn(tmp_path):
    config = dataclasses.replace(
        CONFIG, rows=("g24_c4",), figures=reproduce.FIGURES, figure_law="effective", n_starts=4
    )
    assert runner.run(reproduce, config, tmp_path / "out") == []
    assert sorted(path.stem for path in (tmp_path / "out" / "figures").iterdir()) == sorted(reproduce.FIGURES)
    assert "2 of 2 values reproduced" in (tmp_path / "out" / "reproduction.md").read_text()


@pytest.mark.parametrize("field", ["rows", "figures"])
def test_an_unknown_name_lists_the_valid_ones(field):
    with pytest.raises(InputError, match=rf"{field}='fig99': must be among "):
        reproduce.chosen(dataclasses.replace(CONFIG, **{field: ("fig99",)}))
