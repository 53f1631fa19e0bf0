"""What failed of a fit, and what is suspicious in its table, reaches whoever reads its draws."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import fit_failures
from ie_scaling.running import diagnostic, files
from ie_scaling.running.diagnostic import Diagnostic, Kind


def test_what_bears_on_the_draws_is_read_by_its_kind(tmp_path):
    found = [
        Diagnostic(Kind.MIXED_LOSSES, "source", "a, b share one law"),
        Diagnostic(Kind.TABLE, "", "runs.csv: column n_tokens, 1 in row 1"),
        Diagnostic(Kind.CERTIFICATE, "certificate effective", "priors: 9 % of the losses lie outside"),
        *(Diagnostic(kind, "effective", "not of the draws") for kind in fit_failures.OTHERS),
    ]
    diagnostic.write(tmp_path, found)
    assert fit_failures.read(tmp_path) == (
        "source: a, b share one law",
        "runs.csv: column n_tokens, 1 in row 1",
        "certificate: priors: 9 % of the losses lie outside",
    )


@pytest.mark.parametrize("content", [[], {"failures": ["x"]}, {"diagnostics": 3}, {"diagnostics": [1]}])
def test_another_file_is_refused(tmp_path, content):
    files.write_json(tmp_path / "diagnostics.json", content)
    with pytest.raises(InputError, match=r"diagnostics\.json: "):
        fit_failures.read(tmp_path)


def test_draws_without_diagnostics_have_none(tmp_path):
    assert fit_failures.read(tmp_path) == ()
