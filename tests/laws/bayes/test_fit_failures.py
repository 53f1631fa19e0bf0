"""What failed of a fit, and what is suspicious in its table, reaches whoever reads its draws."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import fit_failures
from ie_scaling.running import files


def test_warnings_about_the_table_are_read_with_the_failures(tmp_path):
    found = {"failures": ["source: a, b share one law"], "warnings": ["runs.csv: column n_tokens, 1 in row 1"]}
    files.write_json(tmp_path / "diagnostics.json", found)
    assert fit_failures.read(tmp_path, ()) == (*found["failures"], *found["warnings"])


@pytest.mark.parametrize("content", [[], {"failures": 3}, {"warnings": [1]}, {"failures": [], "warnings": "no"}])
def test_lists_that_are_none_are_refused(tmp_path, content):
    files.write_json(tmp_path / "diagnostics.json", content)
    with pytest.raises(InputError, match=r"diagnostics\.json: "):
        fit_failures.read(tmp_path, ())
