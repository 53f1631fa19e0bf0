"""What a sweep of runs may set: the list of runs in one line each, how they are run (no JAX here)."""

import ast
import collections
import dataclasses
import re
from typing import Any

from ie_scaling import accounting
from ie_scaling.errors import InputError, short
from ie_scaling.running import config as config_lib
from ie_scaling.running import notation
from ie_scaling.running.config import at_least, one_of, require
from ie_scaling.shapes import lookup
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.executors import EXECUTORS
from ie_scaling.train.rules import require_run_id, require_whole
from ie_scaling.train.runtime_config import RuntimeConfig

MAX_RETRIES = 1000
MAX_RUN = 1000  # characters of a run
_TOKENS = r"[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,3})?[kKMBGTN]?"
_RUN = re.compile(rf"(?P<shape>[^@]+)@(?P<tokens>{_TOKENS})(?:-s(?P<seed>[0-9]+))?(?P<overrides>(?:,[^,=]+=[^,]+)*)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RayConfig:
    """A sweep on a Ray cluster: its address ("" starts one here) and the resources of each run.

    Every node must see the sweep's directory under the same path.
    """

    address: str = ""
    cpus_per_run: float = 1.0
    gpus_per_run: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 0, "cpus_per_run", "gpus_per_run")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """A list of runs over one recipe.

    Each of `runs` is ARCHITECTURE@TOKENS[-sSEED][,FIELD=VALUE...], an architecture by its name such as
    d128-n4-h4-k2-c32-f384-v1024, a public model's such as qwen3-0.6b, or the path of a config.json, TOKENS such as
    500000, 250k, 1.5B or 20N (20 for each of its parameters), a FIELD of the recipe such as optimizer.learning_rate.
    `n_parallel` runs go on at once, each on devices of its own where there are enough: two small ones keep both cores
    of a CPU busy. A run that fails is tried `retries` times more, from its last checkpoint, and does not stop the
    others.
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
        one_of(self, "executor", EXECUTORS)
        require_whole(self, ("n_parallel",), 1)
        require_whole(self, ("retries",), 0, MAX_RETRIES)
        ids = [plan.run_id for plan in self.plans]
        counts = collections.Counter(ids)
        for run, run_id in zip(self.runs, ids, strict=True):
            require(counts[run_id] == 1, "runs", run, "is listed twice")

    @property
    def plans(self) -> tuple[TrainConfig, ...]:
        """Each run's own configuration, in the order given."""
        return tuple(self._plan(run) for run in self.runs)

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return tuple(run.partition("@")[0] for run in self.runs)

    def _plan(self, run: str) -> TrainConfig:
        if len(run) > MAX_RUN:
            raise InputError(f"runs={short(run)}: must be at most {MAX_RUN:,} characters")
        match = _RUN.fullmatch(run)
        if match is None:
            raise InputError(f"runs={short(run)}: expected ARCHITECTURE@TOKENS[-sSEED][,FIELD=VALUE...]")
        require_run_id(match["overrides"], "runs", run)
        recipe = _override(self.recipe, run, match["overrides"])
        try:
            architecture = lookup.resolve(match["shape"])
            return TrainConfig(
                architecture=architecture,
                n_tokens=notation.parse_tokens(match["tokens"], accounting.count_parameters(architecture)),
                seed=int(match["seed"] or 0),
                variant=match["overrides"],
                recipe=recipe,
                runtime=self.runtime,
            )
        except InputError as error:
            raise InputError(f"runs={short(run)}: {error}") from None


def _override(recipe: RecipeConfig, run: str, overrides: str) -> RecipeConfig:
    """The recipe with ",FIELD=VALUE..." set in it; an unknown field is an error that lists the valid ones."""
    values = config_lib.to_plain(recipe)
    for override in filter(None, overrides.split(",")):
        path, _, text = override.partition("=")
        *groups, field = path.split(".")
        fields = values
        for group in groups:
            fields = fields.get(group)
            if not isinstance(fields, dict):
                raise InputError(f"runs={short(run)}: {group} is no group of fields of the recipe")
        fields[field] = _literal(text)
    return config_lib.build(RecipeConfig, values, f"runs={short(run)}: recipe")


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # nested too deep
        return text
