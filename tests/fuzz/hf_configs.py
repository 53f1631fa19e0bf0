"""Config.json files of public models, damaged: a shape only where every read field is as it was, or one line.

What is added is harmless (the same shape must come), a change of a field that is read, or the mark of another kind of
model (it must be refused); files are also cut, doubled and written in other encodings.
"""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes import lookup
from tests.fuzz.harness import Case

CONFIGS = json.loads((Path(__file__).resolve().parent.parent / "shapes" / "public_configs.json").read_text("utf-8"))
WORDS = (  # a mark of another kind of model: beginnings, middles and ends of names that are made up
    ("num", "n", "total", "use", "is", "has", "max", "my"),
    ("expert", "experts", "moe", "router", "draft", "mtp", "loop", "recurrent", "encoder", "cross_attention", "mamba"),
    ("layers", "size", "heads", "steps", "dim", "depth", "blocks", "per_tok", "config", ""),
)
MARKS = (
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "draft_vocab_size",
    "num_nextn_predict_layers",
    "num_kv_shared_layers",
    "kv_lora_rank",
    "mamba_d_state",
    "conv_kernel",
    "total_ut_steps",
    "num_hidden_groups",
    "num_encoder_layers",
    "hidden_size_per_layer_input",
    "altup_num_inputs",
    "block_configs",
    "reward_dim",
)
CLASSES = ("LlamaForSequenceClassification", "LlamaForCausalLMEagle3", "Qwen2ForProcessRewardModel", "MistralModel")
HARMLESS = {
    "bos_token_id": [1, None, [1, 2], -1],
    "attention_dropout": [0.0, 0.1, "x"],
    "initializer_range": [0.02, 1e-9],
    "torch_dtype": ["float16", None],
    "use_cache": [True, False],
    "rms_norm_eps": [1e-5, 1e-6],
    "transformers_version": ["4.40.1", "5"],
    "_name_or_path": ["a/b", ""],
    "num_experts": [0, 1, None],
    "pruned_heads": [{}],
    "is_encoder_decoder": [False],
    "output_router_logits": [True, False],
}
VALUES = (None, True, False, 0, 1, -1, 7, 2**31, 10**30, 1.5, -0.0, "", "8", "moe", [], [1, 2], {}, {"a": 1}, [[[]]])


def draw(rng: random.Random, folder: Path) -> Case:
    """One of the public configs, damaged in one of the ways, as a file that `lookup` is to read."""
    name = rng.choice(sorted(CONFIGS))
    fields = copy.deepcopy(CONFIGS[name])
    damage = rng.choice(DAMAGES)
    inner = damage in (_per_layer, _as_text, _layers, _mode) or rng.random() < 0.7
    where = fields["text_config"] if "text_config" in fields and inner else fields
    description, expected = damage(rng, where)
    path = folder / "config.json"
    path.write_bytes(_written(rng, fields) if damage is _file else json.dumps(fields).encode())
    whole = lookup.resolve(name)
    return Case(f"{name}: {description}", lambda: _check(str(path), expected, whole))


def _check(path: str, expected: str, whole: Architecture) -> None:
    """Read, and raise an AssertionError (a fault in the harness) where not what is expected came."""
    try:
        got = lookup.resolve(path)
    except InputError as error:
        if expected == "accepted":
            raise AssertionError(f"refused: {error}") from None
        raise
    if expected == "refused":
        raise AssertionError("accepted, though another kind of model")
    if expected in ("same", "accepted") and got != whole:
        raise AssertionError(f"{got.name} instead of {whole.name}")


