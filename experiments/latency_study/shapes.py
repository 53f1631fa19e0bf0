"""Shapes in a study's proportions: of a given width and depth, of a given size, and all aspect ratios of one size."""

import dataclasses
import math
from collections.abc import Sequence

from experiments.latency_study.config import Config
from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.parts import AttentionShape


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Makes the shapes of one study; g and r are its proportions' unless heads are given."""

    config: Config

    def make(self, d_model: int, n_layers: int, n_heads: int, n_kv_heads: int, d_ff: float) -> Architecture:
        """A shape whose d_ff is rounded to the study's multiple, and is one multiple at least."""
        p = self.config.proportions
        return Architecture(
            d_model=d_model,
            n_layers=n_layers,
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
            d_head=p.d_head,
            d_ff=max(1, round(d_ff / p.d_ff_multiple)) * p.d_ff_multiple,
            vocab_size=p.vocab_size,
            tied_embeddings=p.tied_embeddings,
        )

    def of_width(self, field: str, d_model: int, n_layers: int) -> Architecture:
        """The shape of this width and depth whose heads fill the width.

        Raises:
          InputError: naming `field`, no whole number of groups of heads fills the width.
        """
        p = self.config.proportions
        if d_model % p.width_multiple:
            raise InputError(
                f"{field}={d_model}: must be a multiple of d_head·query_group = {p.width_multiple}, "
                "so that whole groups of heads fill it"
            )
        n_heads = d_model // p.d_head
        heads = n_heads, n_heads // p.query_group
        least = self.make(d_model, n_layers, *heads, d_ff=0)
        d_ff = p.mlp_attention_ratio * least.attention.parameters / least.mlp.parameters_per_d_ff
        return self.make(d_model, n_layers, *heads, d_ff)

    def of_size(self, size: float, d_model: int, n_layers: int, n_heads: int, n_kv_heads: int) -> Architecture | None:
        """The shape whose d_ff brings N_non nearest to `size`; None where none comes within the tolerance."""
        least = self.make(d_model, n_layers, n_heads, n_kv_heads, d_ff=0)
        missing = size - accounting.count_non_embedding_parameters(least)
        d_ff = least.d_ff + missing / (n_layers * least.mlp.parameters_per_d_ff)
        if d_ff <= 0:
            return None
        a = self.make(d_model, n_layers, n_heads, n_kv_heads, d_ff)
        error = abs(accounting.count_non_embedding_parameters(a) / size - 1)
        return a if error <= self.config.size_tolerance else None

    def of_aspect_ratios(self, size: int) -> list[Architecture]:
        """`n_aspect_ratios` shapes of this N_non, deepest first, as evenly spaced in ln(d/n) as there are any.

        Raises:
          InputError: there are fewer within the tolerances of size and r and the span of aspect ratios.
        """
        config = self.config
        least, most = config.aspect_ratios
        shapes = [a for a in self._all_of_size(size) if least <= a.aspect_ratio <= most]
        if len(shapes) < config.n_aspect_ratios:
            raise InputError(
                f"n_aspect_ratios={config.n_aspect_ratios}: only {len(shapes)} shapes of {size:,} parameters have "
                f"aspect_ratios={config.aspect_ratios} within size_tolerance={config.size_tolerance} and "
                f"ratio_tolerance={config.ratio_tolerance}"
            )
        return _spread(shapes, config.n_aspect_ratios)

    def _all_of_size(self, size: int) -> list[Architecture]:
        """Every width, each with the depths that come nearest."""
        config, p = self.config, self.config.proportions
        narrow = AttentionShape(d_model=1, n_heads=1, n_kv_heads=1 / p.query_group, d_head=1)
        per_layer = narrow.parameters * (1 + p.mlp_attention_ratio)  # parameters over d², norms left out
        shapes = []
        for d_model in range(p.width_multiple, math.isqrt(int(2 * size / per_layer)) + 1, p.width_multiple):
            depth = size / (per_layer * d_model**2)
            for n_layers in {math.floor(depth), math.ceil(depth)} - {0}:
                n_heads = d_model // p.d_head
                a = self.of_size(size, d_model, n_layers, n_heads, n_heads // p.query_group)
                if a is None:
                    continue
                ratio = accounting.mlp_attention_ratio(a) / p.mlp_attention_ratio
                if abs(ratio - 1) <= config.ratio_tolerance:
                    shapes.append(a)
        return shapes


def _spread(shapes: Sequence[Architecture], count: int) -> list[Architecture]:
    """`count` of them, deepest first: both ends, and those nearest to even steps of ln(d/n) between."""
    left = sorted(shapes, key=lambda a: a.aspect_ratio)
    low, high = (math.log(left[end].aspect_ratio) for end in (0, -1))
    chosen = []
    for index in range(count):
        target = low + (high - low) * index / (count - 1)
        chosen.append(min(left, key=lambda a: abs(math.log(a.aspect_ratio) - target)))
        left.remove(chosen[-1])
    return sorted(chosen, key=lambda a: a.aspect_ratio)
