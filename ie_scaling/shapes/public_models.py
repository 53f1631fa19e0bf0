"""The shapes of named public models: their sources, and how each differs from this decoder."""

import dataclasses

from ie_scaling.shapes.dialects import (
    BIASES,
    LAYER_NORM,
    LEARNED_POSITIONS,
    LOCAL_ROTARY,
    NO_GAINS,
    NO_ROTARY,
    NORMS_AFTER,
    NORMS_AROUND,
    PARALLEL,
    QKV_BIASES,
    RESCALED_ROTARY,
    SCALED_EMBEDDINGS,
    SCALES,
    SOFTCAPS,
    WIDE_QK_NORM,
    other_mlp,
    partial_rotary,
    sliding_window,
)

# What `checked` abbreviates. Between them, the sources of a family hold every field of its models.
SOURCES = {
    "litgpt": "github.com/Lightning-AI/litgpt, litgpt/config.py (release 0.5.13)",
    "mlc": "github.com/mlc-ai/mlc-llm, python/mlc_llm/model/model_preset.py (copies of the models' config.json)",
    "hub": "config.json on huggingface.co: the model's own, or that of a fine-tuned model which names it",
    "transformers": "github.com/huggingface/transformers, defaults in models/*/configuration_*.py (release 5.23)",
    "executorch": "github.com/pytorch/executorch, examples/models/{granite/config/2b,smollm3/3b}_config.json",
    "internevo": "github.com/InternLM/InternEvo-HFModels, huggingface_model/yi/yi_6B/configuration_yi.py",
    "metaseq": "github.com/facebookresearch/metaseq, metaseq/launcher/opt_job_constants.py",
    "nanogpt": "github.com/karpathy/nanoGPT, model.py",
    "olmo": "github.com/allenai/OLMo, configs: official/OLMo-1B.yaml, official-0425/OLMo2-1B-stage1.yaml",
    "tunix": "github.com/google/tunix, tunix/models/gemma3/model.py",
    "minicpm": "arXiv 2404.06395, Table 2: shapes and non-embedding parameters",
    "B25": "arXiv 2501.18107, its authors' scripts: shapes and parameters",
    "B25b": "arXiv 2510.18245: width, depth, MLP and GQA as printed; heads from those, the printed ratio of MLP to "
    "attention and a head of 64 (1B) or 128 (3B); vocabulary, tied embeddings and rotary base of Llama 3.2, unverified",
}


@dataclasses.dataclass(frozen=True)
class ModelFamily:
    """Models of one name that differ alike. `checked` are keys of SOURCES, `organization` is that on the Hub."""

    name: str
    organization: str
    checked: tuple[str, ...]
    differs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PublicModel:
    """A model: its name on the Hub ("" where it is not there), its `Architecture.name`, its parameters.

    `n_params` is the total that its publishers count or their weights hold, biases and all, a tied matrix once; None
    where none was found. Where an MLP has two matrices, the shape has the SwiGLU of as many parameters.
    """

    family: ModelFamily
    name: str
    shape: str
    n_params: int | None

    @property
    def repository(self) -> str:
        """organization/name on the Hub, "" where it is not there."""
        return f"{self.family.organization}/{self.name}" if self.name else ""


_GELU = other_mlp(False, "gelu")
_GEGLU = other_mlp(True, "gelu")
_GPT_LIKE = (LAYER_NORM, LEARNED_POSITIONS, BIASES)
_PARALLEL = (LAYER_NORM, BIASES, PARALLEL, _GELU)
_AROUND = (SCALED_EMBEDDINGS, NORMS_AROUND)
_LOCAL = (*_AROUND, LOCAL_ROTARY, _GEGLU)
_LIT, _MLC, _BOTH = ("litgpt",), ("mlc",), ("litgpt", "mlc")

