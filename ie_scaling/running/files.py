"""Files that appear whole or not at all: temporary name, then rename."""

import contextlib
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError

_TEMPORARY = re.compile(r"\..+\.(?:(?P<pid>\d+)-)?[a-z0-9_]{8}\.tmp", re.DOTALL)


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, renamed onto it when the block ends well and removed when it does not.

    What is renamed is on the disk before its name is, so that no power cut leaves an empty file of the right name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}-", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        _synchronize(temporary)
        temporary.replace(path)
        with contextlib.suppress(OSError):  # some file systems know no fsync of a folder
            _synchronize(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _synchronize(path: Path) -> None:
    """Have the disk hold what was written to this file, or which names this folder has."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_temporary(name: str) -> bool:
    """Whether `replacing` gives such names."""
    return _TEMPORARY.fullmatch(name) is not None


def is_leftover(path: Path, ended: int | None = None) -> bool:
    """Whether `path` is a temporary of `replacing` whose process is dead, or is the one that is about to end."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None or match["pid"] is None:
        return False
    if int(match["pid"]) == ended:
        return True
    try:
        os.kill(int(match["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read UTF-8 text.

    Raises:
      InputError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}: {error.reason})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON at full precision; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """Read a JSON file, with a one-line error that names it where it is absent or broken."""
    try:
        return json.loads(read_text(path))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: not valid JSON (nested too deep)") from None


def read_or_make(path: Path, make: Callable[[], Any]) -> Any:
    """The JSON that an earlier, interrupted run left at `path`, or what `make` returns, written there first.

    Raises:
      InputError: a file that cannot be read.
    """
    if not path.exists():
        write_json(path, make())
    return read_json(path)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
