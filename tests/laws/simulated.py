"""Simulated run tables that follow a known law."""

from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling.architecture import Architecture
from ie_scaling.laws import forms
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import columns, run_table

DATA = Path(__file__).resolve().parents[2] / "data"
TRUTH = {
    "E": 1.9,
    "A_ref": 0.8,
    "alpha": 0.31,
    "B_ref": 0.5,
    "beta": 0.42,
    "h": 0.43,
    "epsilon_ref": 0.03,
    "gamma": 0.7,
    "kappa": 0.011,
    "R_star": 44.0,
    "omega": 0.37,
    "k_x": 0.07,
    "x_star": 0.08,
    "k_r": 0.05,
    "r_star": 1.7,
    "A_d_ref": 0.3,
    "a": 0.61,
    "A_n_ref": 0.2,
    "b": 0.83,
    "slope_N": -0.12,
    "slope_D": -0.15,
    "eta_g": 0.013,
    "level": 1.01,
    "a1": 0.09,
    "a2_ref": 0.06,
    "b1": 0.03,
    "b2_ref": 0.04,
}


def read(name: str, where: str = "") -> Observations:
    """Observations of a shipped table."""
    return Observations.from_frame(run_table.read_runs(DATA / f"{name}.csv", where), name)


def shapes() -> list[Architecture]:
    """Shapes that vary width, depth, MLP share and size apart from one another."""
    # d, n; MLP width over d; query heads per key-value head
    grid = [(128, 3), (128, 12), (256, 2), (256, 8), (256, 24), (512, 2), (512, 6), (512, 20), (1024, 3), (1024, 10)]
    return [
        Architecture(
            d_model=d, n_layers=n, n_heads=d // 32, n_kv_heads=d // 32 // g, d_head=32, d_ff=ff * d, vocab_size=2048
        )
        for (d, n), ff, g in zip(grid, (2, 4, 3, 1, 5, 4, 2, 3, 5, 2), (2, 1, 4, 2, 1, 2, 4, 2, 1, 4), strict=True)
    ]


def simulate(
    law: forms.Law, seed: int = 0, tau: float = 0.0, sigma: float = 0.0, tokens=(1e8, 7e8, 3e9)
) -> pd.DataFrame:
    """A run table whose losses follow `law` at TRUTH, with model effects of sd tau and run noise of sd sigma.

    `tokens` are budgets; a callable gives one budget for each architecture instead.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for architecture in shapes():
        budgets = [tokens(architecture)] if callable(tokens) else tokens
        for budget in budgets:
            run_id = f"{architecture.name}@{budget:g}"
            row = run_table.run_record(
                architecture, source="simulated", run_id=run_id, n_tokens=int(budget), loss=1.0, loss_split="validation"
            )
            rows.append(row | {"model_id": architecture.name})
    frame = pd.DataFrame(rows)
    for column in columns.POSITIVE_RUN_COLUMNS:
        frame[column] = frame[column].astype(float)
    frame["loss_optimal"] = 1.7 + 200 * frame["n_params_total"] ** -0.35 + 900 * frame["n_tokens"] ** -0.4
    blank = Observations.from_frame(frame)
    log_loss_R = solver.evaluate(law, truth(law), blank.features, blank.reference(law.reference_omega))
    log_loss_R = log_loss_R + tau * rng.standard_normal(len(blank.model_ids))[blank.model_R]
    return frame.assign(loss=np.exp(log_loss_R + sigma * rng.standard_normal(len(frame))))


def truth(law: forms.Law) -> dict[str, float]:
    """TRUTH restricted to a law's free parameters."""
    return {name: TRUTH[name] for name in law.names}
