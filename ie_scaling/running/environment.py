"""The environment of a result: versions, processor, devices and git revision."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

PACKAGES = ("ie_scaling", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpyro", "numpy", "scipy")
PACKAGES += ("pandas", "arviz", "tokenizers")
FAMILY = {"family": "cpu family", "model": "model"}  # as /proc/cpuinfo calls them


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


class Environment(TypedDict):
    """environment.json: versions, processor, devices, XLA flags and git revision."""

    python: str
    platform: str
    machine: str
    processor: str
    cpu_count: int | None
    packages: dict[str, str]
    backend: str
    devices: list[str]
    process_count: int
    XLA_FLAGS: str
    git_revision: str


def describe() -> Environment:
    """That of this process."""
    import jax  # here, so that what needs no device stays free of JAX

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
    fields = {key.strip(): value.strip() for key, value in pairs}
    parts = [fields.get("model name", platform.machine())]
    return " ".join(parts + [f"{name} {fields[key]}" for name, key in FAMILY.items() if key in fields])


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
