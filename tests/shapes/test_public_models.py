"""Every public shape against its model's published total: what this decoder lacks makes up the difference exactly."""

import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.shapes import dialects
from ie_scaling.shapes.public_models import MODELS, SOURCES


def beyond(key, a):
    """Parameters that the model has and its shape here has not, from what its family's layers hold."""
    family, d, n = MODELS[key].family, a.d_model, a.n_layers
    norm_biases = (2 * n + 1) * d
    mlp_of_four_d = n * (8 * d * d - a.mlp.parameters)
    linear_biases = 9 * n * d  # 3d of queries, keys and values, d of the output, 4d and d of the MLP
    qkv_biases = n * a.d_head * (a.n_heads + 2 * a.n_kv_heads)
    if key in ("phi-1.5", "phi-2"):  # one LayerNorm a layer: its bias stands for the second gain
        return mlp_of_four_d + linear_biases + d + a.vocab_size
    if key in ("gemma-2b", "stablelm-2-1.6b"):
        return {"gemma-2b": 0, "stablelm-2-1.6b": norm_biases + qkv_biases}[key]
    if dialects.WIDE_QK_NORM in family.differs:
        return n * a.d_head * (a.n_heads + a.n_kv_heads - 2)
    return {
        "Falcon": mlp_of_four_d + d,  # one LayerNorm a layer
        "Gemma": 2 * n * d,
        "GPT-2": mlp_of_four_d + linear_biases + norm_biases + 1024 * d,
        "OLMo": -norm_biases,
        "OPT": mlp_of_four_d + linear_biases + norm_biases + 2050 * d,
        "Pythia": mlp_of_four_d + linear_biases + norm_biases,
        "Qwen": qkv_biases if dialects.QKV_BIASES in family.differs else 0,
        "StableLM": norm_biases,
    }.get(family.name, 0)


@pytest.mark.parametrize("key", [key for key, model in MODELS.items() if model.n_params])
def test_a_models_published_total_is_that_of_its_shape_and_of_what_differs(key):
    a = Architecture.parse(MODELS[key].shape)
    assert accounting.count_parameters(a) + beyond(key, a) == MODELS[key].n_params


@pytest.mark.parametrize(
    "key", [key for key, model in MODELS.items() if "two matrices" in "".join(model.family.differs)]
)
def test_two_matrices_of_width_4d_are_the_nearest_swiglu(key):
    a = Architecture.parse(MODELS[key].shape)
    assert abs(3 * a.d_ff - 8 * a.d_model) <= 1


@pytest.mark.parametrize(("key", "printed"), [("minicpm-1b", 1_247_442_432), ("minicpm-2b", 2_442_057_984)])
def test_minicpm_has_the_non_embedding_parameters_of_its_paper(key, printed):
    assert accounting.count_non_embedding_parameters(Architecture.parse(MODELS[key].shape)) == printed


def test_gemma_3_4b_leaves_out_its_vision_encoder_alone():
    """SigLIP of width 1152, 27 layers, MLP 4304, 64 × 64 patches of 14 × 14, and the projection to 2560."""
    width, mlp = 1152, 4304
    layer = 4 * (width * width + width) + 2 * width * mlp + mlp + width + 4 * width
    encoder = 27 * layer + (3 * 14 * 14 * width + width) + 64 * 64 * width + 2 * width
    assert MODELS["gemma-3-4b"].n_params + encoder + width * 2560 + width == 4_300_079_472


def test_the_table_is_large_and_says_where_each_number_was_checked():
    public = [model for model in MODELS.values() if model.repository]
    assert len(public) >= 60
    assert len({model.family.name for model in public}) >= 15
    assert {source for model in MODELS.values() for source in model.family.checked} == set(SOURCES)
    assert all(
        key == key.lower() and Architecture.parse(model.shape).name == model.shape for key, model in MODELS.items()
    )
