"""Columns of the run table that follow from others: tokens or parameters from compute, embeddings from the shape."""

import dataclasses

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Shape
from ie_scaling.parts import EmbeddingShape
from ie_scaling.tables import shape_table

SAME_COUNT = 0.02  # a count that the shape's own misses by less is the shape's


@dataclasses.dataclass(frozen=True)
class Derivation:
    """One column of a table as a function of others; `remark` says so in a line."""

    column: str
    read: tuple[str, ...]
    values: pd.Series
    remark: str


def derive(frame: pd.DataFrame, given: set[str]) -> list[Derivation]:
    """What can be derived of a table of numbers (NaN where blank), of which the columns `given` are not all blank."""
    derived = []
    known = set(given)
    for step in (_parameters_from_compute, _tokens_from_compute, _other_count_from_shape):
        for derivation in step(frame.assign(**{d.column: d.values for d in derived}), known):
            derived.append(derivation)
            known.add(derivation.column)
    return derived


def _parameters_from_compute(frame: pd.DataFrame, given: set[str]) -> list[Derivation]:
    counted = {"n_params_total", "n_params_non_embedding"} & given
    if counted or not {"training_flops", "n_tokens"} <= given:
        return []
    values = frame["training_flops"] / (6 * frame["n_tokens"])
    text = "n_params_total = training_flops / (6 · n_tokens)"
    return [Derivation("n_params_total", ("training_flops", "n_tokens"), values, text)]


def _tokens_from_compute(frame: pd.DataFrame, given: set[str]) -> list[Derivation]:
    count = next((name for name in ("n_params_total", "n_params_non_embedding") if name in given), "")
    if "n_tokens" in given or "training_flops" not in given or not count:
        return []
    values = frame["training_flops"] / (6 * frame[count])
    return [Derivation("n_tokens", ("training_flops", count), values, f"n_tokens = training_flops / (6 · {count})")]


def _other_count_from_shape(frame: pd.DataFrame, given: set[str]) -> list[Derivation]:
    """N_non from N_total or the reverse, where the vocabulary's matrices are known."""
    total, non_embedding = "n_params_total", "n_params_non_embedding"
    if (total in given) == (non_embedding in given) or not {"d_model", "vocab_size"} <= given:
        return []
    matrices, how = _vocabulary_matrices(frame, given)
    vocabulary = EmbeddingShape(d_model=frame["d_model"], vocab_size=frame["vocab_size"], matrices=matrices)
    embedding = vocabulary.parameters
    read = ("d_model", "vocab_size")
    if total in given:
        values = (frame[total] - embedding).where(frame[total] > embedding)
        made, text = non_embedding, f"{non_embedding} = {total} − vocab_size · d_model · matrices, {how}"
    else:
        values, made = frame[non_embedding] + embedding, total
        text = f"{total} = {non_embedding} + vocab_size · d_model · matrices, {how}"
    return [Derivation(made, read, values, text)] if values.notna().any() else []


def _vocabulary_matrices(frame: pd.DataFrame, given: set[str]) -> tuple[pd.Series, str]:
    """1 where tied, 2 where not, NaN where neither is known; and how it is known."""
    if "tied_embeddings" in given:
        words = frame["tied_embeddings"].astype(str).str.strip().str.lower()
        matrices = pd.Series(
            np.select([words.isin(shape_table.TRUE), words.isin(shape_table.FALSE)], [1.0, 2.0], np.nan), frame.index
        )
        return matrices, "by column tied_embeddings"
    if "n_params_total" not in given or not set(SHAPE_FIELDS) <= given:
        return pd.Series(np.nan, frame.index), ""
    miss = [(np.log(frame["n_params_total"] / count_by_shape(frame, matrices))).abs() for matrices in (1, 2)]
    fits = [values < SAME_COUNT for values in miss]
    matrices = pd.Series(np.select([fits[0] & ~fits[1], fits[1] & ~fits[0]], [1.0, 2.0], np.nan), frame.index)
    return matrices, f"taken as tied in {int((matrices == 1).sum())} rows and untied in {int((matrices == 2).sum())}"


def count_by_shape(frame: pd.DataFrame, matrices: int) -> pd.Series:
    """Parameters of this project's decoder with so many vocabulary matrices (0: non-embedding), NaN where unknown."""
    shape = Shape.of_columns(frame)
    return accounting.count_non_embedding_parameters(shape) + matrices * shape.embedding.matrix_parameters
