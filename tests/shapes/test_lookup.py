"""Architectures by name: three ways to say one, and one clear line when it is none."""

import json
from pathlib import Path

import pandas as pd
import pytest

from experiments import time_decode
from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes import lookup

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
    "rope_theta": 500000.0,
    "attention_bias": False,
}
SMALL = "d512-n8-h8-k2-c64-f1536-v50432"


def test_a_config_json_a_public_name_and_a_shape_name_agree(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    a = lookup.resolve("Llama-3.2-1B")
    assert lookup.resolve(str(path)) == a == lookup.resolve(a.name)
    assert time_decode.Config(architectures=(str(path), SMALL)).resolve_architectures() == (
        a,
        Architecture.parse(SMALL),
    )


@pytest.mark.parametrize("name", lookup.PUBLIC_SHAPES)
def test_every_public_shape_reads_back_under_each_of_its_names(name):
    model = lookup.MODELS[name]
    for spec in (name, name.upper(), model.repository, model.name):
        if spec:
            assert lookup.resolve(spec).name == lookup.PUBLIC_SHAPES[name]
            assert lookup.note(spec) == "; ".join(model.family.differs)


def test_a_note_is_empty_where_this_decoder_is_the_model(tmp_path):
    assert lookup.note(SMALL) == lookup.note("Qwen/Qwen3-0.6B") == ""
    assert lookup.note("Qwen/Qwen2.5-0.5B") == "biases on queries, keys and values"
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA | {"attention_bias": True, "mlp_bias": True}))
    assert lookup.note(str(path)) == "biases in attention; biases in the MLP"


@pytest.mark.parametrize(
    ("spec", "nearest"),
    [
        ("lama-3.2-1b", "llama-3.2-1b"),
        ("meta-llama/Llama-3.2-1B-Instruct", "llama-3.2-1b"),
        ("unsloth/Llama-3.2-3B", "llama-3.2-3b"),
        ("llama3-8b", "llama-3-8b"),
        ("qwen2.5:0.5b", "qwen2.5-0.5b"),
        ("google/gemma-3-1b-it", "gemma-3-1b"),
        ("opt1.3b", "opt-1.3b"),
        ("phi2", "phi-2"),
        ("mistral-7b", "mistral-7b-v0.3"),
        ("GPT-2 XL", "gpt2-xl"),
        ("/panda-1b", "panda-1b"),
        ("全", "llama-3.2-1b"),
        ("", "llama-3.2-1b"),
    ],
)
def test_an_unknown_name_is_one_line_that_suggests_the_nearest(spec, nearest):
    with pytest.raises(ValueError, match="unknown architecture") as error:
        lookup.resolve(spec)
    message = str(error.value)
    assert message.startswith(f"{spec!r}: unknown architecture; give a shape such as ")
    assert f"or a public model such as {nearest}, " in message
    assert "\n" not in message


PUBLISHED = pd.read_csv(Path(__file__).resolve().parent.parent.parent / "data" / "bian2025b_models.csv")
NAMES = {"Panda-3B-circ (fit on 1B only)": "panda-3b-circ"}


@pytest.mark.parametrize("row", PUBLISHED.to_dict("records"), ids=PUBLISHED["model"])
def test_the_second_papers_shapes_agree_with_its_tables(row):
    """Fields, the printed MLP-to-attention ratio, and the non-embedding count (the table leaves norm gains out)."""
    a = lookup.resolve(NAMES.get(row["model"], row["model"].lower()))
    for field in ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff"):
        assert getattr(a, field) == row[field]
    gains = (2 * a.n_layers + 1) * a.d_model
    assert accounting.count_non_embedding_parameters(a) - gains == row["n_params_non_embedding"]
    printed = 3.0 if row["model"] == "LLaMA-3.2-3B" else row["mlp_attention_ratio"]  # the paper prints 4.8 and 3.0
    assert accounting.mlp_attention_ratio(a) == pytest.approx(printed, abs=0.01)


def test_a_file_that_is_no_config(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(ValueError, match="no such file"):
        lookup.resolve(str(path))
    for text, message in (
        ("{", "not valid JSON"),
        ("[1]", "must hold a JSON object"),
        ("{}", "model_type is missing"),
        ('{"model_type": "llama"}', "hidden_size is missing"),
        ("[" * 100_000, "not valid JSON"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as error:
            lookup.resolve(str(path))
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)
    folder = tmp_path / "folder.json"
    folder.mkdir()
    with pytest.raises(InputError, match=r"folder\.json/config\.json: no such file"):
        lookup.resolve(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ()}, r"architectures=\(\): must name at least one"),
        ({"architectures": ("lama-3.2-1b",)}, "architectures: 'lama-3.2-1b': unknown architecture.*llama-3.2-1b"),
        ({"architectures": ("d512-n8-h8-k3-c64-f1536-v50432",)}, "n_heads must be divisible"),
        ({"architectures": (SMALL, SMALL)}, "is listed twice"),
        ({"workload": "long"}, "workload='long': must be one of short, bian2025, bian2025b"),
        ({"prompt_tokens": 0}, "prompt_tokens=0"),
        ({"dtype": "int8"}, "dtype='int8'"),
        ({"mode": "stream"}, "mode='stream'"),
        ({"warmup": 0}, "warmup=0: must lie from 1 to"),
        ({"max_repeats": 3}, "max_repeats=3: must be at least repeats=10"),
        ({"relative_error": 0.0}, "relative_error=0.0: must be finite and above zero"),
        ({"max_measure_s": float("nan")}, "max_measure_s=nan: must be finite and above zero"),
    ],
)
def test_a_bad_field_is_one_clear_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        time_decode.Config(**changes)
    assert "\n" not in str(error.value)


def test_a_named_workload_gives_the_lengths_and_fields_override_them():
    loads = time_decode.Config(workload="bian2025b", new_tokens=9, batch=(4, 1)).resolve_workloads("bfloat16")
    load = loads[0]
    assert (load.prompt_tokens, load.new_tokens, load.batch, load.dtype) == (4096, 9, 4, "bfloat16")
    assert time_decode.Config(workload="bian2025", dtype="float32").resolve_workloads("bfloat16")[0].dtype == "float32"


def test_notes_are_a_line_for_each_shape_that_differs_once():
    specs = ["qwen2.5-0.5b", SMALL, "qwen3-0.6b", "qwen2.5-0.5b", "gpt2", "no-such-model"]
    first, second = lookup.notes(specs)
    assert first == "qwen2.5-0.5b: the model itself has biases on queries, keys and values"
    assert second.startswith("gpt2: the model itself has LayerNorm; ")


@pytest.mark.parametrize(
    "spec", ["x" * 100_000, "d" + "1" * 900, "a" * 300 + "/b", "\0", "\0.json", "x" * 999 + ".json"], ids=range(6)
)
def test_a_name_without_bounds_is_one_short_line(spec):
    with pytest.raises(InputError) as error:
        lookup.resolve(spec)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
