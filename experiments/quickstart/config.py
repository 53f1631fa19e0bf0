"""What the quickstart may set."""

import dataclasses

from experiments import time_decode
from experiments.fit import Config as FitConfig  # beside the fields `fit` and `select`
from experiments.select import Config as SelectConfig
from ie_scaling.errors import InputError, short
from ie_scaling.running.config import require
from ie_scaling.shapes import lookup
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.runtime_config import RuntimeConfig
from ie_scaling.train.sweep_config import SweepConfig

LEAST_CANDIDATES = 3  # the recommended shape, a runner-up and a poor one are trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Sweep → latency → laws → selection → test of the selection → report.

    `runs` is the sweep ("ARCHITECTURE@TOKENS[-sSEED]"), `candidates` the shapes to choose from at `candidate_tokens`.
    Each of `laws` is fitted; `decision_law` decides. The parts `decode`, `fit` and `select` take the fields of the
    command of that name; the study fills in their files, architectures and tokens, and times every candidate, so that
    `select` has no use for `grid` and `request`.
    """

    runs: tuple[str, ...]
    candidates: tuple[str, ...]
    candidate_tokens: int
    laws: tuple[str, ...] = ("chinchilla", "aspect_ratio", "effective")
    decision_law: str = "effective"
    n_parallel: int = 1
    recipe: RecipeConfig = RecipeConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    decode: time_decode.Config = time_decode.Config()
    fit: FitConfig = FitConfig()
    select: SelectConfig = SelectConfig()

    def __post_init__(self) -> None:
        rule = f"must be one of laws, {short(self.laws)}"
        require(self.decision_law in self.laws, "decision_law", self.decision_law, rule)
        distinct = len(set(self.candidates))
        require(distinct >= LEAST_CANDIDATES, "candidates", self.candidates, "must name at least three shapes")
        for field in ("grid", "request"):
            if getattr(self.select, field) != getattr(SelectConfig(), field):
                raise InputError(f"select.{field}: needs a latency law; the study times its candidates")
        SweepConfig(runs=self.runs, n_parallel=self.n_parallel, recipe=self.recipe, runtime=self.runtime)
        for name in self.candidates:
            try:
                self.candidate_plan(name)
            except InputError as error:
                raise InputError(f"candidates: {error}") from None

    @property
    def architectures(self) -> tuple[str, ...]:
        """Every shape of the study by name, those of the sweep first."""
        return tuple(dict.fromkeys(lookup.resolve(spec).name for spec in self.shape_specs))

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named, those of the sweep first."""
        return (*(run.partition("@")[0] for run in self.runs), *self.candidates)

    def candidate_plan(self, name: str) -> TrainConfig:
        """The training run that tests the candidate of this name."""
        return TrainConfig(
            architecture=lookup.resolve(name), n_tokens=self.candidate_tokens, recipe=self.recipe, runtime=self.runtime
        )
