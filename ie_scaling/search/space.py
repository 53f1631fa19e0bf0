"""Candidate shapes: those that are named, and grids of all shapes of one size."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import Architecture, Shape
from ie_scaling.errors import InputError
from ie_scaling.laws.observations import Features, features_of
from ie_scaling.search.config import MOST_SHAPES, GridConfig
from ie_scaling.shapes import lookup


@dataclasses.dataclass(frozen=True)
class Space:
    """Candidates, and the size at which their losses are compared.

    Attributes:
      n_params_A: the grid's n_params for its shapes, NaN for shapes that are compared at their own size.
    """

    architectures: list[Architecture]
    n_params_A: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], grid: GridConfig) -> "Space":
        """The named shapes and those of the grid, each once, in that order.

        Raises:
          InputError: a name that means no shape, a grid without shapes, or neither names nor a grid.
        """
        try:
            named = [lookup.resolve(name) for name in names]
        except InputError as error:
            raise InputError(f"candidates: {error}") from None
        of_grid = enumerate_grid(grid) if grid.n_params is not None else []
        if not named and not of_grid:
            raise InputError("candidates: none; name shapes, or give grid.n_params for all shapes of about that size")
        architectures = list(dict.fromkeys(named + of_grid))
        adjusted = set(of_grid) if grid.equal_size else set()
        return cls(architectures, np.array([grid.n_params if a in adjusted else np.nan for a in architectures], float))

    @classmethod
    def own_sizes(cls, architectures: list[Architecture]) -> "Space":
        """Shapes that are compared at their own sizes."""
        return cls(architectures, np.full(len(architectures), np.nan))

    def __len__(self) -> int:
        return len(self.architectures)

    def take(self, index_A: np.ndarray) -> "Space":
        """The candidates at these positions, or where this mask holds."""
        chosen = np.arange(len(self))[index_A]
        return Space([self.architectures[index] for index in chosen], self.n_params_A[chosen])

    def features(self, n_tokens: float) -> Features:
        """What the law reads; parameter counts of the grid's shapes are scaled to n_params exactly."""
        own = features_of(self.architectures, n_tokens)
        scale_A = np.where(np.isnan(self.n_params_A), 1.0, self.n_params_A / own.n_total)
        scaled = {name: getattr(own, name) * scale_A for name in ("n_total", "n_non_embedding", "n_embedding")}
        return dataclasses.replace(own, **scaled)

    @property
    def size_difference_A(self) -> np.ndarray:
        """N / n_params − 1 of the grid's shapes, NaN for others."""
        return accounting.count_parameters(Shape.of(self.architectures)) / self.n_params_A - 1

    def describe_grid(self) -> str:
        """How shapes of one grid are compared; "" where there is none."""
        of_grid = ~np.isnan(self.n_params_A)
        if not of_grid.any():
            return ""
        most = 100 * float(np.abs(self.size_difference_A[of_grid]).max())
        return (
            f"Losses of the grid's {of_grid.sum():,} shapes are those at {self.n_params_A[of_grid][0]:.4g} parameters "
            f"exactly; their own sizes differ from it by {most:.2g} % or less, which the law corrects for."
        )


def enumerate_grid(grid: GridConfig) -> list[Architecture]:
    """Every width, MLP ratio and query group, at the depths that come within the tolerance; widest last.

    With `equal_size`, d_ff is then moved by steps until the size is as near n_params as it can be.

    Raises:
      InputError: no shape comes within the tolerance, or too many do.
    """
    target = grid.n_params or 0.0
    ones = list(_one_layer_shapes(grid))
    depths_A = _depths(ones, grid, target)
    n_shapes = sum(map(len, depths_A))
    if n_shapes > MOST_SHAPES:
        raise InputError(
            f"grid.n_params={target:g}: {n_shapes:,} shapes come within {100 * grid.tolerance:g} % of it, more than "
            f"{MOST_SHAPES:,}; raise width_step, or narrow aspect_ratios or tolerance"
        )
    pairs = zip(ones, depths_A, strict=True)
    shapes = [dataclasses.replace(one, n_layers=n_layers) for one, depths in pairs for n_layers in depths]
    if not shapes:
        raise InputError(f"grid.n_params={target:g}: no shape comes within {100 * grid.tolerance:g} % of it")
    if not grid.equal_size:
        return shapes
    return list(dict.fromkeys(_equalize(shapes, grid, target)))


def _one_layer_shapes(grid: GridConfig) -> Iterator[Architecture]:
    """Width, MLP ratio and query group in one layer."""
    for d_model in range(grid.width_step, grid.max_width + 1, grid.width_step):
        n_heads = max(1, d_model // grid.d_head)
        for ratio in grid.mlp_ratios:
            for group in grid.query_groups:
                if n_heads % group == 0:
                    yield Architecture(
                        d_model=d_model,
                        n_layers=1,
                        n_heads=n_heads,
                        n_kv_heads=n_heads // group,
                        d_head=grid.d_head,
                        d_ff=max(grid.d_ff_step, grid.d_ff_step * round(ratio * d_model / grid.d_ff_step)),
                        vocab_size=grid.vocab_size,
                        tied_embeddings=grid.tied_embeddings,
                    )


def _depths(ones: Sequence[Architecture], grid: GridConfig, target: float) -> list[range]:
    """Depths at which each layer, repeated, comes within the tolerance and the aspect ratios."""
    shape, (low, high) = Shape.of(ones), grid.aspect_ratios
    layer_A = accounting.count_layer_parameters(shape)
    middle_A = (target - (accounting.count_parameters(shape) - layer_A)) / layer_A
    most_A = grid.tolerance * target / layer_A
    first_A = np.maximum(np.ceil(shape.d_model / high), np.ceil(middle_A - most_A)).clip(min=1)
    last_A = np.minimum(np.floor(shape.d_model / low), np.floor(middle_A + most_A))
    return [range(int(first), int(last) + 1) for first, last in zip(first_A, last_A, strict=True)]


def _equalize(shapes: Sequence[Architecture], grid: GridConfig, target: float) -> list[Architecture]:
    """The shapes, each with the d_ff that brings its size nearest to the target."""
    shape, step = Shape.of(shapes), grid.d_ff_step
    missing_A = target - accounting.count_parameters(shape)
    n_steps_A = np.round(missing_A / (shape.n_layers * shape.mlp.parameters_per_d_ff * step))
    d_ff_A = (shape.d_ff + n_steps_A * step).clip(min=step)
    return [dataclasses.replace(a, d_ff=int(d_ff)) for a, d_ff in zip(shapes, d_ff_A, strict=True)]
