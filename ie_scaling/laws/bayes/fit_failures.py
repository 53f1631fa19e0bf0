"""What a fit directory says has failed, besides the convergence gate that its draws carry themselves."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import files

SAID_BY_THE_DRAWS = ("bayes ", "convergence", "certificate: convergence")
OF_ANOTHER = "least squares "  # not what a posterior's draws rest on
_CERTIFICATE = re.compile(r"certificate \S+: ")


def read(directory: Path, own: Sequence[str]) -> tuple[str, ...]:
    """One-liners of diagnostics.json and certificate.json, each once; `own` are those that the draws carry.

    Raises:
      InputError: a file that is not what `configs/fit.py` writes.
    """
    found = []
    for name, prefix in (("diagnostics.json", ""), ("certificate.json", "certificate: ")):
        if (directory / name).is_file():
            found += [prefix + _CERTIFICATE.sub("certificate: ", failure) for failure in _failures(directory / name)]
    others = [failure for failure in found if not failure.startswith((*SAID_BY_THE_DRAWS, OF_ANOTHER))]
    return tuple(dict.fromkeys(failure for failure in others if failure not in own))


def _failures(path: Path) -> list[str]:
    content: Any = files.read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold failures by name; fit again")
    lines = []
    for kind in ("failures", "warnings"):  # warnings are about the table that was fitted
        found = content.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
            raise InputError(f"{path}: {kind} must be a list of lines; fit again")
        lines += [" ".join(line.split()) for line in found]
    return lines
