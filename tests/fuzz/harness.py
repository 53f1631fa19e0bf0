"""Runs damaged inputs through the real readers and sorts what came of each: accepted, refused, or a fault.

A kind of input is a module tests/fuzz/KIND.py with `draw(rng, folder) -> Case`: it writes a damaged input under
`folder` and returns the call that reads it. A refusal is one InputError of one line that leaves every file as it was.
Anything else that is raised, a message of several lines, files that a refused call left, and a run of the canary
(`canary` put into an input as code) are faults. What is accepted although it is known to be nonsense is counted by its
label, for a person to judge.
"""

import collections
import dataclasses
import importlib
import os
import pathlib
import pkgutil
import random
import tempfile
import traceback
import zlib
from collections.abc import Callable

from ie_scaling.errors import InputError

CANARY = "IE_SCALING_FUZZ_CANARY"  # an input that holds code names this variable: the code sets it where it runs
NO_KINDS = ("harness", "__main__", "test_fuzz")
MAX_MESSAGE = 2000


@dataclasses.dataclass(frozen=True)
class Case:
    """One damaged input: what was done to it, the call that reads it, and why it should not be accepted ("" may be)."""

    description: str
    call: Callable[[], object]
    nonsense: str = ""


@dataclasses.dataclass
class Tally:
    """What came of the cases of one kind."""

    n_cases: int = 0
    n_refused: int = 0
    accepted: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    faults: list[str] = dataclasses.field(default_factory=list)

    def describe(self, kind: str) -> str:
        """A line of counts, a line for each label of accepted nonsense, and every fault."""
        n_accepted = self.accepted.total()
        lines = [
            f"{kind}: {self.n_cases} cases, {self.n_refused} refused, {n_accepted} accepted, {len(self.faults)} faults"
        ]
        lines += [f"  accepted though {label}: {count}" for label, count in self.accepted.most_common() if label]
        return "\n".join([*lines, *(f"  FAULT {fault}" for fault in self.faults)])


def kinds() -> list[str]:
    """The kinds of input that can be drawn, by name."""
    folder = pathlib.Path(__file__).parent
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if module.name not in NO_KINDS)


def run(kind: str, n_cases: int, seed: int) -> Tally:
    """`n_cases` cases of one kind; case i of a seed is the same whatever n_cases is."""
    draw = importlib.import_module(f"tests.fuzz.{kind}").draw
    tally = Tally()
    for index in range(n_cases):
        rng = random.Random(zlib.crc32(f"{kind} {seed} {index}".encode()))
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            _run_one(tally, draw, rng, pathlib.Path(name), f"{kind} seed {seed} case {index}")
    return tally


def _run_one(tally: Tally, draw: Callable, rng: random.Random, folder: pathlib.Path, where: str) -> None:
    os.environ.pop(CANARY, None)
    case = draw(rng, folder)
    before = snapshot(folder)
    tally.n_cases += 1
    try:
        case.call()
    except InputError as error:
        tally.n_refused += 1
        message = str(error)
        if "\n" in message or not message or len(message) > MAX_MESSAGE:
            tally.faults.append(f"{where} ({case.description}): not one line: {message[:200]!r}")
        if snapshot(folder) != before:
            tally.faults.append(f"{where} ({case.description}): refused, but files changed ({message[:100]})")
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{pathlib.Path(last.filename).name}:{last.lineno}"
        tally.faults.append(f"{where} ({case.description}): {type(error).__name__} at {at}: {str(error)[:200]!r}")
    else:
        tally.accepted[case.nonsense] += 1
    if os.environ.pop(CANARY, None):
        tally.faults.append(f"{where} ({case.description}): code was executed")


def snapshot(folder: pathlib.Path) -> dict[str, bytes | None]:
    """Every file and folder below, with the files' contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
