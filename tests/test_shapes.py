"""Architectures by name: three ways to say one, and one clear line when it is none."""

import json
from pathlib import Path

import pandas as pd
import pytest

from ie_scaling import accounting, shapes
from ie_scaling.architecture import Architecture
from ie_scaling.latency.config import TimeDecodeConfig

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
    a = shapes.resolve("Llama-3.2-1B")
    assert shapes.resolve(str(path)) == a == shapes.resolve(a.name)
    assert TimeDecodeConfig(architectures=(str(path), SMALL)).resolve_architectures() == (a, Architecture.parse(SMALL))


@pytest.mark.parametrize("name", shapes.PUBLIC_SHAPES)
def test_every_public_shape_reads_back(name):
    assert shapes.resolve(name).name == shapes.PUBLIC_SHAPES[name]


PUBLISHED = pd.read_csv(Path(__file__).resolve().parent.parent / "data" / "bian2025b_models.csv")
NAMES = {"Panda-3B-circ (fit on 1B only)": "panda-3b-circ"}


@pytest.mark.parametrize("row", PUBLISHED.to_dict("records"), ids=PUBLISHED["model"])
def test_the_second_papers_shapes_agree_with_its_tables(row):
    """Fields, the printed MLP-to-attention ratio, and the non-embedding count (the table leaves norm gains out)."""
    a = shapes.resolve(NAMES.get(row["model"], row["model"].lower()))
    for field in ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff"):
        assert getattr(a, field) == row[field]
    gains = (2 * a.n_layers + 1) * a.d_model
    assert accounting.count_non_embedding_parameters(a) - gains == row["n_params_non_embedding"]
    printed = 3.0 if row["model"] == "LLaMA-3.2-3B" else row["mlp_attention_ratio"]  # the paper prints 4.8 and 3.0
    assert accounting.mlp_attention_ratio(a) == pytest.approx(printed, abs=0.01)


def test_head_width_and_kv_heads_default_as_in_llama():
    fields = {
        key: value for key, value in LLAMA.items() if key not in ("head_dim", "num_key_value_heads", "rope_theta")
    }
    a = shapes.from_hugging_face(fields | {"rope_parameters": {"rope_theta": 7e5}})
    assert (a.d_head, a.n_kv_heads, a.rope_base) == (64, 32, 7e5)
    assert shapes.from_hugging_face(LLAMA | {"head_dim": 128}).d_head == 128  # not hidden_size / heads
    assert shapes.from_hugging_face(LLAMA | {"model_type": "qwen3"}).qk_norm


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt_neox"}, "model_type='gpt_neox': must be one of llama"),
        ({"attention_bias": True}, "attention_bias=True: must be false"),
        ({"hidden_size": "2048"}, "d_model='2048': must be an integer"),
        ({"hidden_size": 2050, "head_dim": None}, "hidden_size=2050: not divisible by 32 heads"),
        ({"num_attention_heads": 0, "head_dim": None}, "integers above zero"),
        ({"hidden_size": None, "head_dim": None}, "integers above zero"),
        ({"num_attention_heads": 30}, "n_heads must be divisible by n_kv_heads"),
        ({"rope_theta": "big"}, "rope_base='big'"),
        ({"tie_word_embeddings": None}, "tied_embeddings=None"),
    ],
)
def test_a_malformed_config_is_one_clear_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        shapes.from_hugging_face(LLAMA | change, "some/config.json")
    assert str(error.value).startswith("some/config.json: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_config(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(ValueError, match="no such file"):
        shapes.resolve(str(path))
    for text, message in (
        ("{", "not valid JSON"),
        ("[1]", "must hold a JSON object"),
        ("{}", "hidden_size is missing"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            shapes.resolve(str(path))


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
        ({"warmup": 0}, "warmup=0: must be at least 1"),
        ({"max_repeats": 3}, "max_repeats=3: must be at least 10"),
        ({"relative_error": 0.0}, "relative_error=0.0: must be above zero"),
        ({"max_measure_s": float("nan")}, "max_measure_s=nan: must be above zero"),
    ],
)
def test_a_bad_field_is_one_clear_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        TimeDecodeConfig(**changes)
    assert "\n" not in str(error.value)


def test_a_named_workload_gives_the_lengths_and_fields_override_them():
    loads = TimeDecodeConfig(workload="bian2025b", new_tokens=9, batch=(4, 1)).resolve_workloads("bfloat16")
    load = loads[0]
    assert (load.prompt_tokens, load.new_tokens, load.batch, load.dtype) == (4096, 9, 4, "bfloat16")
    assert TimeDecodeConfig(workload="bian2025", dtype="float32").resolve_workloads("bfloat16")[0].dtype == "float32"
