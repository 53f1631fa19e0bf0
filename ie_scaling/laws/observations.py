"""What a law sees: the features and log losses of a run table, and the reference point in the middle of them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture, Shape
from ie_scaling.errors import InputError
from ie_scaling.tables import columns

COLUMN_OF = {
    "n_total": "n_params_total",
    "n_non_embedding": "n_params_non_embedding",
    "n_embedding": "n_params_non_embedding",
    "n_tokens": "n_tokens",
    "d_model": "d_model",
    "n_layers": "n_layers",
    "aspect_ratio": "d_model and n_layers",
    "mlp_attention_ratio": "d_ff, d_head, n_heads and n_kv_heads",
    "query_group": "n_heads and n_kv_heads",
    "loss_optimal": "loss_optimal",
}
SAME_SIZE = 0.1  # rows are of one size where ln N_total differs by less, or where others between them bridge the gap
SAME_TOKENS = 0.02  # and of one token budget where ln D does
ONE_MODEL = 0.01  # the rows of one model differ in ln N by less: digits lost, or a point read off a figure
WITHOUT = {
    "n_total": ("n_non_embedding", "count=non_embedding does without"),
    "n_non_embedding": ("n_total", "count=total does without, and the shape with vocab_size gives it"),
    "n_embedding": ("n_total", "count=total does without, and the shape with vocab_size gives it"),
}  # what may be known instead of a way of counting N, and the way on


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """What laws may depend on: float64 arrays (NumPy or JAX) of one shape, NaN where unknown.

    The shape is runs R or architectures A."""

    n_total: Any
    n_non_embedding: Any
    n_embedding: Any
    n_tokens: Any
    d_model: Any
    n_layers: Any
    aspect_ratio: Any
    mlp_attention_ratio: Any
    query_group: Any
    loss_optimal: Any

    def __len__(self) -> int:
        return len(self.n_total)

    @property
    def n_known(self) -> np.ndarray:
        """N_total, or N_non of rows for which that alone is known."""
        return np.where(np.isnan(self.n_total), self.n_non_embedding, self.n_total)

    def take(self, index_A: np.ndarray) -> "Features":
        """The rows at these positions (or where this mask holds)."""
        return jax.tree.map(lambda values: values[index_A], self)

    def scale_tokens(self, factor: Any) -> "Features":
        """The same shapes, trained on `factor` times the tokens."""
        return dataclasses.replace(self, n_tokens=self.n_tokens * factor)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """The geometric means of the fitted rows, where priors are stated and coordinates are least correlated.

    N0 under the law's way of counting (ω = ½ where ω is free), D0 tokens, R0 = d/n, d0 and n0 width and depth,
    r0 MLP over attention parameters, x0 = d/√N_non, g0 query heads per key-value head, L0 loss in nats per token, and
    L_min, the smallest loss fitted. NaN where a feature is unknown.
    """

    N0: float
    D0: float
    R0: float
    d0: float
    n0: float
    r0: float
    x0: float
    g0: float
    L0: float
    L_min: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observations:
    """A run table as a law reads it: R rows of M trained models.

    `model_R` numbers the model of each row, an index into `model_ids`; `frame` is the table itself, for messages.
    Repeated rows count once; `n_duplicates` is how many were left out. `remarks` are what was assumed when the table
    was read, `warnings` what is suspicious in it.
    """

    features: Features
    log_loss_R: np.ndarray
    model_R: np.ndarray
    run_ids: tuple[str, ...]
    model_ids: tuple[str, ...]
    frame: pd.DataFrame
    name: str = "table"
    n_duplicates: int = 0
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.log_loss_R)

    @property
    def loss_R(self) -> np.ndarray:
        """Losses in nats per token."""
        return np.exp(self.log_loss_R)

    @property
    def scale_R(self) -> np.ndarray:
        """The scale of each row, a number: rows of one size share it, and of one token budget or one D/N.

        At each size whichever of the two makes more pairs of models, the budget where neither does.
        """
        n_known, n_tokens = self.features.n_known, self.features.n_tokens
        scale_R = _scales(n_known, n_tokens)
        size_R = _cluster(np.log(n_known), SAME_SIZE)
        for size in np.unique(size_R):
            rows = np.flatnonzero(size_R == size)
            by_ratio = _cluster(np.log(n_tokens[rows] / n_known[rows]), SAME_TOKENS)
            if _n_pairs(by_ratio, self.model_R[rows]) > _n_pairs(scale_R[rows], self.model_R[rows]):
                scale_R[rows] = -1 - len(self) * size - by_ratio  # below every number of a budget
        return scale_R

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, name: str = "table", remarks: Sequence[str] = (), warnings: Sequence[str] = ()
    ) -> "Observations":
        """Observations of a frame from `run_table.read_runs`.

        Raises:
          InputError: one (run, tokens) has two losses, a model has several sizes, or N_non exceeds N_total.
        """
        same = frame.duplicated(["source", "run_id", "n_tokens", "loss_split", "loss"])
        frame = frame[~same]
        twice = frame.duplicated(["source", "run_id", "n_tokens"])
        if twice.any():
            index = frame.index[twice][0]
            raise InputError(
                f"{_where(frame, index, name)}, run_id {frame.at[index, 'run_id']!r}: listed twice at the same "
                f"n_tokens (loss_split {frame.at[index, 'loss_split']!r}); keep one loss per run with a row filter"
            )
        over = frame["n_params_non_embedding"] > frame["n_params_total"]
        if over.any():
            where = _where(frame, frame.index[over][0], name)
            raise InputError(f"{where}, column n_params_non_embedding: must be at most n_params_total")
        _check_models(frame, name)
        model_ids, model_R = np.unique(frame["model_id"].to_numpy(str), return_inverse=True)
        return cls(
            features=_features_of_frame(frame),
            log_loss_R=np.log(frame["loss"].to_numpy(float)),
            model_R=model_R.astype(np.int32),
            run_ids=tuple(frame["run_id"]),
            model_ids=tuple(model_ids.tolist()),
            frame=frame,
            name=name,
            n_duplicates=int(same.sum()),
            remarks=tuple(remarks),
            warnings=tuple(warnings),
        )

    def take(self, index_R: np.ndarray) -> "Observations":
        """The rows at these positions (or where this mask holds), models renumbered."""
        return Observations.from_frame(self.frame.iloc[np.arange(len(self))[index_R]], self.name)

    def require(self, needs: Sequence[str], law: str) -> None:
        """Check that every row has these features.

        Raises:
          InputError: a blank, by file, row and column, or a column that is blank throughout with the way on.
        """
        for feature in needs:
            blank = np.isnan(getattr(self.features, feature))
            if blank.all():
                other, way = WITHOUT.get(feature, ("n_tokens", ""))
                known = not np.isnan(getattr(self.features, other)).any()
                hint = f"; {way}" if way and known else ""
                raise InputError(f"{self.name}: column {COLUMN_OF[feature]} is blank, law {law!r} needs it{hint}")
            if blank.any():
                where = _where(self.frame, self.frame.index[int(blank.argmax())], self.name)
                raise InputError(f"{where}, column {COLUMN_OF[feature]}: must not be blank, law {law!r} needs it")

    def reference(self, omega: float) -> Reference:
        """The reference point of these rows, with N = N_non + omega·N_emb (N_total where omega is 1)."""
        x = self.features
        n_embedding = omega * x.n_embedding if omega else 0.0  # which may be unknown where it does not count
        n_params = x.n_total if omega == 1 else x.n_non_embedding + n_embedding
        return Reference(
            N0=_geometric_mean(n_params),
            D0=_geometric_mean(x.n_tokens),
            R0=_geometric_mean(x.aspect_ratio),
            d0=_geometric_mean(x.d_model),
            n0=_geometric_mean(x.n_layers),
            r0=_geometric_mean(x.mlp_attention_ratio),
            x0=_geometric_mean(x.d_model / np.sqrt(x.n_non_embedding)),
            g0=_geometric_mean(x.query_group),
            L0=float(np.exp(self.log_loss_R.mean())),
            L_min=float(np.exp(self.log_loss_R.min())),
        )


def features_of(architectures: Sequence[Architecture], n_tokens: float | Sequence[float]) -> Features:
    """Features of A architectures, each trained on `n_tokens` tokens (one number for all, or one each)."""
    shape = Shape.of(architectures)
    return Features(
        n_total=accounting.count_parameters(shape),
        n_non_embedding=accounting.count_non_embedding_parameters(shape),
        n_embedding=accounting.count_embedding_parameters(shape),
        n_tokens=np.broadcast_to(np.asarray(n_tokens, np.float64), (len(architectures),)),
        loss_optimal=np.full(len(architectures), np.nan),
        **_proportions(shape),
    )


def _where(frame: pd.DataFrame, index: int, name: str) -> str:
    """File and row of a row, 1 being the first data row."""
    if "table_row" in frame:
        return f"{frame.at[index, 'table']}: row {frame.at[index, 'table_row']}"
    return f"{name}: row {index + 1}"


def _check_models(frame: pd.DataFrame, name: str) -> None:
    """Refuse a model of several sizes or shapes: its rows would share one effect and be resampled as one."""
    size = frame["n_params_total"].fillna(frame["n_params_non_embedding"])
    models = size.groupby(frame["model_id"].to_numpy(str), sort=False)
    several = models.transform("max") > models.transform("min") * (1 + ONE_MODEL)
    what, values = "n_params_total", size
    if not several.any():
        shapes = frame[list(SHAPE_FIELDS)].groupby(frame["model_id"].to_numpy(str), sort=False)
        differs = shapes.transform("nunique") > 1
        if not differs.to_numpy().any():
            return
        what = str(differs.columns[int(differs.any().to_numpy().argmax())])
        several, values = differs[what], frame[what]
    index = frame.index[several][0]
    model = frame.at[index, "model_id"]
    sizes = values[frame["model_id"] == model].dropna().unique()
    raise InputError(
        f"{_where(frame, index, name)}: model_id {columns.short(model)!r} names models of {len(sizes)} sizes ({what} "
        f"{columns.listed((f'{value:.10g}' for value in sizes), 4)}); the rows of one model_id are checkpoints of one "
        "model, so name each model apart in column model_id, or leave names out that are not unique"
    )


def _features_of_frame(frame: pd.DataFrame) -> Features:
    c = {name: frame[name].to_numpy(np.float64) for name in columns.POSITIVE_RUN_COLUMNS}
    return Features(
        n_total=c["n_params_total"],
        n_non_embedding=c["n_params_non_embedding"],
        n_embedding=c["n_params_total"] - c["n_params_non_embedding"],
        n_tokens=c["n_tokens"],
        loss_optimal=_optimal_losses(frame),
        **_proportions(Shape.of_columns(c)),
    )


def _proportions(shape: Shape[np.ndarray]) -> dict[str, np.ndarray]:
    """The features that are of the shape alone, counts apart."""
    return {
        "d_model": shape.d_model,
        "n_layers": shape.n_layers,
        "aspect_ratio": shape.aspect_ratio,
        "mlp_attention_ratio": accounting.mlp_attention_ratio(shape),
        "query_group": shape.attention.query_group,
    }


def _optimal_losses(frame: pd.DataFrame) -> np.ndarray:
    """L_opt of each row [B25b]: its column `loss_optimal`, or the least loss at that (N, D)."""
    if "loss_optimal" in frame:
        return pd.to_numeric(frame["loss_optimal"], errors="coerce").to_numpy(np.float64)
    n_known = frame["n_params_total"].fillna(frame["n_params_non_embedding"])
    scale_R = _scales(n_known.to_numpy(np.float64), frame["n_tokens"].to_numpy(np.float64))
    return frame["loss"].groupby(scale_R).transform("min").to_numpy(np.float64)


def _scales(n_total_R: np.ndarray, n_tokens_R: np.ndarray) -> np.ndarray:
    """Numbers the scales: rows of one size and one token budget."""
    size_R, budget_R = _cluster(np.log(n_total_R), SAME_SIZE), _cluster(np.log(n_tokens_R), SAME_TOKENS)
    return size_R * len(n_total_R) + budget_R


def _n_pairs(group_R: np.ndarray, model_R: np.ndarray) -> int:
    """Pairs of rows of one group and of two models."""
    same = group_R[:, None] == group_R[None, :]
    return int((same & (model_R[:, None] != model_R[None, :])).sum()) // 2


def _cluster(values_R: np.ndarray, gap: float) -> np.ndarray:
    """Numbers groups of values; a new one begins wherever sorted neighbors are more than `gap` apart."""
    order_R = np.argsort(values_R)
    group_R = np.empty(len(values_R), int)
    group_R[order_R] = np.concatenate([[0], np.cumsum(np.diff(values_R[order_R]) > gap)])
    return group_R


def _geometric_mean(values_R: np.ndarray) -> float:
    return float(np.exp(np.mean(np.log(values_R))))
