"""The package from outside: what importing it loads, its names, its version."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import ie_scaling as ies

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("jax", "jaxlib", "pandas", "numpy", "xarray", "scipy", "numpyro", "flax")


def loaded_by(statements: str) -> set[str]:
    """The modules that a fresh process has loaded after these statements."""
    source = f"import sys\n{statements}\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(result.stdout.split())


def test_importing_the_package_loads_neither_jax_nor_pandas():
    assert not loaded_by("import ie_scaling as ies\ndir(ies)\nies.InputError, ies.Architecture") & set(HEAVY)


def test_reading_a_table_loads_no_jax():
    assert not loaded_by("import ie_scaling as ies\nies.read_runs('data/bian2025.csv')") & {"jax", "flax", "numpyro"}


def test_every_public_name_is_there_and_documented():
    for name in ies.__all__:
        assert name in dir(ies)
        assert getattr(ies, name) is getattr(ies, name)
        assert name == "__version__" or getattr(ies, name).__doc__, name
    for name in ("fit", "load", "predict_latency", "rank", "read_runs", "select"):
        assert "Example: `" in getattr(ies, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'optimise'"):
        _ = ies.optimise


def test_the_version_is_the_installed_one_and_known_without_an_installation(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    assert ies.__version__ == importlib.metadata.version("ie_scaling")
    monkeypatch.delitem(vars(ies), "__version__", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert ies.__version__ == "0+unknown"
    monkeypatch.delitem(vars(ies), "__version__")


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "ie_scaling" / "py.typed").is_file()
    assert 'ie_scaling = ["py.typed"]' in (ROOT / "pyproject.toml").read_text()
