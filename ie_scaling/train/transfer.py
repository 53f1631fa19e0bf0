"""CompleteP: learning rate, init, decay and epsilon of each parameter from a tuned shape, the forward pass unchanged.

A rate tuned at the shape `base` is carried to another width and depth by the parametrization of Dey et al. 2025
(arXiv 2505.01618) at alpha = 1: muP (Yang et al. 2022, arXiv 2203.03466) for the width, residual branches times 1/depth
for the depth. It is written there with multipliers s in the forward pass. A plain Llama has none, so they are folded
into the weights: with W' = s·W the forward pass is the same and dL/dW = s·dL/dW', so AdamW on W with learning rate η,
decay λ and epsilon ε moves W' exactly as

    init' = s·init,   η' = s·η,   λ' = λ/s  (so that η'λ' = ηλ),   gradient' = s·gradient

with Adam and its ε untouched (abc-symmetry: Yang and Littwin 2023, arXiv 2308.01814). A rule ε → ε/e is gradient·e, as
m/(√v + ε/e) = e·m/(√(e²v) + ε). So each group of parameters needs four numbers, all 1 at the base shape.

With the ratios to the base m (d_model), q (n_heads·d_head), f (d_ff), c (d_head) and n (n_layers), before folding:

    group                    s        init std   η      ε            why
    embedding                1        1          1      1/m          one-hot input: fan-in does not grow
    query                    c^-1/2   (fan-in)   1/m    1/(m·n)      q·k/√d_head · c^-1/2: logits as 1/d_head
    key, value, gate, up     1        (fan-in)   1/m    1/(m·n)      hidden matrix: η over fan-in
    output                   1/n      (fan-in)   1/q    1/(m·n)      residual branch times 1/n
    down                     1/n      (fan-in)   1/f    1/(m·n)      residual branch times 1/n
    gains within layers      1        1          1      1/(m·n)      η·n^(alpha-1)
    final norm               1        1          1      1/m
    unembedding              1/m      1          1      1/m          logits times 1/m
    tied: final norm         1/m      1          1      1/m          the embedding is shared, so its gain takes s
    qk_norm: query norm      c^-1/2   1          1      1/(m·n)      the norm undoes s in the query, so its gain takes s

"(fan-in)" is std ∝ fan-in^-1/2; the others keep the base's std. Decay before folding is λ over η's factor.
`transformer.init` already gives every matrix fan-in^-1/2 (and output and down a further (2·n_layers)^-1/2 where the
table keeps the base's), so the init scale is s times what is missing: m^1/2 for unembedding and tied embedding, n^1/2
for output and down.

Of this table, η, λ and ε agree with two public implementations of CompleteP (ε/m outside the layers, ε/(m·n) inside,
λ·m for hidden matrices), in which all widths grow together. Taking fan-ins apart (q and f beside m) is muP's rule for a
matrix of any shape; m for ε where they differ is a choice. The paper's own table was not at hand. The global norm is
clipped before the gradients are scaled; it is a norm of W', so that CompleteP does not make it constant.
"""

import dataclasses
from typing import Any

import jax

from ie_scaling.architecture import Architecture
from ie_scaling.model import transformer
from ie_scaling.running.config import require
from ie_scaling.shapes import lookup
from ie_scaling.train.config import OptimizerConfig, Transfer


@dataclasses.dataclass(frozen=True)
class Scales:
    """A factor on each parameter's fresh value, update, decay and gradient, as trees like the parameters.

    `gradient` applies after clipping and before Adam.
    """

    init: Any
    learning_rate: Any
    decay: Any
    gradient: Any


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a group of parameters needs in the explicit parametrization, as ratios to the base shape.

    Attributes:
      multiplier: s, in front of the parameter in the forward pass.
      learning_rate: on η; decay is its inverse.
      epsilon: ε over this.
      init: what `transformer.init` lacks of the rule's standard deviation.
    """

    multiplier: float = 1.0
    learning_rate: float = 1.0
    epsilon: float = 1.0
    init: float = 1.0


def rules(a: Architecture, base: Architecture) -> dict[str, Rule]:
    """Ending of a parameter's name -> its rule, the first that fits; the table above."""
    m, n, c = a.d_model / base.d_model, a.n_layers / base.n_layers, a.d_head / base.d_head
    q, f = a.attention.query_width / base.attention.query_width, a.d_ff / base.d_ff
    hidden = Rule(learning_rate=1 / m, epsilon=m * n)
    query_gain, query = (c**-0.5, 1.0) if a.qk_norm else (1.0, c**-0.5)
    return {
        "embedding": Rule(epsilon=m, init=m**0.5 if a.tied_embeddings else 1.0),
        "unembedding": Rule(multiplier=1 / m, epsilon=m, init=m**0.5),
        "final_norm.gain": Rule(multiplier=1 / m if a.tied_embeddings else 1.0, epsilon=m),
        "query.kernel": dataclasses.replace(hidden, multiplier=query),
        "key.kernel": hidden,
        "value.kernel": hidden,
        "gate.kernel": hidden,
        "up.kernel": hidden,
        "output.kernel": Rule(multiplier=1 / n, learning_rate=1 / q, epsilon=m * n, init=n**0.5),
        "down.kernel": Rule(multiplier=1 / n, learning_rate=1 / f, epsilon=m * n, init=n**0.5),
        "query_norm.gain": Rule(multiplier=query_gain, epsilon=m * n),
        "gain": Rule(epsilon=m * n),
    }


def scales(a: Architecture, config: OptimizerConfig) -> Scales | None:
    """The folded factors of every parameter, or None where config.transfer is "constant".

    Raises:
      InputError: the base shape has other ties or norms, so that there is nothing to carry over.
    """
    if config.transfer == Transfer.CONSTANT:
        return None
    base = lookup.resolve(config.base)
    for field in ("tied_embeddings", "qk_norm"):
        rule = f"must have {field}={getattr(a, field)} as {a.name} has"
        require(getattr(base, field) == getattr(a, field), "optimizer.base", config.base, rule)
    table = rules(a, base)
    ruled = jax.tree.map_with_path(lambda path, _: _rule_of(path, table), transformer.abstract_parameters(a))
    return Scales(
        init=jax.tree.map(lambda rule: rule.multiplier * rule.init, ruled),
        learning_rate=jax.tree.map(lambda rule: rule.multiplier * rule.learning_rate, ruled),
        decay=jax.tree.map(lambda rule: 1 / (rule.multiplier * rule.learning_rate), ruled),
        gradient=jax.tree.map(lambda rule: rule.multiplier * rule.epsilon, ruled),
    )


def scale_init(parameters: transformer.Parameters, scales: Scales | None) -> transformer.Parameters:
    """Fresh parameters as the transfer rule wants them."""
    if scales is None:
        return parameters
    return jax.tree.map(lambda leaf, scale: (scale * leaf).astype(leaf.dtype), parameters, scales.init)


def _rule_of(path: tuple, table: dict[str, Rule]) -> Rule:
    name = ".".join(str(entry.key) for entry in path)
    for ending, rule in table.items():
        if name == ending or name.endswith("." + ending):
            return rule
    raise KeyError(f"no transfer rule for parameter {name}")
