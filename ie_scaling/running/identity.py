"""What a work directory's results were made from: its configuration, and the content of what was read."""

import reprlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import files

NO_RESULT = ("allow_unfinished",)  # fields that say what is accepted, not what is computed
WAY_ON = "choose another --workdir or remove this one"
SHORT = 12  # hexadecimal digits of a hash that a message shows

Inputs = Mapping[str, Path | str | None]  # None: not there yet, the run itself makes it


def named(field: str, paths: Sequence[str | Path]) -> dict[str, Path]:
    """The `inputs` of files that one field names; one that is absent is not recorded, and must be absent again.

    Raises:
      InputError: there can be no file of this name.
    """
    for path in paths:
        _require_usable(field, path)
    return {f"{field} {path}": Path(path) for path in paths}


def _require_usable(field: str, path: str | Path) -> None:
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as error:  # a name too long, or with a NUL
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{field}={reprlib.repr(str(path))}: no usable path ({reason})") from None


def within(field: str, directory: str | Path, names: Sequence[str]) -> dict[str, Path]:
    """The `inputs` of what is read of a directory that another verb wrote."""
    return named(field, [Path(directory) / name for name in names])


def match_config(directory: Path, config: Mapping[str, Any], may_change: Collection[str]) -> None:
    """Hold the configuration against the one in config.json, but for the fields that may change.

    Raises:
      InputError: one that differs, by its full name; or no configuration of this program.
    """
    path = directory / "config.json"
    earlier = files.read_json(path)
    if not isinstance(earlier, dict):
        raise InputError(f"{path}: is no configuration that this program wrote; {WAY_ON}")
    if earlier.get("experiment") != config.get("experiment"):
        raise InputError(
            f"workdir={directory}: holds experiment {earlier.get('experiment')!r}, not {config.get('experiment')!r}; "
            f"{WAY_ON}"
        )
    if difference := next(_differences(earlier, config, "", may_change), None):
        name, before, now = difference
        raise InputError(
            f"workdir={directory}: started with {name}={reprlib.repr(before)}, now {reprlib.repr(now)}; {WAY_ON}"
        )


def _differences(
    earlier: Mapping[str, Any], config: Mapping[str, Any], path: str, may_change: Collection[str]
) -> Iterator[tuple[str, Any, Any]]:
    """Each field that differs: its full name, what it was, what it is."""
    for name in sorted({*earlier, *config} - set(NO_RESULT)):
        before, now, field = earlier.get(name), config.get(name), f"{path}{name}"
        is_new = name not in earlier and not now  # an empty field that an earlier version did not have yet
        if field in may_change or before == now or is_new:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differences(before, now, f"{field}.", may_change)
        else:
            yield field, before, now


def match_inputs(directory: Path, inputs: Inputs | None) -> list[str]:
    """Warnings about inputs that cannot be compared any more.

    Raises:
      InputError: one has another content than it had.
    """
    path = directory / "inputs.json"
    if not path.exists():
        return [f"workdir={directory}: does not say what its inputs contained (no inputs.json)"] if inputs else []
    earlier = files.read_json(path)
    if not isinstance(earlier, dict) or not all(isinstance(digest, str) for digest in earlier.values()):
        raise InputError(f"{path}: is no record that this program wrote; {WAY_ON}")
    now, warnings = {name: _digest(value) for name, value in (inputs or {}).items()}, []
    for name in sorted({*earlier, *now}):
        before, after = earlier.get(name), now.get(name)
        if after is None and before is not None:
            warnings.append(f"{name}: is no longer there; the result was made from content {before[:SHORT]}")
        elif before != after:
            was, is_now = (digest[:SHORT] if digest else "absent" for digest in (before, after))
            raise InputError(
                f"workdir={directory}: made from other content of {name} (sha256 {was}, now {is_now}); {WAY_ON}"
            )
    return warnings


def digests_of(inputs: Inputs | None) -> dict[str, str]:
    """The sha256 of every input that is there."""
    digests = {name: _digest(value) for name, value in (inputs or {}).items()}
    return {name: digest for name, digest in digests.items() if digest is not None}


def _digest(value: Path | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return files.sha256(value) if value.is_file() else None
    except OSError as error:
        raise InputError(f"{value}: cannot be read ({error.strerror})") from None


def experiment_of(directory: Path) -> str | None:
    """Which experiment wrote config.json there; None where there is none, or another program's."""
    if not (directory / "config.json").is_file():
        return None
    try:
        config = files.read_json(directory / "config.json")
    except InputError:
        return None
    name = config.get("experiment") if isinstance(config, dict) else None
    return name if isinstance(name, str) else None
