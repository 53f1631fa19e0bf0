"""Predict_latency from a directory that was not fitted here: its table, its warnings, and what it refuses."""

import pandas as pd
import pytest

from experiments import predict_latency
from ie_scaling.errors import InputError
from ie_scaling.latency_law import posterior
from ie_scaling.running import files, runner
from ie_scaling.shapes import lookup
from tests.latency_law import small_posterior

SHAPES = ("smollm2-135m", "d64-n4-h4-k2-c16-f192-v512")


@pytest.fixture
def fit(tmp_path):
    small_posterior.make().save(tmp_path / "fit" / posterior.FILE_NAME)
    files.write_json(tmp_path / "fit" / "config.json", {"experiment": "fit_latency"})
    files.write_text(tmp_path / "fit" / "DONE", "")
    return tmp_path / "fit"


def test_a_row_a_shape_with_what_the_law_draws(fit, tmp_path, capsys):
    config = predict_latency.Config(fit=str(fit), architectures=SHAPES, batch=2, seed=3)
    failures = runner.start(predict_latency, config, tmp_path / "out")
    assert "latency law: R-hat 1.3 of sharpness is above 1.01" in failures
    table = pd.read_csv(tmp_path / "out" / predict_latency.FILE_NAME)
    assert table["architecture"].tolist() == [lookup.resolve(name).name for name in SHAPES]
    law, (kind, cases) = posterior.load_fit(fit), ("sim", predict_latency.load(config).cases)
    expected = law.predict(cases, kind, 3).intervals()
    pd.testing.assert_frame_equal(table[expected.columns], expected)
    assert "median and 90 % of a new measurement" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architectures": ()}, "at least one architecture"),
        ({"architectures": ("gpt-9",)}, "unknown architecture"),
        ({"seed": -1}, "seed=-1"),
        ({"workload": "long"}, "workload='long'"),
    ],
)
def test_a_broken_rule_names_field_and_value(fields, words):
    with pytest.raises(InputError, match=words):
        predict_latency.Config(**fields)


def test_a_cell_without_a_time_is_blank():
    row = dict.fromkeys(("tpot_s", "tpot_s_lo90", "tpot_s_hi90"), float("nan"))
    assert predict_latency._interval(row, "tpot_s", 1e3) == ""
