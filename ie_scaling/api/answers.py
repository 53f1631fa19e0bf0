"""A latency law and a decision, as the calls from Python return them."""

import dataclasses
from typing import Any, cast

import pandas as pd

from ie_scaling.api.display import INTERVAL, Shown, ShownSummary
from ie_scaling.architecture import Architecture
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.search import selection
from ie_scaling.search.selection import SelectionAnswer


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LatencyFit(Shown):
    """A latency law as draws of its parameters, loaded from the directory `source`."""

    posterior: LatencyPosterior
    source: str

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the convergence gate failed; empty where it passed."""
        return tuple(self.posterior.failures)

    @property
    def parameters(self) -> pd.DataFrame:
        """Mean, sd, 5 % point, median and 95 % point of every parameter, by device and name; `common` of no device."""
        summary = self.posterior.summary()
        return pd.DataFrame({(device, name): row for device, rows in summary.items() for name, row in rows.items()}).T

    def describe(self) -> ShownSummary:
        """Parameters with 90 % intervals, devices, the convergence gate and warnings."""
        devices = ", ".join(device.name for device in self.posterior.devices)
        sessions = len(self.posterior.sessions)
        gate = "FAILED" if self.posterior.failures else "passed"
        lines = (
            f"devices: {devices}; {sessions} session{'' if sessions == 1 else 's'}; from {self.source}",
            f"{self.posterior.n_draws:,} draws; convergence gate {gate}",
        )
        table = self.parameters[list(INTERVAL)].rename(columns=INTERVAL)
        return ShownSummary(f"Latency law ({self.posterior.form})", lines, table, self.warnings)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Decision(Shown):
    """A recommended shape.

    Attributes:
      recommended: what the caller called it, or its own name.
      architecture: the shape itself.
      table: a row a candidate as in candidates.csv, by name: losses, ranks and regret among the feasible, latency.
      facts: the fields of selection.json, and `notes` on public models.
    """

    recommended: str
    architecture: Architecture
    table: pd.DataFrame
    facts: dict[str, Any]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Failed diagnostics of the posterior, of the latencies, and of their use for these candidates."""
        return tuple(self.facts["failures"])

    def describe(self) -> ShownSummary:
        """The recommendation, the feasible candidates by expected regret, and warnings."""
        columns = ["loss_mean", "loss_lo90", "loss_hi90", "p_best", "expected_regret", "latency_mean", "p_feasible"]
        feasible = self.table[self.table["expected_regret"].notna()].sort_values("expected_regret", kind="stable")
        lines = (selection.describe(cast(SelectionAnswer, self.facts)),)
        return ShownSummary(f"Decision: {self.recommended}", lines, feasible[columns].head(10), self.warnings)