def _mark(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    made_up = "_".join(word for word in (rng.choice(words) for words in WORDS) if word)
    field = rng.choice((rng.choice(MARKS), made_up))
    fields[field] = rng.choice((2, 8, 64, "8", [1, 2], True, 2.0, {"a": 1}, -3))
    return f"{field}={fields[field]!r}", "refused"


def _class(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    fields["architectures"] = [rng.choice(CLASSES)] + ["LlamaForCausalLM"] * rng.randrange(2)
    return f"architectures={fields['architectures']}", "refused"


def _harmless(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice(sorted(HARMLESS))
    fields[field] = rng.choice(HARMLESS[field])
    return f"{field}={fields[field]!r}", "accepted"


def _unknown(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz_0123456789 é\n") for _ in range(rng.randint(1, 12)))
    fields[f"zz{field}"] = rng.choice(VALUES)
    return f"unknown field zz{field!r}", "same"


def _drop(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice(sorted(fields))
    del fields[field]
    return f"without {field}", "any"


def _retype(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice(sorted(fields))
    fields[field] = rng.choice(VALUES)
    return f"{field}={fields[field]!r}", "any"


def _as_text(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice([name for name, value in fields.items() if type(value) is int])
    fields[field] = rng.choice((str, float, lambda value: [value], lambda value: {"value": value}))(fields[field])
    return f"{field}={fields[field]!r}", "refused" if field in LENGTHS else "any"


LENGTHS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "n_embd")


def _alias(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice(("n_layer", "n_layers", "num_layers", "n_head", "d_model", "ffn_dim", "kv_channels", "dim"))
    before = fields.get(field)
    fields[field] = 12345
    return f"{field}=12345, before {before}", "any" if before is not None else "refused"


def _huge(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice(sorted(fields))
    fields[field] = rng.choice((10**400, 10**4200, -(10**50), 2**31, 1e308))
    return f"{field} is huge", "any"


def _nest(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    value: Any = 1
    for _ in range(rng.choice((3, 40, 60, 400))):
        value = {"a": value} if rng.random() < 0.5 else [value]
    fields[rng.choice((*sorted(fields), "nested_thing"))] = value
    return "deep nesting", "any"


def _layers(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    n_layers = fields.get("num_hidden_layers", 4)
    kinds = ["full_attention"] * (n_layers - 1) + [rng.choice(("linear_attention", "conv", "mamba", 3, None))]
    fields["layer_types"] = kinds
    return f"layer_types end in {kinds[-1]!r}", "refused"


def _mode(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    change = rng.choice(({"is_encoder_decoder": True}, {"add_cross_attention": True}, {"is_causal": False}))
    fields.update(change)
    return str(change), "refused"


def _model_type(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    fields["model_type"] = rng.choice(
        ("mixtral", "mamba", "t5", "LLAMA", "", 3, None, ["llama"], "qwen3_moe", "gemma3n")
    )
    return f"model_type={fields['model_type']!r}", "any" if fields["model_type"] is None else "refused"


def _per_layer(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    field = rng.choice([name for name in LENGTHS if name in fields])
    fields[field] = [fields[field]] * rng.choice((1, 4))
    return f"{field} is a list", "refused"


def _quantized(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    fields["quantization_config"] = rng.choice(({"quant_method": "gptq"}, {}, {"quant_method": 3}, {"bits": [4]}))
    return f"quantization_config={fields['quantization_config']}", "same"


def _file(rng: random.Random, fields: dict[str, Any]) -> tuple[str, str]:
    return "a damaged file", "any"


def _written(rng: random.Random, fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode()[: rng.randrange(len(text))],
        lambda: text.encode("utf-16"),
        lambda: b"\xef\xbb\xbf" + text.encode(),
        lambda: text.replace('"', "'").encode(),
        lambda: text.replace(": ", ": NaN, ", 1).encode(),
        lambda: (text[:-1] + ', "model_type": "llama"}').encode(),
        lambda: text.encode() * 2,
        lambda: b"\0" * rng.randrange(100),
        lambda: b"[" * rng.choice((10, 100_000)),
        lambda: bytes(rng.randrange(256) for _ in range(50)),
        lambda: (text[:-1] + ', "vocab_size2": 1e999}').encode(),
        lambda: (text[:-1] + ', "z": ' + "9" * rng.choice((30, 41, 400, 5000)) + "}").encode(),
    )
    return rng.choice(ways)()


DAMAGES = (
    _mark,
    _class,
    _harmless,
    _unknown,
    _drop,
    _retype,
    _as_text,
    _alias,
    _huge,
    _nest,
    _layers,
    _mode,
    _model_type,
    _per_layer,
    _quantized,
    _file,
)
