"""CompleteP written out: multipliers in the forward pass, a hand-written AdamW with its factors for each parameter.

What `train.transfer` folds into plain weights; tests compare the two.
"""

import functools

import jax
import jax.numpy as jnp

from ie_scaling.model import layers


def forward(a, parameters, token_BT, branch=1.0, logits=1.0, attention=1.0):
    """Logits (B,T,V) and the residual stream (B,T,M) before the final norm.

    Args:
      branch, logits: multiply each residual branch and the logits.
      attention: multiplies 1/√d_head.
    """
    position_T = jnp.arange(token_BT.shape[1])

    def layer(x_BTM, w):
        h_BTM = layers.rms_norm(x_BTM, w["attention_norm"]["gain"])
        q, k, v = (
            jnp.einsum("BTM,MHC->BTHC", h_BTM, w["attention"][name]["kernel"]) for name in ("query", "key", "value")
        )
        if a.qk_norm:
            q = layers.rms_norm(q, w["attention"]["query_norm"]["gain"])
            k = layers.rms_norm(k, w["attention"]["key_norm"]["gain"])
        q, k = (layers.rotate(x, position_T, a.rope_base) for x in (q, k))
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True, scale=attention * a.d_head**-0.5)
        x_BTM = x_BTM + branch * jnp.einsum("BTHC,HCM->BTM", mixed, w["attention"]["output"]["kernel"])
        h_BTM = layers.rms_norm(x_BTM, w["mlp_norm"]["gain"])
        h_BTF = jax.nn.silu(h_BTM @ w["mlp"]["gate"]["kernel"]) * (h_BTM @ w["mlp"]["up"]["kernel"])
        return x_BTM + branch * (h_BTF @ w["mlp"]["down"]["kernel"]), None

    x_BTM, _ = jax.lax.scan(layer, parameters["embedding"][token_BT], parameters["layers"])
    out_MV = parameters["embedding"].T if a.tied_embeddings else parameters["unembedding"]
    return logits * (layers.rms_norm(x_BTM, parameters["final_norm"]["gain"]) @ out_MV), x_BTM


@functools.partial(jax.jit, static_argnums=0)
@functools.partial(jax.vmap, in_axes=(None, 0, 0, 0))
def gradients(a, parameters, token_BT1, multipliers):
    """For each of several models stacked: the gradient of its mean cross-entropy, its logits and its residual stream.

    Args:
      multipliers: (branch, logits, attention) of each, as in `forward`.
    """

    def loss(parameters):
        logits_BTV, x_BTM = forward(a, parameters, token_BT1[:, :-1], *multipliers)
        chosen_BT = jnp.take_along_axis(logits_BTV, token_BT1[:, 1:, None], axis=-1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(logits_BTV, axis=-1) - chosen_BT), (logits_BTV, x_BTM)

    gradient, (logits_BTV, x_BTM) = jax.grad(loss, has_aux=True)(parameters)
    return gradient, logits_BTV, x_BTM


def adamw(config, gradients, parameters, moments, step, factors):
    """One step of AdamW; factors(path) -> (on the rate, on the decay, on epsilon). Returns parameters and moments."""
    beta1, beta2 = config.beta1, config.beta2
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, moments[0], gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g**2, moments[1], gradients)

    def move(path, w, m, v):
        rate, decay, epsilon = factors(path)
        m, v = m / (1 - beta1**step), v / (1 - beta2**step)
        direction = m / (jnp.sqrt(v) + config.epsilon * epsilon)
        decayed = 0.0 if path[-1].key == "gain" else config.weight_decay * decay
        return w - config.learning_rate * rate * (direction + decayed * w)

    return jax.tree.map_with_path(move, parameters, first, second), (first, second)
