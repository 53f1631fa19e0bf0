"""Small architectures, one of each family; every dimension another number, so that a transposed axis cannot pass."""

import jax
import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.model import transformer


def shape(n_heads, n_kv_heads, **changes):
    fields = {"d_model": 19, "n_layers": 2, "d_head": 14, "d_ff": 31, "vocab_size": 37}
    return Architecture(**(fields | {"n_heads": n_heads, "n_kv_heads": n_kv_heads} | changes))


FAMILIES = {
    "gqa": shape(10, 5),
    "mqa": shape(5, 1),
    "mha": shape(5, 5),
    "square": shape(6, 2, d_model=24, d_head=4),
    "tied": shape(10, 2, tied_embeddings=True),
    "qk_norm": shape(10, 5, qk_norm=True, rope_base=500_000.0),
    "one_layer": shape(2, 2, n_layers=1),
}


def draw_parameters(a, seed, scale=0.3):
    """Parameters of the right shapes, made without compiling, with gains that are not all one."""
    generator = np.random.default_rng(seed)

    def draw(leaf):
        if leaf.shape[-1] in (a.d_model, a.d_head) and leaf.ndim <= 2 and a.vocab_size not in leaf.shape:
            return generator.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        return (scale * generator.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree.map(lambda leaf: jax.device_put(draw(leaf)), transformer.abstract_parameters(a))
