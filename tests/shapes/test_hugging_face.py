"""Configs of public models give their shapes; whatever JSON comes gives a shape or one clear line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes import hugging_face, lookup
from ie_scaling.shapes.dialects import DIALECTS
from ie_scaling.shapes.public_models import MODELS
from tests.test_architecture import architectures

# Of each model the fields that decide, as the sources of public_models.SOURCES print them.
CONFIGS = json.loads((Path(__file__).resolve().parent / "public_configs.json").read_text(encoding="utf-8"))
LLAMA = CONFIGS["llama-3.2-1b"]
CASES = Path(__file__).resolve().parent.parent / "cases"


@pytest.mark.parametrize("name", CONFIGS)
def test_a_public_models_config_gives_its_row_of_the_table(name):
    architecture, differs = hugging_face.read(CONFIGS[name])
    assert architecture == lookup.resolve(name)
    assert sorted(differs) == sorted(MODELS[name].family.differs)


def test_every_model_type_that_is_read_has_such_a_model():
    elsewhere = {"llama4_text", "ministral3"}  # tests/shapes/test_text_decoder.py
    assert {fields["model_type"] for fields in CONFIGS.values()} == set(DIALECTS) - elsewhere | {"gemma3"}


def test_absent_fields_are_those_of_transformers():
    absent = ("head_dim", "num_key_value_heads", "rope_theta", "rope_scaling")
    fields = {key: value for key, value in LLAMA.items() if key not in absent}
    a, differs = hugging_face.read(fields | {"rope_parameters": {"rope_theta": 7e5, "rope_type": "default"}})
    assert (a.d_head, a.n_kv_heads, a.rope_base, differs) == (64, 32, 7e5, ())
    assert hugging_face.read(LLAMA | {"head_dim": 128})[0].d_head == 128  # not hidden_size / heads
    gemma = {key: value for key, value in CONFIGS["gemma-3-1b"].items() if key != "rope_theta"}
    nested = {"full_attention": {"rope_theta": 2e6, "rope_type": "linear"}, "sliding_attention": {"rope_theta": 1e4}}
    a, differs = hugging_face.read(gemma | {"rope_parameters": nested})
    assert (a.rope_base, a.tied_embeddings, "rescaled rotary frequencies" in differs) == (2e6, True, True)
    assert hugging_face.read(gemma)[0].rope_base == 1e6


@pytest.mark.parametrize(
    ("name", "base", "tied"),
    [
        ("llama-3.2-1b", 1e4, False),
        ("granite-3.3-2b", 1e4, False),
        ("qwen2.5-3b", 1e4, False),
        ("minicpm-1b", 1e4, True),
        ("gemma-2b", 1e4, True),
        ("gemma-3-1b", 1e6, True),
        ("smollm3-3b", 2e6, True),
    ],
)
def test_the_base_and_the_tying_that_a_model_type_leaves_unsaid(name, base, tied):
    fields = {key: value for key, value in CONFIGS[name].items() if key not in ("rope_theta", "tie_word_embeddings")}
    a = hugging_face.read(fields)[0]
    assert (a.rope_base, a.tied_embeddings) == (base, tied)


@pytest.mark.parametrize("older", [None, {}])
def test_rope_parameters_come_before_older_names(older):
    both = {"rope_theta": 3e4, "rope_scaling": older, "rope_parameters": {"rope_theta": 4e4}}
    assert hugging_face.read(LLAMA | both)[0].rope_base == 4e4


@pytest.mark.parametrize(("longest", "matters"), [(2047, False), (2048, True)])
def test_a_window_as_long_as_the_longest_context_is_none(longest, matters):
    differs = hugging_face.read(CONFIGS["phi-3-mini"] | {"max_position_embeddings": longest})[1]
    assert bool(differs) == matters


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("llama-2-7b", {"attention_bias": True}, "biases in attention"),
        ("llama-2-7b", {"mlp_bias": True}, "biases in the MLP"),
        ("llama-2-7b", {"hidden_act": "relu"}, "a gate of ReLU"),
        (
            "qwen3-0.6b",
            {"use_sliding_window": True, "sliding_window": 9},
            "a sliding window of 9 tokens in some layers",
        ),
        ("gemma-2-2b", {"query_pre_attn_scalar": 144}, "attention scaled by 1/√144"),
        ("olmo-1b", {"clip_qkv": 8.0}, "clipped queries, keys and values"),
        ("pythia-1b", {"hidden_act": "relu"}, "an MLP of two matrices and ReLU (here SwiGLU of that size)"),
        ("opt-1.3b", {"do_layer_norm_before": False}, "norms after attention and MLP, none before"),
    ],
)
def test_a_feature_that_this_decoder_lacks_is_named(name, change, words):
    before, after = (set(hugging_face.read(CONFIGS[name] | new)[1]) for new in ({}, change))
    assert after - before == {words}


@pytest.mark.parametrize(("width", "own"), [(8192, 5461), (3072, 2048), (10240, 6827), (1, 1), (2, 1)])
def test_two_matrices_become_a_swiglu_of_as_many_parameters(width, own):
    d_ff = hugging_face.read(CONFIGS["pythia-1b"] | {"intermediate_size": width})[0].d_ff
    assert d_ff == own
    assert abs(3 * d_ff - 2 * width) <= 1  # of no other width nearer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "model_type='mamba': must be one of llama"),
        ({"model_type": ["llama"]}, r"model_type=\['llama'\]: must be one of llama"),
        ({"model_type": None}, "model_type is missing: must be one of llama"),
        ({"hidden_size": "2048"}, "hidden_size='2048': must be an integer from 1 to"),
        ({"hidden_size": 2048.0}, "hidden_size=2048.0: must be an integer"),
        ({"num_hidden_layers": True}, "num_hidden_layers=True: must be an integer"),
        ({"vocab_size": -1}, "vocab_size=-1: must be an integer from 1"),
        ({"intermediate_size": 2**31}, "intermediate_size=2147483648: must be an integer from 1 to 2147483647"),
        ({"intermediate_size": None}, "intermediate_size=None: must be an integer"),
        ({"hidden_size": 2050, "head_dim": None}, "hidden_size=2050: must be divisible by 32 heads"),
        ({"num_attention_heads": 30}, "num_key_value_heads=8: must divide num_attention_heads=30"),
        ({"head_dim": 63}, "d_head=63: must be even"),
        ({"rope_theta": "big"}, "rope_theta='big': must be a number above 1"),
        ({"rope_theta": float("nan")}, "rope_theta=nan: must be a number above 1"),
        ({"rope_scaling": "llama3"}, "rope_scaling='llama3': must be an object or null"),
        ({"rope_scaling": {"rope_type": 3}}, "rope_type=3: must be a name"),
        ({"partial_rotary_factor": 1.5}, "partial_rotary_factor=1.5: must be a number above 0 and at most 1"),
        ({"tie_word_embeddings": None}, "tie_word_embeddings=None: must be true or false"),
        ({"attention_bias": 1}, "attention_bias=1: must be true or false"),
        ({"hidden_act": "si\nlu"}, r"hidden_act='si\\nlu': must be the name of an activation"),
        ({"attn_logit_softcapping": "big"}, "attn_logit_softcapping='big': must be a number above 0"),
        ({"vocab_size": "v" * 1000}, r"vocab_size='v+\.\.\.v+': must be an integer"),
        ({"model_type": "mistral", "sliding_window": 0}, "sliding_window=0: must be an integer from 1"),
        (
            {"model_type": "opt", "ffn_dim": 8192, "word_embed_proj_dim": 512},
            "word_embed_proj_dim=512: must be hidden_size",
        ),
    ],
)
def test_a_malformed_config_is_one_clear_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        hugging_face.read(LLAMA | change, "some/config.json")
    assert_is_one_line(error.value, "some/config.json")


def assert_is_one_line(error, source):
    assert str(error).startswith(f"{source}: ")
    assert "\n" not in str(error)
    assert len(str(error)) < 400


ABSENT = [("mistral-7b-v0.3", "num_key_value_heads"), ("qwen3-0.6b", "head_dim"), ("gpt2-medium", "n_head")]


@pytest.mark.parametrize(("name", "absent"), ABSENT)
def test_a_field_that_no_default_stands_for_must_be_there(name, absent):
    fields = {key: value for key, value in CONFIGS[name].items() if key != absent}
    with pytest.raises(ValueError, match=f"config.json: {absent} is missing"):
        hugging_face.read(fields)


@given(architectures())
def test_a_shape_written_as_a_config_reads_back(a):
    fields = {
        "model_type": "qwen3" if a.qk_norm else "llama",
        "hidden_size": a.d_model,
        "num_hidden_layers": a.n_layers,
        "num_attention_heads": a.n_heads,
        "num_key_value_heads": a.n_kv_heads,
        "head_dim": a.d_head,
        "intermediate_size": a.d_ff,
        "vocab_size": a.vocab_size,
        "tie_word_embeddings": a.tied_embeddings,
        "rope_theta": a.rope_base,
    }
    assert hugging_face.read(json.loads(json.dumps(fields))) == (a, ())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("minicpm_moe", "num_experts=8: means a mixture of experts"),
        ("draft_head", r"architectures=\['LlamaForCausalLMEagle3'\]: another kind of model"),
    ],
)
def test_another_model_under_a_dense_model_type_is_refused(config, message):
    fields = json.loads((CASES / f"{config}.config.json").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match=message):
        hugging_face.read(fields)


def test_a_draft_head_that_calls_itself_a_decoder_is_refused_by_its_vocabulary():
    fields = json.loads((CASES / "draft_head.config.json").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match="draft_vocab_size=32000: means a draft head"):
        hugging_face.read(fields | {"architectures": ["LlamaForCausalLM"]})


@pytest.mark.parametrize(
    "change",
    [
        {"num_local_experts": 8, "num_experts_per_tok": 2},
        {"n_routed_experts": 64},
        {"num_experts_per_token": 2},
        {"moe_intermediate_size": 1408},
        {"num_experts": "8"},
        {"mlp_type": "moe"},
        {"ffn_config": {"moe_num_experts": 16}},
        {"architectures": ["LlamaForSequenceClassification"]},
        {"architectures": ["LlamaForCausalLM", "LlamaModel"]},
        {"architectures": ["LlavaForConditionalGeneration"]},
        {"auto_map": {"AutoModelForCausalLM": "modeling.LlamaMoEForCausalLM"}},
        {"id2label": {"0": "LABEL_0"}},
        {"is_reward_model": True},
        {"num_nextn_predict_layers": 1},
        {"medusa_num_heads": 3},
        {"speculator_type": "eagle"},
        {"total_ut_steps": 4},
        {"mean_recurrence": 32},
        {"layer_sharing": True},
        {"num_hidden_groups": 1},
        {"num_kv_shared_layers": 1},
        {"is_encoder_decoder": True},
        {"is_decoder": False},
        {"is_causal": False},
        {"use_bidirectional_attention": True},
        {"add_cross_attention": True},
        {"cross_attention_layers": [3, 8]},
        {"num_encoder_layers": 6},
        {"mamba_d_state": 16},
        {"layer_types": ["linear_attention"] * 16},
        {"layer_types": ["full_attention"] * 15},
        {"layer_types": 3},
        {"attention_type": "linear"},
        {"kv_lora_rank": 512},
        {"block_configs": [{"attention": {"n_heads_in_group": 4}}]},
        {"pruned_heads": {"1": [0]}},
        {"num_query_heads": [12, 16]},
        {"ffn_multipliers": [0.5, 1.0]},
        {"head_dim": [64] * 16},
        {"laurel_rank": 64},
        {"vision_config": {"hidden_size": 64}},
        {"text_config": {"hidden_size": 64}},
        {"padded_vocab_size": 128512},
        {"n_layer": 12},
        {"kv_channels": 128},
        {"n_blocks_of_something_new": 3},
        {"quantization_config": "int8"},
        {"n_shared_experts": 1},
        {"attn_output_gate": True},
        {"attention_k_eq_v": True},
        {"use_swiglu": False},
        {"full_attention_interval": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_may_change_the_shape_is_refused_by_name(change):
    with pytest.raises(InputError, match=f"some/config.json: {next(iter(change))}|num_labels|layer_types") as error:
        hugging_face.read(LLAMA | change, "some/config.json")
    assert_is_one_line(error.value, "some/config.json")


@pytest.mark.parametrize(
    "change",
    [
        {"num_experts": 1, "num_experts_per_tok": 1},
        {"num_local_experts": 0, "n_routed_experts": None, "output_router_logits": True, "router_aux_loss_coef": 0.1},
        {"architectures": ["LlamaForCausalLM"], "id2label": {"0": "LABEL_0"}},
        {"architectures": None, "is_decoder": True, "is_encoder_decoder": False, "add_cross_attention": False},
        {"decoder_start_token_id": 3, "encoder_no_repeat_ngram_size": 2, "repetition_penalty": 1.1},
        {"pruned_heads": {}, "num_nextn_predict_layers": 0, "layer_types": ["full_attention"] * 16},
        {"num_layers": 16, "kv_channels": 64, "hidden_dropout": 0.1, "initializer_range": 0.02, "image_token_id": 7},
        {
            "attn_output_gate": False,
            "gated_mlp": True,
            "pretraining_tp": 2,
            "use_cache": True,
            "transformers_version": "4.45",
            "max_position_embeddings": 2048,
        },
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_off_or_harmless_changes_nothing(change):
    assert hugging_face.read(LLAMA | change) == hugging_face.read(LLAMA)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brand_new": 0.5}, "fields that are not understood (brand_new=0.5)"),
        ({"a new\n name": "x"}, "fields that are not understood ('a new\\n name'='x')"),
        ({"qkv_bias": True}, "fields that are not understood (qkv_bias=True)"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantized weights (gptq)"),
        ({"quantization_config": {"quant_method": "bitnet"}}, "ternary weights"),
        ({"quantization": {"bits": 4, "group_size": 64}}, "quantized weights (unnamed)"),
        ({"architectures": ["BitnetForCausalLM"], "weight_bits": 1}, "ternary weights"),
    ],
)
def test_what_does_not_bear_on_the_shape_is_named(change, words):
    a, differs = hugging_face.read(LLAMA | change)
    assert (a, set(differs)) == (lookup.resolve("llama-3.2-1b"), {"rescaled rotary frequencies", words})


@pytest.mark.parametrize(
    ("change", "n_kv_heads", "words"),
    [
        ({"multi_query": False}, 71, set()),
        ({"new_decoder_architecture": True, "num_kv_heads": 71}, 71, set()),
        ({"alibi": True, "bias": True}, 1, {"ALiBi instead of rotary positions", "biases"}),
    ],
)
def test_falcons_heads_follow_its_three_fields(change, n_kv_heads, words):
    a, differs = hugging_face.read(CONFIGS["falcon-7b"] | change)
    assert (a.n_kv_heads, words <= set(differs)) == (n_kv_heads, True)


def test_a_model_type_without_kv_heads_may_only_repeat_its_heads():
    pythia = CONFIGS["pythia-1b"]
    assert hugging_face.read(pythia | {"num_key_value_heads": 8}) == hugging_face.read(pythia)
    with pytest.raises(InputError, match="num_key_value_heads=2: contradicts what the other fields say, 8"):
        hugging_face.read(pythia | {"num_key_value_heads": 2})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2),
    max_leaves=4,
)
FIELDS = sorted({key for fields in CONFIGS.values() for key in fields} | {"rope_parameters", "n_inner", "enable_bias"})
OBJECTS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), VALUES, max_size=4)


@settings(max_examples=200)
@given(st.sampled_from([{}, *CONFIGS.values()]), OBJECTS)
def test_any_object_gives_a_shape_or_one_line(known, changed):
    try:
        architecture, differs = hugging_face.read(known | changed, "c.json")
    except ValueError as error:
        assert_is_one_line(error, "c.json")
    else:
        assert isinstance(architecture, Architecture)
        assert all(words.isprintable() for words in differs)


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_what_is_no_object_is_one_line(value):
    with pytest.raises(ValueError, match=r"^config\.json: must hold a JSON object$"):
        hugging_face.read(value)


def test_one_wide_layer_is_noted_as_a_draft_head_may_be():
    """EAGLE's heads say LlamaForCausalLM and one layer, and nothing else that tells."""
    _, differs = hugging_face.read(LLAMA | {"num_hidden_layers": 1, "architectures": ["LlamaForCausalLM"]})
    assert hugging_face.ONE_LAYER in differs
    assert hugging_face.ONE_LAYER not in hugging_face.read(LLAMA)[1]
