"""One experiment's directory: its lock, config.json, environment.json, and DONE last."""

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

from ie_scaling import files

PACKAGES = ("ie_scaling", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpyro", "numpy", "scipy")
PACKAGES += ("pandas", "arviz", "tokenizers")
FAMILY = {"family": "cpu family", "model": "model"}  # as /proc/cpuinfo calls them

LOCK_TRIES, LOCK_WAIT_S = 4, 0.05  # `is_locked` holds a free lock for the instant in which it looks


@contextlib.contextmanager
def opened(directory: Path, config: Mapping[str, Any], may_change: Collection[str] = ()) -> Generator[Path]:
    """Hold `directory` for one experiment: lock it, record config and environment, and mark it DONE at a clean end.

    Args:
      directory: made if absent. One left unfinished by the same config is taken up again.
      config: the resolved configuration, JSON-ready; it must equal that of an earlier start in the same place.
      may_change: fields in which it need not, such as how the work is run.

    Raises:
      ValueError: another process holds the directory, or it was started with another configuration.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        _match_config(directory, config, may_change)
        files.write_json(directory / "config.json", config)
        files.write_json(directory / "environment.json", describe_environment())
        yield directory
        files.write_text(directory / "DONE", "")


def is_done(directory: Path, config: Mapping[str, Any], may_change: Collection[str] = ()) -> bool:
    """Whether `directory` holds the finished results of this very configuration.

    Raises:
      ValueError: it holds those of another one.
    """
    if not (directory / "DONE").exists():
        return False
    _match_config(directory, config, may_change)
    return True


def is_locked(directory: Path) -> bool:
    """Whether a process holds `directory` now."""
    if not (directory / ".lock").exists():
        return False
    try:
        with _locked(directory):
            return False
    except ValueError:
        return True


@contextlib.contextmanager
def _locked(directory: Path) -> Generator[None]:
    with (directory / ".lock").open("a+") as lock:
        for left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    message = "in use by another process; wait for it or choose another"
                    raise ValueError(f"workdir={directory}: {message}") from None
                time.sleep(LOCK_WAIT_S)
        yield


def _match_config(directory: Path, config: Mapping[str, Any], may_change: Collection[str]) -> None:
    path = directory / "config.json"
    if not path.exists():
        return
    earlier = files.read_json(path)
    if earlier != config:
        names = sorted((set(earlier) | set(config)) - set(may_change))
        name = next((name for name in names if earlier.get(name) != config.get(name)), None)
        if name is None:
            return
        raise ValueError(
            f"workdir={directory}: started with {name}={earlier.get(name)!r}, now {config.get(name)!r}; "
            "choose another --workdir or remove this one"
        )


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def describe_environment() -> dict[str, Any]:
    """Versions, processor, devices, XLA flags and git revision, JSON-ready."""
    import jax  # here, so that what only needs the lock stays free of JAX

    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "cpu_count": os.cpu_count(),
        "packages": versions(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.devices()],
        "process_count": jax.process_count(),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "git_revision": git_revision(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, with family and model where Linux tells them: names alone cover several generations."""
    try:
        pairs = (line.partition(":")[::2] for line in cpuinfo.read_text().splitlines())
    except OSError:
        return platform.processor() or platform.machine()
    told = {key.strip(): value.strip() for key, value in pairs}
    parts = [told.get("model name", platform.machine())]
    return " ".join(parts + [f"{name} {told[key]}" for name, key in FAMILY.items() if key in told])


def device_kind() -> str:
    """What JAX calls the first device; of a CPU, which it calls "cpu" whatever it is, the processor's name."""
    import jax

    kind = jax.devices()[0].device_kind
    return f"cpu {processor()}" if kind == "cpu" else kind


def git_revision() -> str:
    """The commit of the source tree (with -dirty where it has changes), or "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    root = Path(__file__).resolve().parent.parent
    try:
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
