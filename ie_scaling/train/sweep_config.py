"""What a sweep of runs may set: the list of runs in one line each, how they are run (no JAX here)."""

import ast
import dataclasses
import re
from typing import Any

from ie_scaling import config as config_lib
from ie_scaling.architecture import Architecture
from ie_scaling.config import require
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.runtime_config import RuntimeConfig

EXECUTORS = ("local", "ray")
_RUN = re.compile(r"(?P<shape>[^@]+)@(?P<tokens>\d+)(?:-s(?P<seed>\d+))?(?P<overrides>(?:,[^,=]+=[^,]+)*)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RayConfig:
    """A sweep on a Ray cluster: its address ("" starts one here) and what each run asks for.

    Every node must see the sweep's directory under the same path.
    """

    address: str = ""
    cpus_per_run: float = 1.0
    gpus_per_run: float = 0.0

    def __post_init__(self) -> None:
        for field in ("cpus_per_run", "gpus_per_run"):
            require(getattr(self, field) >= 0, field, getattr(self, field), "must not be negative")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """A list of runs over one recipe.

    Each of `runs` is ARCHITECTURE@TOKENS[-sSEED][,FIELD=VALUE...], an architecture by its name such as
    d128-n4-h4-k2-c32-f384-v1024, a FIELD of the recipe such as optimizer.learning_rate. `n_parallel` runs go on at
    once, each on devices of its own where there are enough: two small ones keep both cores of a CPU busy. A run that
    fails is tried `retries` times more, from its last checkpoint, and does not stop the others.
    """

    runs: tuple[str, ...] = ()
    executor: str = "local"
    n_parallel: int = 1
    retries: int = 1
    ray: RayConfig = RayConfig()
    recipe: RecipeConfig = RecipeConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    def __post_init__(self) -> None:
        require(bool(self.runs), "runs", self.runs, "must name at least one run")
        require(self.executor in EXECUTORS, "executor", self.executor, f"must be one of {', '.join(EXECUTORS)}")
        require(self.n_parallel >= 1, "n_parallel", self.n_parallel, "must be at least 1")
        require(self.retries >= 0, "retries", self.retries, "must not be negative")
        ids = [plan.run_id for plan in self.plans]
        for run, run_id in zip(self.runs, ids, strict=True):
            require(ids.count(run_id) == 1, "runs", run, "is listed twice")

    @property
    def plans(self) -> tuple[TrainConfig, ...]:
        """Each run's own configuration, in the order given."""
        return tuple(self._plan(run) for run in self.runs)

    def _plan(self, run: str) -> TrainConfig:
        match = _RUN.fullmatch(run)
        if match is None:
            raise ValueError(f"runs={run!r}: expected ARCHITECTURE@TOKENS[-sSEED][,FIELD=VALUE...]")
        return TrainConfig(
            architecture=Architecture.parse(match["shape"]),
            n_tokens=int(match["tokens"]),
            seed=int(match["seed"] or 0),
            variant=match["overrides"],
            recipe=_override(self.recipe, run, match["overrides"]),
            runtime=self.runtime,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusConfig:
    """Where a sweep stands: its work directory."""

    sweep: str = "runs/sweep"


def _override(recipe: RecipeConfig, run: str, overrides: str) -> RecipeConfig:
    """The recipe with ",FIELD=VALUE..." set in it; an unknown field is an error that lists the valid ones."""
    values = config_lib.to_plain(recipe)
    for override in filter(None, overrides.split(",")):
        path, _, text = override.partition("=")
        *groups, field = path.split(".")
        place = values
        for group in groups:
            place = place.get(group)
            require(isinstance(place, dict), "runs", run, f"{group} is no group of fields of the recipe")
        place[field] = _literal(text)
    return config_lib.build(RecipeConfig, values, f"runs={run!r}: recipe")


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
