"""The page of public models' shapes: python -m ie_scaling.report.public_shapes > docs/public_shapes.md"""

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.running import markdown
from ie_scaling.shapes import dialects, text_decoder
from ie_scaling.shapes.public_models import MODELS, SOURCES, PublicModel

_HEADER = (
    "name",
    "on the Hub",
    "d",
    "n",
    "d/n",
    "heads/kv",
    "d_head",
    "d_ff",
    "vocabulary",
    "parameters",
    "the model's own",
    "what differs",
    "checked",
)
_INTRODUCTION = """\
# Shapes of public models

Made by `python -m ie_scaling.report.public_shapes > docs/public_shapes.md`; do not edit it.

Wherever a verb takes a shape (`train`, `sweep`, `quickstart`, `time_decode`, `predict_latency`, `rank`, `select`), one
of these names will do, or the name on the Hub, in either case: `qwen2.5-0.5b`, `Qwen/Qwen2.5-0.5B`. So will the path of
a config.json, or of a folder that holds one:

    python run.py --config=train --config.architecture=qwen3-0.6b --dry_run
    python run.py --config=sweep --config.runs=smollm2-135m@20N,models/mine/config.json@1.5B
    python run.py --config=rank --config.candidates=qwen3-0.6b,pythia-410m

Each verb ends by saying what a model has that its shape here does not say, once for each: `note: gpt2: the model
itself has ...`. A note is no failed diagnostic.

This decoder is one kind of layer: RMSNorm before attention and MLP, rotary positions, SwiGLU, grouped-query attention,
no biases. "What differs" is what a model has that is otherwise here; where nothing stands, this decoder is the model.
An MLP of two matrices becomes the SwiGLU of as many parameters, two thirds as wide to the nearest integer, so that a
decode step moves and multiplies as much; some of those widths are odd numbers, which hardware may run slower. A
sliding window is not timed: beyond its length such a model reads less than is timed here. A model whose embeddings are
narrower than its layers, such as opt-350m, has no shape here.

"Parameters" are those of the shape here, "the model's own" those that its publishers count or their weights hold, a
tied matrix once; a dash: no total was found. The two differ by {largest:.1f} % at most, and exactly by what differs
(tests/shapes/test_public_models.py).

## How a config.json is judged

These model_types are read: {model_types}. Of those for text and images ({composites}), the text decoder is read and the
rest left out. A config gives a shape only where everything in it that may bear on the shape is understood:

- The fields of its model_type that say the shape or the arithmetic are read, with the defaults of transformers' class.
  Where a default is the number of one particular model, the field must be there; a nested text_config is filled, with
  a note that says which.
- What transformers' base class has, and settings of training, generation and storage (token ids, dropout,
  initialization, dtype, cache, versions), bear on neither and may be anything. Quantized weights are noted.
- Fields that mark another kind of model are refused by name where they are switched on: a mixture of experts (one
  expert, 0 and null are none), draft heads and extra prediction heads, layers that are run more than once or share
  parts, encoders and cross-attention, heads for scores and classes, layers that are not attention and MLP, latent
  attention, layers of several shapes, other inputs than text. So is a class in `architectures` that is not the
  decoder of the model_type, and a Llama 4 with experts.
- Other names for a part of the shape (n_layer, kv_channels) may only repeat what was read.
- Of what remains, numbers whose names measure something (num_, _size, _dim, heads, layers), lists and objects are
  refused, as they may change the shape; anything else is named in a note as not understood.

The file must be strict JSON in UTF-8 (a byte order mark is no error): no key twice, no NaN, no number out of range.

## The models

"""


def page() -> str:
    """The whole page, in Markdown."""
    rows = sorted(MODELS.items(), key=lambda item: item[1].family.name.lower())
    model_types = ", ".join(f"`{name}`" for name in dialects.DIALECTS)
    composites = ", ".join(f"`{name}`" for name in text_decoder.COMPOSITES)
    sources = "".join(f"- {key}: {text}\n" for key, text in SOURCES.items())
    return (
        _INTRODUCTION.format(
            model_types=model_types, composites=composites, largest=100 * max(map(_gap, MODELS.values()))
        )
        + markdown.table(_HEADER, [_row(name, model) for name, model in rows])
        + f"\n## Where they were checked\n\n{sources}"
    )


def _gap(model: PublicModel) -> float:
    """The part of the model's own parameters by which those of its shape differ; 0 where its total is unknown."""
    if model.n_params is None:
        return 0.0
    return abs(model.n_params - accounting.count_parameters(Architecture.parse(model.shape))) / model.n_params


def _row(name: str, model: PublicModel) -> tuple[object, ...]:
    a = Architecture.parse(model.shape)
    return (
        name,
        model.repository,
        a.d_model,
        a.n_layers,
        f"{a.aspect_ratio:.1f}",
        f"{a.n_heads}/{a.n_kv_heads}",
        a.d_head,
        a.d_ff,
        f"{a.vocab_size}{' tied' if a.tied_embeddings else ''}",
        f"{accounting.count_parameters(a):,}",
        "–" if model.n_params is None else f"{model.n_params:,}",
        "; ".join(model.family.differs),
        ", ".join(model.family.checked),
    )


if __name__ == "__main__":
    print(page(), end="")
