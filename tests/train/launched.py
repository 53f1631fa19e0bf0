"""Training as a person starts it: run.py in a process of its own, on the small corpus of these tests."""

import atexit
import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ie_scaling.running import config as config_lib

ROOT = Path(__file__).resolve().parent.parent.parent
_CACHE = tempfile.TemporaryDirectory(prefix="ie_scaling_compiled_")
atexit.register(_CACHE.cleanup)


def command(plan, directory: Path, **runtime) -> list[str]:
    """The command line of this run; `runtime` fields are given with __ for dots."""
    flags = [sys.executable, "run.py", "--config=configs/train.py", f"--workdir={directory}"]
    plain = config_lib.to_plain(dataclasses.replace(plan))
    plain.pop("runtime")
    fields = _flat(plain) | {f"runtime.{name.replace('__', '.')}": value for name, value in runtime.items()}
    return flags + [f"--config.{name}={value}" for name, value in fields.items() if value not in (None, [], ())]


def _flat(fields: dict, prefix: str = "") -> dict:
    found = {}
    for name, value in fields.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def environment(n_devices: int = 1) -> dict[str, str]:
    """With a compilation cache for all processes of a test session, so that only the first compiles."""
    return os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices}",
        "JAX_COMPILATION_CACHE_DIR": _CACHE.name,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def start(plan, directory: Path, n_devices: int = 1, **runtime) -> subprocess.Popen:
    """The run, started; its output is captured."""
    return subprocess.Popen(
        command(plan, directory, **runtime),
        cwd=ROOT,
        env=environment(n_devices),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, timeout_s: float = 300) -> tuple[int, str]:
    """Its exit status and what it said on stderr."""
    _, said = process.communicate(timeout=timeout_s)
    return process.returncode, said
