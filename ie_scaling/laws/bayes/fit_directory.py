"""What the configuration of a fit directory requested: which of its two files of draws, and of which law."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.laws.choices import FitMethod
from ie_scaling.running import files

POSTERIOR, BOOTSTRAP = "posterior.nc", "bootstrap.nc"


def choose(directory: Path) -> Path:
    """The file of draws that a fit directory's configuration requested; without one, whichever is there.

    Raises:
      InputError: it is not there, such as a posterior of which only the bootstrap was finished.
    """
    there = [name for name in (POSTERIOR, BOOTSTRAP) if (directory / name).is_file()]
    expected = _promised(_config(directory))
    if expected and expected not in there:
        beside = f"; {there[0]} is another method's" if there else ""
        raise InputError(f"{directory}: has no {expected}, which its config.json requested{beside}; finish this fit")
    if not there:
        raise InputError(
            f"{directory}: has neither {POSTERIOR} nor {BOOTSTRAP}; fit with method bayes, or with n_bootstrap"
        )
    return directory / (expected or there[0])


def promises_draws(directory: Path) -> bool:
    """Whether a fit directory has, or should have, a file of draws."""
    return bool(_promised(_config(directory))) or any((directory / name).is_file() for name in (POSTERIOR, BOOTSTRAP))


def requested_law(directory: Path) -> str:
    """The law that a fit directory's configuration requested; "" where it has none."""
    law = _config(directory).get("law", "")
    return law if isinstance(law, str) else ""


def _config(directory: Path) -> Mapping[str, Any]:
    """The configuration of the fit that a directory holds; empty where it holds none."""
    if not (directory / "config.json").is_file():
        return {}
    config = files.read_json(directory / "config.json")
    return config if isinstance(config, dict) and config.get("experiment") == "fit" else {}


def _promised(config: Mapping[str, Any]) -> str:
    """The file that method and n_bootstrap of a fit promise."""
    if config.get("method") in (FitMethod.BAYES, FitMethod.BOTH):
        return POSTERIOR
    return BOOTSTRAP if config.get("n_bootstrap") else ""
