"""Diagnostics of a result: of which kind, about what, and what there is to say; one file for every verb."""

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError, short
from ie_scaling.running import files, identity

FILE_NAME = "diagnostics.json"


class Kind(enum.StrEnum):
    """What a diagnostic is about; code branches on this, never on the message."""

    ASSUMPTION = enum.auto()  # what was assumed of a table; no warning
    TABLE = enum.auto()  # suspicious rows, columns or sources of a table
    CORPUS = enum.auto()  # text that was left out or lost, a tokenizer that loses some
    MIXED_LOSSES = enum.auto()  # rows of several sources fitted as if their losses were comparable
    LEAST_SQUARES = enum.auto()  # a fit that did not converge, or parameters that it does not identify
    CONVERGENCE = enum.auto()  # the gate of a posterior's draws
    CERTIFICATE = enum.auto()  # calibration, coverage, sensitivity to priors
    LAW = enum.auto()  # a loss law that an answer rests on
    LATENCY = enum.auto()  # a latency law or table that an answer rests on
    MACHINE = enum.auto()  # too little memory, or too few devices
    TIMING = enum.auto()  # times that drift, spread or cannot be
    EXTRAPOLATION = enum.auto()  # a question outside what was fitted, or about what a law does not see
    DISAGREEMENT = enum.auto()  # laws that prefer another shape; a published number that is not reached


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """One finding: the message alone is a whole line where `subject` is blank."""

    kind: Kind
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}" if self.subject else self.message

    @property
    def is_warning(self) -> bool:
        """Whether it is shown beside the answer, and fails under --strict."""
        return self.kind is not Kind.ASSUMPTION


def each(kind: Kind, messages: Iterable[str], subject: str = "") -> list[Diagnostic]:
    """A diagnostic of one kind and subject for each message."""
    return [Diagnostic(kind, subject, message) for message in messages]


def write(directory: Path, diagnostics: Sequence[Diagnostic], details: dict[str, Any] | None = None) -> None:
    """diagnostics.json: the list, each once, and beside it what details a verb has (of a gate, of a fit)."""
    plain = [dataclasses.asdict(entry) for entry in dict.fromkeys(diagnostics)]
    files.write_json(directory / FILE_NAME, {"diagnostics": plain} | (details or {}))


def read(directory: Path) -> list[Diagnostic]:
    """The list that `write` left.

    Raises:
      InputError: no such file, or not of this form.
    """
    path = directory / FILE_NAME
    content = files.read_json(path)
    entries = content.get("diagnostics") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: must hold a list of diagnostics, as this version writes; {identity.WAY_ON}")
    return [_parse(path, entry) for entry in entries]


def _parse(path: Path, entry: Any) -> Diagnostic:
    fields = {field.name for field in dataclasses.fields(Diagnostic)}
    is_text = isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())
    if not is_text or set(entry) != fields or entry["kind"] not in list(Kind):
        raise InputError(f"{path}: {short(entry)} is no diagnostic (kind, subject and message); {identity.WAY_ON}")
    subject, message = (" ".join(entry[name].split()) for name in ("subject", "message"))
    return Diagnostic(Kind(entry["kind"]), subject, message)


def lines(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """What is shown: a line each, once."""
    return list(dict.fromkeys(str(entry) for entry in diagnostics if entry.is_warning))
