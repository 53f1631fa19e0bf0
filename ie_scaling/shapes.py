"""Architectures by name: a shape's own, a public model's, or the path of a Hugging Face config.json (no JAX here)."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ie_scaling import files
from ie_scaling.architecture import DEFAULT_ROPE_BASE, Architecture

# Only models that this decoder reproduces exactly: RMSNorm, rotary, SwiGLU, no biases. The Llama-3.2 shapes agree with
# data/bian2025b_models.csv, where [B25b] trained them again; the others are still to be checked against the models' own
# config.json. Panda and Surefire [B25b]: d_model, n_layers, d_ff and GQA as printed; heads derived from those, r and a
# d_head of 64 (1B) or 128 (3B), which gives every printed r and d_model/√N back; vocabulary, tied embeddings and rotary
# base assumed as in Llama-3.2. panda-3b-circ is the paper's Panda-3B°, chosen by the fit to the 1B runs alone. The
# Morph models [B25] had LayerNorm.
PUBLIC_SHAPES = {
    "llama-2-7b": "d4096-n32-h32-k32-c128-f11008-v32000",
    "llama-3.1-8b": "d4096-n32-h32-k8-c128-f14336-v128256-rope500000",
    "llama-3.2-1b": "d2048-n16-h32-k8-c64-f8192-v128256-tied-rope500000",
    "llama-3.2-3b": "d3072-n28-h24-k8-c128-f8192-v128256-tied-rope500000",
    "qwen3-0.6b": "d1024-n28-h16-k8-c128-f3072-v151936-tied-qknorm-rope1e+06",
    "qwen3-1.7b": "d2048-n28-h16-k8-c128-f6144-v151936-tied-qknorm-rope1e+06",
    "qwen3-4b": "d2560-n36-h32-k8-c128-f9728-v151936-tied-qknorm-rope1e+06",
    "smollm2-135m": "d576-n30-h9-k3-c64-f1536-v49152-tied-rope100000",
    "smollm2-360m": "d960-n32-h15-k5-c64-f2560-v49152-tied-rope100000",
    "smollm2-1.7b": "d2048-n24-h32-k32-c64-f8192-v49152-tied-rope130000",
    "tinyllama-1.1b": "d2048-n22-h32-k4-c64-f5632-v32000",
    "panda-1b": "d2560-n16-h72-k18-c64-f4096-v128256-tied-rope500000",
    "surefire-1b": "d2560-n16-h36-k4-c64-f6144-v128256-tied-rope500000",
    "panda-3b": "d4096-n28-h36-k12-c128-f4096-v128256-tied-rope500000",
    "panda-3b-circ": "d4096-n28-h33-k11-c128-f4608-v128256-tied-rope500000",
    "surefire-3b": "d4096-n28-h42-k6-c128-f4096-v128256-tied-rope500000",
    "morph-1b": "d3072-n12-h16-k16-c192-f8192-v50432",
    "morph-1b-v1": "d2048-n24-h16-k16-c128-f5632-v50432",
    "morph-1b-v2": "d2560-n16-h16-k16-c160-f6912-v50432",
}
_HF_FIELDS = {
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "d_ff": "intermediate_size",
    "vocab_size": "vocab_size",
}
_HF_MODELS = {"llama": False, "mistral": False, "qwen3": True}  # model_type -> qk-norm


def resolve(spec: str) -> Architecture:
    """The architecture that `spec` means.

    Args:
      spec: `Architecture.name`, a key of PUBLIC_SHAPES, or a path that ends in .json.

    Raises:
      ValueError: none of the three (the nearest public names are suggested), or a file that is no such config.
    """
    if spec.endswith(".json"):
        return from_hugging_face(files.read_json(Path(spec)), spec)
    if spec.lower() in PUBLIC_SHAPES:
        return Architecture.parse(PUBLIC_SHAPES[spec.lower()])
    try:
        return Architecture.parse(spec)
    except ValueError as error:
        if "expected a name" not in str(error):  # well formed, with a rule broken
            raise ValueError(f"{spec!r}: {error}") from None
    near = difflib.get_close_matches(spec.lower(), PUBLIC_SHAPES, n=3, cutoff=0.4) or PUBLIC_SHAPES
    raise ValueError(
        f"{spec!r}: unknown architecture; give a shape such as d512-n8-h8-k2-c64-f1536-v50432, the path of a "
        f"config.json, or a public model such as {', '.join(near)}"
    )


def from_hugging_face(fields: Any, source: str = "config.json") -> Architecture:
    """The shape in a Hugging Face config (LlamaConfig's fields); `head_dim` is honoured where given.

    Raises:
      ValueError: a field missing or of the wrong kind, or a feature that this decoder lacks.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"{source}: must hold a JSON object")
    model_type = fields.get("model_type", "llama")
    if model_type not in _HF_MODELS:
        raise ValueError(f"{source}: model_type={model_type!r}: must be one of {', '.join(_HF_MODELS)}")
    for bias in ("attention_bias", "mlp_bias"):
        if fields.get(bias):
            raise ValueError(f"{source}: {bias}={fields[bias]!r}: must be false; this decoder has no biases")
    for name in _HF_FIELDS.values():
        if name not in fields:
            raise ValueError(f"{source}: {name} is missing")
    shape = {field: fields[name] for field, name in _HF_FIELDS.items()}
    heads = shape["n_heads"]
    shape["n_kv_heads"] = heads if fields.get("num_key_value_heads") is None else fields["num_key_value_heads"]
    rope = fields.get("rope_parameters") or {}
    base = fields.get("rope_theta") or (rope.get("rope_theta") if isinstance(rope, Mapping) else None)
    try:
        if fields.get("head_dim") is None:
            if shape["d_model"] % heads:
                raise ValueError(f"hidden_size={shape['d_model']}: not divisible by {heads} heads, and no head_dim")
            shape["d_head"] = shape["d_model"] // heads
        else:
            shape["d_head"] = fields["head_dim"]
        return Architecture(
            **shape,
            tied_embeddings=fields.get("tie_word_embeddings", False),
            qk_norm=_HF_MODELS[model_type],
            rope_base=base or DEFAULT_ROPE_BASE,
        )
    except (TypeError, ZeroDivisionError):
        raise ValueError(f"{source}: hidden_size and num_attention_heads must be integers above zero") from None
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