_FALCON = ModelFamily("Falcon", "tiiuae", ("litgpt", "transformers"), (LAYER_NORM, PARALLEL, _GELU))
_GEMMA = ModelFamily("Gemma", "google", _BOTH, (SCALED_EMBEDDINGS, _GEGLU))
_GEMMA_2 = ModelFamily("Gemma", "google", _BOTH, (*_AROUND, _GEGLU, sliding_window(4096, some=True), SOFTCAPS))
_GEMMA_3 = ModelFamily("Gemma", "google", ("tunix", *_BOTH), (*_LOCAL, sliding_window(512, some=True)))
_GEMMA_3_VISION = ModelFamily(
    "Gemma",
    "google",
    ("tunix", "litgpt", "transformers"),
    (*_LOCAL, RESCALED_ROTARY, sliding_window(1024, some=True), "a vision encoder, left out"),
)
_GPT_2 = ModelFamily("GPT-2", "openai-community", ("mlc", "nanogpt"), (*_GPT_LIKE, _GELU))
_GRANITE = ModelFamily("Granite", "ibm-granite", ("executorch", "hub"), (SCALES,))
_LLAMA = ModelFamily("Llama", "meta-llama", _BOTH)
_LLAMA_3_1 = ModelFamily("Llama", "meta-llama", _BOTH, (RESCALED_ROTARY,))
_MINICPM = ModelFamily("MiniCPM", "openbmb", ("minicpm", "hub"), (SCALES,))
_MISTRAL = ModelFamily("Mistral", "mistralai", _BOTH)
_MISTRAL_1 = ModelFamily("Mistral", "mistralai", _BOTH, (sliding_window(4096, some=False),))
_MORPH = ModelFamily("Morph", "", ("B25",), (LAYER_NORM,))
_OLMO = ModelFamily("OLMo", "allenai", ("litgpt", "olmo", "hub"), (NO_GAINS,))
_OLMO_2 = ModelFamily("OLMo", "allenai", ("olmo", "litgpt", "hub"), (NORMS_AFTER, WIDE_QK_NORM))
_OPEN_LLAMA = ModelFamily("OpenLLaMA", "openlm-research", _LIT)
_OPT = ModelFamily("OPT", "facebook", ("metaseq", "transformers"), (*_GPT_LIKE, other_mlp(False, "relu")))
_PANDA = ModelFamily("Panda, Surefire", "", ("B25b",), ("vocabulary, tied embeddings and rotary base assumed here",))
_PHI_1 = ModelFamily("Phi", "microsoft", ("litgpt", "mlc"), (*_PARALLEL, partial_rotary(0.5)))
_PHI_2 = ModelFamily("Phi", "microsoft", ("litgpt", "mlc"), (*_PARALLEL, partial_rotary(0.4)))
_PHI_3 = ModelFamily("Phi", "microsoft", ("mlc", "transformers"), (sliding_window(2047, some=False),))
_PHI_4 = ModelFamily("Phi", "microsoft", _BOTH, (partial_rotary(0.75), RESCALED_ROTARY))
_PYTHIA = ModelFamily("Pythia", "EleutherAI", ("litgpt", "hub"), (*_PARALLEL, partial_rotary(0.25)))
_QWEN_2 = ModelFamily("Qwen", "Qwen", _BOTH, (QKV_BIASES,))
_QWEN_3 = ModelFamily("Qwen", "Qwen", _BOTH)
_SMOLLM = ModelFamily("SmolLM", "HuggingFaceTB", _MLC)
_SMOLLM_2 = ModelFamily("SmolLM", "HuggingFaceTB", _BOTH)
_SMOLLM_3 = ModelFamily("SmolLM", "HuggingFaceTB", ("executorch", "transformers"), (NO_ROTARY,))
_STABLELM = ModelFamily("StableLM", "stabilityai", _BOTH, (LAYER_NORM, partial_rotary(0.25)))
_STABLELM_2 = ModelFamily("StableLM", "stabilityai", _MLC, (LAYER_NORM, QKV_BIASES, partial_rotary(0.25)))
_TINY_LLAMA = ModelFamily("TinyLlama", "TinyLlama", _BOTH)
_YI = ModelFamily("Yi", "01-ai", ("internevo", "hub"))

