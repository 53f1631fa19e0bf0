"""What the stages of the quickstart left on disk, read once, and the numbers drawn from it."""

import dataclasses
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from experiments.quickstart.config import Config
from ie_scaling.architecture import Architecture
from ie_scaling.corpus.manifest import Manifest
from ie_scaling.laws.bayes.posterior import Posterior, load_fit
from ie_scaling.laws.evidence.record import FitRecord
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import features_of
from ie_scaling.running import files
from ie_scaling.search.selection import SelectionAnswer
from ie_scaling.tables import latency_table, run_table


@dataclasses.dataclass(frozen=True)
class Findings:
    """Everything the stages left on disk, read once."""

    config: Config
    manifest: Manifest
    runs: pd.DataFrame
    latency: pd.DataFrame
    fits: dict[str, FitRecord]
    posteriors: dict[str, Posterior]
    candidates: pd.DataFrame
    selections: dict[str, SelectionAnswer]
    tests: pd.DataFrame

    @classmethod
    def read(cls, config: Config, directory: Path) -> "Findings":
        """From the directory of a study whose stages are done."""
        runs = run_table.read_runs(directory / "sweep" / "runs.csv")
        return cls(
            config=config,
            manifest=files.read_json(directory / "corpus" / "manifest.json"),
            runs=runs.assign(training_flops=runs["training_flops"].astype(float)),
            latency=latency_table.read_latency(directory / "latency" / "latency.csv"),
            fits={law: files.read_json(directory / "fit" / law / "fit.json") for law in config.laws},
            posteriors={law: load_fit(directory / "fit" / law, law) for law in config.laws},
            candidates=pd.read_csv(directory / "select" / config.decision_law / "candidates.csv"),
            selections={law: files.read_json(directory / "select" / law / "selection.json") for law in config.laws},
            tests=run_table.read_runs(directory / "test" / "runs.csv"),
        )

    @property
    def unigram_entropy(self) -> float:
        """Of the validation text, in nats per token."""
        return self.manifest["splits"]["validation"]["unigram_entropy"]


def label_of(name: str) -> str:
    """Width × depth, as people call a shape."""
    architecture = Architecture.parse(name)
    return f"{architecture.d_model}×{architecture.n_layers}"


class SeedNoise(TypedDict):
    """Standard deviations in nats per token, and of how many runs and shapes they are."""

    n_runs: int
    sd_over_seeds: float
    n_shapes: int
    sd_over_shapes: float
    range_over_shapes: float


class Outcome(TypedDict):
    """A row of test.csv: the prediction for one new run with its 90 % interval, and the loss that was reached."""

    architecture: str
    role: str
    law: str
    loss: float
    prediction: float
    lo90: float
    hi90: float
    error_percent: float
    inside: bool


def seed_noise(runs: pd.DataFrame) -> SeedNoise | None:
    """Standard deviation over seeds of one shape at one budget, beside that over shapes of about that size.

    None where no (shape, tokens) was trained with two seeds.
    """
    groups = runs.groupby(["model_id", "n_tokens"])["loss"]
    repeated = groups.agg(["count", "var", "mean"]).query("count > 1")
    if repeated.empty:
        return None
    freedom = repeated["count"] - 1
    (model_id, n_tokens) = repeated["count"].idxmax()
    size = runs.loc[runs["model_id"] == model_id, "n_params_total"].iloc[0]
    peers = runs[(runs["n_tokens"] == n_tokens) & (abs(np.log(runs["n_params_total"] / size)) < np.log(1.35))]
    means = peers.groupby("model_id")["loss"].mean()
    return {
        "n_runs": int(repeated["count"].sum()),
        "sd_over_seeds": float(np.sqrt((repeated["var"] * freedom).sum() / freedom.sum())),
        "n_shapes": len(means),
        "sd_over_shapes": float(means.std()),
        "range_over_shapes": float(np.ptp(means)),
    }


def outcomes(findings: Findings, roles: dict[str, str]) -> list[Outcome]:
    """One row for each tested shape and law; `roles` says of each shape why it was trained."""
    rows: list[Outcome] = []
    names = findings.tests["model_id"].tolist()
    architectures = [Architecture.parse(name) for name in names]
    features = features_of(architectures, findings.tests["n_tokens"].tolist())
    for law, posterior in findings.posteriors.items():
        identities = posterior.identify(architectures)
        seed = findings.config.select.seed
        loss_WA = posterior.losses(features, level=Level.NEW_RUN, seed=seed, model_ids=identities).all()
        for index, (name, loss) in enumerate(zip(names, findings.tests["loss"].astype(float), strict=True)):
            lo, hi = np.quantile(loss_WA[:, index], (0.05, 0.95))
            prediction = float(np.median(loss_WA[:, index]))  # a Student-t's exponential has no mean
            rows.append(
                Outcome(
                    architecture=name,
                    role=roles[name],
                    law=law,
                    loss=float(loss),
                    prediction=prediction,
                    lo90=float(lo),
                    hi90=float(hi),
                    error_percent=100 * (prediction / loss - 1),
                    inside=bool(lo <= loss <= hi),
                )
            )
    return rows
