"""Candidate shapes: those that are named, and grids of all shapes of about one size."""

from collections.abc import Sequence

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.search.config import GridConfig
from ie_scaling.shapes import lookup


def candidates(names: Sequence[str], grid: GridConfig) -> list[Architecture]:
    """The named shapes and those of the grid, each once, in that order.

    Raises:
      ValueError: a name that means no shape, a grid without shapes, or neither names nor a grid.
    """
    found = [lookup.resolve(name) for name in names]
    if grid.n_params is not None:
        found += enumerate_grid(grid)
    if not found:
        raise ValueError("candidates: none; name shapes, or give grid.n_params for all shapes of about that size")
    return list(dict.fromkeys(found))


def enumerate_grid(grid: GridConfig) -> list[Architecture]:
    """Every width, MLP ratio and query group, at the depth that comes nearest to the size; widest last.

    Raises:
      ValueError: no shape comes within the tolerance.
    """
    target, (low, high) = grid.n_params or 0.0, grid.aspect_ratios
    found = []
    for d_model in range(grid.width_step, grid.max_width + 1, grid.width_step):
        n_heads = max(1, d_model // grid.d_head)
        for ratio in grid.mlp_ratios:
            d_ff = max(64, 64 * round(ratio * d_model / 64))
            for group in grid.query_groups:
                if n_heads % group:
                    continue
                one = Architecture(
                    d_model=d_model,
                    n_layers=1,
                    n_heads=n_heads,
                    n_kv_heads=n_heads // group,
                    d_head=grid.d_head,
                    d_ff=d_ff,
                    vocab_size=grid.vocab_size,
                    tied_embeddings=grid.tied_embeddings,
                )
                rest = accounting.count_embedding_parameters(one) + d_model
                layer = accounting.count_non_embedding_parameters(one) - d_model
                middle = (target - rest) / layer
                for n_layers in range(
                    int(np.ceil(middle - grid.tolerance * target / layer)),
                    int(np.floor(middle + grid.tolerance * target / layer)) + 1,
                ):
                    if n_layers >= 1 and low <= d_model / n_layers <= high:
                        found.append(Architecture.from_fields(one.to_fields() | {"n_layers": n_layers}))
    if not found:
        raise ValueError(f"grid.n_params={target:g}: no shape comes within {100 * grid.tolerance:g} % of it")
    return found