# By family, as on the page. gemma-3-4b: 4,300,079,472 with its vision encoder's 419,816,304, which gives it 64 rows of
# vocabulary more than litgpt has; falcon-7b: 7,217,189,760 with its tied matrix twice. panda-3b-circ is the paper's
# Panda-3B°, chosen by the fit to the 1B runs alone.
_ROWS = {
    "falcon-7b": (_FALCON, "falcon-7b", "d4544-n32-h71-k1-c64-f12117-v65024-tied", 6_921_720_704),
    "gemma-2b": (_GEMMA, "gemma-2b", "d2048-n18-h8-k1-c256-f16384-v256000-tied", 2_506_172_416),
    "gemma-2-2b": (_GEMMA_2, "gemma-2-2b", "d2304-n26-h8-k4-c256-f9216-v256000-tied", 2_614_341_888),
    "gemma-2-9b": (_GEMMA_2, "gemma-2-9b", "d3584-n42-h16-k8-c256-f14336-v256000-tied", 9_241_705_984),
    "gemma-3-270m": (_GEMMA_3, "gemma-3-270m", "d640-n18-h4-k1-c256-f2048-v262144-tied-qknorm-rope1e+06", 268_098_176),
    "gemma-3-1b": (_GEMMA_3, "gemma-3-1b-pt", "d1152-n26-h4-k1-c256-f6912-v262144-tied-qknorm-rope1e+06", 999_885_952),
    "gemma-3-4b": (
        _GEMMA_3_VISION,
        "gemma-3-4b-pt",
        "d2560-n34-h8-k4-c256-f10240-v262208-tied-qknorm-rope1e+06",
        3_880_263_168,
    ),
    "gpt2": (_GPT_2, "gpt2", "d768-n12-h12-k12-c64-f2048-v50257-tied", 124_439_808),
    "gpt2-medium": (_GPT_2, "gpt2-medium", "d1024-n24-h16-k16-c64-f2731-v50257-tied", 354_823_168),
    "gpt2-large": (_GPT_2, "gpt2-large", "d1280-n36-h20-k20-c64-f3413-v50257-tied", 774_030_080),
    "gpt2-xl": (_GPT_2, "gpt2-xl", "d1600-n48-h25-k25-c64-f4267-v50257-tied", 1_557_611_200),
    "granite-3.3-2b": (
        _GRANITE,
        "granite-3.3-2b-base",
        "d2048-n40-h32-k8-c64-f8192-v49159-tied-rope1e+07",
        2_533_539_840,
    ),
    "llama-2-7b": (_LLAMA, "Llama-2-7b-hf", "d4096-n32-h32-k32-c128-f11008-v32000", 6_738_415_616),
    "llama-2-13b": (_LLAMA, "Llama-2-13b-hf", "d5120-n40-h40-k40-c128-f13824-v32000", 13_015_864_320),
    "llama-3-8b": (_LLAMA, "Meta-Llama-3-8B", "d4096-n32-h32-k8-c128-f14336-v128256-rope500000", 8_030_261_248),
    "llama-3.1-8b": (_LLAMA_3_1, "Llama-3.1-8B", "d4096-n32-h32-k8-c128-f14336-v128256-rope500000", 8_030_261_248),
    "llama-3.2-1b": (_LLAMA_3_1, "Llama-3.2-1B", "d2048-n16-h32-k8-c64-f8192-v128256-tied-rope500000", 1_235_814_400),
    "llama-3.2-3b": (_LLAMA_3_1, "Llama-3.2-3B", "d3072-n28-h24-k8-c128-f8192-v128256-tied-rope500000", 3_212_749_824),
    "minicpm-1b": (_MINICPM, "MiniCPM-1B-sft-bf16", "d1536-n52-h24-k8-c64-f3840-v73440-tied", None),
    "minicpm-2b": (_MINICPM, "MiniCPM-2B-sft-bf16", "d2304-n40-h36-k36-c64-f5760-v122753-tied", 2_724_880_896),
    "mistral-7b-v0.1": (_MISTRAL_1, "Mistral-7B-v0.1", "d4096-n32-h32-k8-c128-f14336-v32000", 7_241_732_096),
    "mistral-7b-v0.3": (_MISTRAL, "Mistral-7B-v0.3", "d4096-n32-h32-k8-c128-f14336-v32768-rope1e+06", 7_248_023_552),
    "morph-1b": (_MORPH, "", "d3072-n12-h16-k16-c192-f8192-v50432", 1_668_885_504),
    "morph-1b-v1": (_MORPH, "", "d2048-n24-h16-k16-c128-f5632-v50432", 1_439_795_200),
    "morph-1b-v2": (_MORPH, "", "d2560-n16-h16-k16-c160-f6912-v50432", 1_527_073_280),
    "olmo-1b": (_OLMO, "OLMo-1B-hf", "d2048-n16-h16-k16-c128-f8192-v50304-tied", 1_176_764_416),
    "olmo-7b": (_OLMO, "OLMo-7B-hf", "d4096-n32-h32-k32-c128-f11008-v50304", 6_888_095_744),
    "olmo-2-1b": (_OLMO_2, "OLMo-2-0425-1B", "d2048-n16-h16-k16-c128-f8192-v100352-qknorm-rope500000", 1_484_916_736),
    "olmo-2-7b": (_OLMO_2, "OLMo-2-1124-7B", "d4096-n32-h32-k32-c128-f11008-v100352-qknorm-rope500000", 7_298_617_344),
    "open_llama_3b": (_OPEN_LLAMA, "open_llama_3b", "d3200-n26-h32-k32-c100-f8640-v32000", None),
    "opt-125m": (_OPT, "opt-125m", "d768-n12-h12-k12-c64-f2048-v50272-tied", 125_239_296),
    "opt-1.3b": (_OPT, "opt-1.3b", "d2048-n24-h32-k32-c64-f5461-v50272-tied", 1_315_758_080),
    "opt-2.7b": (_OPT, "opt-2.7b", "d2560-n32-h32-k32-c80-f6827-v50272-tied", 2_651_596_800),
    "panda-1b": (_PANDA, "", "d2560-n16-h72-k18-c64-f4096-v128256-tied-rope500000", None),
    "panda-3b": (_PANDA, "", "d4096-n28-h36-k12-c128-f4096-v128256-tied-rope500000", None),
    "panda-3b-circ": (_PANDA, "", "d4096-n28-h33-k11-c128-f4608-v128256-tied-rope500000", None),
    "surefire-1b": (_PANDA, "", "d2560-n16-h36-k4-c64-f6144-v128256-tied-rope500000", None),
    "surefire-3b": (_PANDA, "", "d4096-n28-h42-k6-c128-f4096-v128256-tied-rope500000", None),
    "phi-1.5": (_PHI_1, "phi-1_5", "d2048-n24-h32-k32-c64-f5461-v51200", 1_418_270_720),
    "phi-2": (_PHI_2, "phi-2", "d2560-n32-h32-k32-c80-f6827-v51200", 2_779_683_840),
    "phi-3-mini": (_PHI_3, "Phi-3-mini-4k-instruct", "d3072-n32-h32-k32-c96-f8192-v32064", 3_821_079_552),
    "phi-4-mini": (_PHI_4, "Phi-4-mini-instruct", "d3072-n32-h24-k8-c128-f8192-v200064-tied", 3_836_021_760),
    "pythia-70m": (_PYTHIA, "pythia-70m", "d512-n6-h8-k8-c64-f1365-v50304", 70_426_624),
    "pythia-160m": (_PYTHIA, "pythia-160m", "d768-n12-h12-k12-c64-f2048-v50304", 162_322_944),
    "pythia-410m": (_PYTHIA, "pythia-410m", "d1024-n24-h16-k16-c64-f2731-v50304", 405_334_016),
    "pythia-1b": (_PYTHIA, "pythia-1b", "d2048-n16-h8-k8-c256-f5461-v50304", 1_011_781_632),
    "pythia-1.4b": (_PYTHIA, "pythia-1.4b", "d2048-n24-h16-k16-c128-f5461-v50304", 1_414_647_808),
    "pythia-2.8b": (_PYTHIA, "pythia-2.8b", "d2560-n32-h32-k32-c80-f6827-v50304", 2_775_208_960),
    "pythia-6.9b": (_PYTHIA, "pythia-6.9b", "d4096-n32-h32-k32-c128-f10923-v50432", 6_857_302_016),
    "qwen2.5-0.5b": (_QWEN_2, "Qwen2.5-0.5B", "d896-n24-h14-k2-c64-f4864-v151936-tied-rope1e+06", 494_032_768),
    "qwen2.5-1.5b": (_QWEN_2, "Qwen2.5-1.5B", "d1536-n28-h12-k2-c128-f8960-v151936-tied-rope1e+06", 1_543_714_304),
    "qwen2.5-3b": (_QWEN_2, "Qwen2.5-3B", "d2048-n36-h16-k2-c128-f11008-v151936-tied-rope1e+06", 3_085_938_688),
    "qwen2.5-7b": (_QWEN_2, "Qwen2.5-7B", "d3584-n28-h28-k4-c128-f18944-v152064-rope1e+06", 7_615_616_512),
    "qwen3-0.6b": (_QWEN_3, "Qwen3-0.6B", "d1024-n28-h16-k8-c128-f3072-v151936-tied-qknorm-rope1e+06", 596_049_920),
    "qwen3-1.7b": (_QWEN_3, "Qwen3-1.7B", "d2048-n28-h16-k8-c128-f6144-v151936-tied-qknorm-rope1e+06", 1_720_574_976),
    "qwen3-4b": (_QWEN_3, "Qwen3-4B", "d2560-n36-h32-k8-c128-f9728-v151936-tied-qknorm-rope1e+06", 4_022_468_096),
    "qwen3-8b": (_QWEN_3, "Qwen3-8B", "d4096-n36-h32-k8-c128-f12288-v151936-qknorm-rope1e+06", 8_190_735_360),
    "qwen3-14b": (_QWEN_3, "Qwen3-14B", "d5120-n40-h40-k8-c128-f17408-v151936-qknorm-rope1e+06", 14_768_307_200),
    "smollm-135m": (_SMOLLM, "SmolLM-135M", "d576-n30-h9-k3-c64-f1536-v49152-tied", 134_515_008),
    "smollm-360m": (_SMOLLM, "SmolLM-360M", "d960-n32-h15-k5-c64-f2560-v49152-tied", 361_821_120),
    "smollm-1.7b": (_SMOLLM, "SmolLM-1.7B", "d2048-n24-h32-k32-c64-f8192-v49152-tied", 1_711_376_384),
    "smollm2-135m": (_SMOLLM_2, "SmolLM2-135M", "d576-n30-h9-k3-c64-f1536-v49152-tied-rope100000", 134_515_008),
    "smollm2-360m": (_SMOLLM_2, "SmolLM2-360M", "d960-n32-h15-k5-c64-f2560-v49152-tied-rope100000", 361_821_120),
    "smollm2-1.7b": (_SMOLLM_2, "SmolLM2-1.7B", "d2048-n24-h32-k32-c64-f8192-v49152-tied-rope130000", 1_711_376_384),
    "smollm3-3b": (_SMOLLM_3, "SmolLM3-3B", "d2048-n36-h16-k4-c128-f11008-v128256-tied-rope5e+06", 3_075_098_624),
    "stablelm-3b-4e1t": (_STABLELM, "stablelm-3b-4e1t", "d2560-n32-h32-k32-c80-f6912-v50304", 2_795_443_200),
    "stablelm-2-1.6b": (_STABLELM_2, "stablelm-2-1_6b", "d2048-n24-h32-k32-c64-f5632-v100352", 1_644_515_328),
    "tinyllama-1.1b": (_TINY_LLAMA, "TinyLlama_v1.1", "d2048-n22-h32-k4-c64-f5632-v32000", 1_100_048_384),
    "yi-6b": (_YI, "Yi-6B", "d4096-n32-h32-k4-c128-f11008-v64000-rope5e+06", 6_061_035_520),
}
MODELS = {key: PublicModel(*row) for key, row in _ROWS.items()}
