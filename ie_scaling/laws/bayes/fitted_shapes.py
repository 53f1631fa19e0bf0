"""The shapes of the models that a posterior was fitted to, and which of them a candidate is."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture, Shape
from ie_scaling.laws.observations import Features, Observations

COUNTS = ("n_params_total", "n_params_non_embedding")
FIELDS = (*SHAPE_FIELDS, *COUNTS)
FEATURE_OF = {
    "d_model": "d_model",
    "n_layers": "n_layers",
    "n_params_total": "n_total",
    "n_params_non_embedding": "n_non_embedding",
}
SAME_COUNT = 0.005  # published parameter counts are rounded
SAME_EMBEDDING = 0.25  # and tied embeddings are half of untied ones
WHOLE = 0.1  # so near a whole number of vocabulary matrices the embedding parameters must be to tell it


@dataclasses.dataclass(frozen=True)
class FittedShapes:
    """FIELDS of M fitted models, NaN where the run table was blank.

    A candidate is a fitted model where every field known of both is equal and parameter counts agree within 0.5 %
    (embedding parameters within a quarter, which tells tied from untied). At least width, depth and one count must be
    known. A model whose id is an architecture's name is that architecture and no other.
    """

    model_ids: tuple[str, ...]
    values_MF: np.ndarray

    @classmethod
    def of_rows(cls, rows: Observations) -> "FittedShapes":
        """From the rows of a fit; the first known value of each model's rows."""
        values_MF = np.full((len(rows.model_ids), len(FIELDS)), np.nan)
        for column, name in enumerate(FIELDS):
            if name not in rows.frame:
                continue
            value_R = rows.frame[name].to_numpy(np.float64)
            for row in np.flatnonzero(~np.isnan(value_R))[::-1]:
                values_MF[rows.model_R[row], column] = value_R[row]
        return cls(rows.model_ids, values_MF)

    @classmethod
    def of_features(cls, features: Features, model_R: np.ndarray, model_ids: tuple[str, ...]) -> "FittedShapes":
        """From the features of the fitted rows: width, depth and counts of each model."""
        values_MF = np.full((len(model_ids), len(FIELDS)), np.nan)
        for field, feature in FEATURE_OF.items():
            values_MF[model_R, FIELDS.index(field)] = getattr(features, feature)
        return cls(model_ids, values_MF)

    @classmethod
    def unknown(cls, model_ids: tuple[str, ...]) -> "FittedShapes":
        """Models of unknown shape."""
        return cls(model_ids, np.full((len(model_ids), len(FIELDS)), np.nan))

    def column(self, name: str) -> np.ndarray:
        """One field of every model, [M], NaN where unknown."""
        return self.values_MF[:, FIELDS.index(name)]

    @property
    def shape(self) -> Shape[np.ndarray]:
        """The sizes, each [M]; tied embeddings by the counts, NaN where they do not say."""
        shape = Shape.of_columns({name: self.column(name) for name in SHAPE_FIELDS})
        embedding = self.column("n_params_total") - self.column("n_params_non_embedding")
        matrices = embedding / shape.embedding.matrix_parameters
        whole = np.where(np.abs(matrices - np.round(matrices)) < WHOLE, np.round(matrices), np.nan)
        return dataclasses.replace(shape, tied_embeddings=2 - whole)

    def match(self, architectures: Sequence[Architecture]) -> list[tuple[int, ...]]:
        """The fitted models that each candidate is, by index among the model ids; () for a new shape."""
        matches: list[list[int]] = [[] for _ in architectures]
        values_AF = _fields_of(architectures)
        by_name = {a.name: candidate for candidate, a in enumerate(architectures)}
        names = [_is_name(model_id) for model_id in self.model_ids]
        for model, (model_id, is_name) in enumerate(zip(self.model_ids, names, strict=True)):
            if model_id in by_name:
                matches[by_name[model_id]].append(model)
            elif not is_name:
                for candidate in np.flatnonzero(_same(self.values_MF[model], values_AF)):
                    matches[int(candidate)].append(model)
        return [tuple(models) for models in matches]


def _is_name(model_id: str) -> bool:
    try:
        Architecture.parse(model_id)
    except ValueError:
        return False
    return True


def _fields_of(architectures: Sequence[Architecture]) -> np.ndarray:
    """FIELDS of candidates, [A, F]."""
    shape = Shape.of(architectures)
    counts = accounting.count_parameters(shape), accounting.count_non_embedding_parameters(shape)
    return np.stack([*(getattr(shape, name) for name in SHAPE_FIELDS), *counts], axis=1)


def _same(model_F: np.ndarray, values_AF: np.ndarray) -> np.ndarray:
    """Which candidates a model is, [A]."""
    known = dict(zip(FIELDS, model_F, strict=True))
    counts_known = [name for name in COUNTS if not np.isnan(known[name])]
    if np.isnan([known["d_model"], known["n_layers"]]).any() or not counts_known:
        return np.zeros(len(values_AF), bool)
    same_A = np.ones(len(values_AF), bool)
    for column, name in enumerate(FIELDS):
        if not np.isnan(known[name]):
            within = SAME_COUNT * known[name] if name in COUNTS else 0.0
            same_A &= np.abs(values_AF[:, column] - known[name]) <= within
    if len(counts_known) == len(COUNTS):
        embedding = known[COUNTS[0]] - known[COUNTS[1]]
        embedding_A = values_AF[:, -2] - values_AF[:, -1]
        same_A &= np.abs(embedding_A - embedding) <= SAME_EMBEDDING * embedding
    return same_A
