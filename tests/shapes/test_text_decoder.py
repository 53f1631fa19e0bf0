"""Configs for text and images give the shape of their text decoder, by the fields of transformers' classes."""

import json
from pathlib import Path

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import hugging_face, lookup

CONFIGS = json.loads((Path(__file__).resolve().parent / "public_configs.json").read_text(encoding="utf-8"))
GEMMA = CONFIGS["gemma-3-4b"]
VISION = "a vision encoder, left out"
MISTRAL_3 = {
    "model_type": "mistral3",
    "architectures": ["Mistral3ForConditionalGeneration"],
    "image_token_index": 10,
    "multimodal_projector_bias": False,
    "projector_hidden_act": "gelu",
    "spatial_merge_size": 2,
    "text_config": {
        "model_type": "ministral3",
        "head_dim": 128,
        "hidden_size": 3072,
        "intermediate_size": 9216,
        "num_attention_heads": 32,
        "num_hidden_layers": 26,
        "num_key_value_heads": 8,
        "rope_parameters": {"rope_theta": 1e6, "rope_type": "yarn", "llama_4_scaling_beta": 0.1},
        "sliding_window": None,
        "tie_word_embeddings": True,
        "vocab_size": 131072,
    },
    "vision_config": {"hidden_size": 1024},
    "vision_feature_layer": -1,
}
LLAMA_4 = {
    "model_type": "llama4",
    "architectures": ["Llama4ForConditionalGeneration"],
    "text_config": {
        "model_type": "llama4_text",
        "hidden_size": 5120,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "num_hidden_layers": 48,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 202048,
        "attention_chunk_size": None,
        "moe_layers": [],
        "num_local_experts": 16,
        "num_experts_per_tok": 1,
        "no_rope_layers": [1, 1, 1, 0] * 12,
    },
    "vision_config": {},
}
QWEN_VL = {name: value for name, value in CONFIGS["qwen2.5-3b"].items() if name != "model_type"} | {
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}
}


def nested(config, **changes):
    return config | {"text_config": config["text_config"] | changes}


def test_fields_that_a_gemma_3_leaves_out_are_those_of_transformers():
    """As google/gemma-3-4b-pt has it: what equals the default of Gemma3TextConfig is absent."""
    kept = ("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "sliding_window", "rope_scaling")
    sparse = GEMMA | {"text_config": {name: GEMMA["text_config"][name] for name in kept}}
    a, differs = hugging_face.read(sparse)
    assert a == lookup.resolve("gemma-3-4b")
    assert any("num_attention_heads=8, num_key_value_heads=4, head_dim=256, vocab_size=262208" in d for d in differs)


def test_a_mistral_3_gives_its_text_decoder():
    a, differs = hugging_face.read(MISTRAL_3)
    assert a.name == "d3072-n26-h32-k8-c128-f9216-v131072-tied-rope1e+06"
    assert differs == ("rescaled rotary frequencies", "attention scaled by position", VISION)


def test_a_dense_llama_4_is_read_and_one_with_experts_refused():
    a, differs = hugging_face.read(LLAMA_4)
    assert a.name == "d5120-n48-h40-k8-c128-f16384-v202048-rope500000"
    assert VISION in differs
    assert "query and key norms without gains" in differs
    for change in ({"moe_layers": [1, 3]}, {"moe_layers": None}, {"moe_layers": None, "interleave_moe_layer_step": 2}):
        with pytest.raises(InputError, match="mixture of experts"):
            hugging_face.read(nested(LLAMA_4, **change))


@pytest.mark.parametrize("version", ["qwen2_vl", "qwen2_5_vl"])
def test_a_flat_qwen_vl_and_a_nested_one_give_the_same_shape(version):
    flat = QWEN_VL | {"model_type": version, "vision_config": {"depth": 32}, "vision_start_token_id": 151652}
    deep = {"model_type": version, "text_config": QWEN_VL | {"model_type": f"{version}_text"}, "vision_config": {}}
    assert hugging_face.read(flat) == hugging_face.read(deep)
    a, differs = hugging_face.read(flat)
    assert a == lookup.resolve("qwen2.5-3b")
    assert "rotary positions of time, height and width" in differs


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GEMMA | {"text_config": None}, "text_config=None: must be an object"),
        (nested(GEMMA, model_type="t5"), "text_config.model_type='t5': must be one of gemma3_text"),
        (GEMMA | {"architectures": ["Gemma3ForSequenceClassification"]}, "another kind of model"),
        (nested(GEMMA, num_experts=8), "num_experts=8: means a mixture of experts"),
        (GEMMA | {"num_experts": 8}, "num_experts=8: means a mixture of experts"),
        (GEMMA | {"hidden_size": 999}, "hidden_size=999: contradicts what the other fields say, 2560"),
        (nested(GEMMA, tie_word_embeddings=True) | {"tie_word_embeddings": False}, "tie_word_embeddings=False: contra"),
        (nested(GEMMA, use_bidirectional_attention=True), "use_bidirectional_attention=True: means an encoder"),
        (nested(GEMMA, num_attention_heads="8"), "num_attention_heads='8': must be an integer"),
        ({"model_type": "qwen2_vl"}, "num_key_value_heads is missing"),
    ],
)
def test_what_a_nested_config_may_not_say(config, message):
    with pytest.raises(InputError, match=message) as error:
        hugging_face.read(config, "c.json")
    assert str(error.value).startswith("c.json: ")


def test_the_fields_that_every_config_has_change_nothing():
    """An old text_config holds all defaults of transformers' PretrainedConfig."""
    common = dict.fromkeys(("return_dict", "is_encoder_decoder", "is_decoder", "add_cross_attention"), False)
    common |= dict.fromkeys(("output_attentions", "torchscript", "use_bfloat16", "do_sample", "output_scores"), False)
    common |= dict.fromkeys(("torch_dtype", "cross_attention_hidden_size", "bad_words_ids", "problem_type"))
    common |= {
        "num_beams": 1,
        "num_beam_groups": 1,
        "top_k": 50,
        "no_repeat_ngram_size": 0,
        "chunk_size_feed_forward": 0,
    }
    common |= {"pruned_heads": {}, "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "task_specific_params": None}
    assert hugging_face.read(nested(GEMMA, **common)) == hugging_face.read(GEMMA)
