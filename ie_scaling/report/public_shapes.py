"""The page of public models' shapes: python -m ie_scaling.report.public_shapes > docs/public_shapes.md"""

from ie_scaling import accounting, markdown
from ie_scaling.architecture import Architecture
from ie_scaling.shapes import dialects
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

Wherever a shape is asked for, one of these names will do, or the name on the Hub, in either case: `qwen2.5-0.5b`,
`Qwen/Qwen2.5-0.5B`. So will the path of a config.json; {model_types} are read.

This decoder is one kind of layer: RMSNorm before attention and MLP, rotary positions, SwiGLU, grouped-query attention,
no biases. "What differs" is what a model has that is otherwise here; where nothing stands, this decoder is the model.
An MLP of two matrices becomes the SwiGLU of as many parameters, two thirds as wide to the nearest integer, so that a
decode step moves and multiplies as much; some of those widths are odd numbers, which hardware may run slower. A
sliding window is not timed: beyond its length such a model reads less than is timed here. A model whose embeddings are
narrower than its layers, such as opt-350m, has no shape here.

"Parameters" are those of the shape here, "the model's own" those that its publishers count or their weights hold, a
tied matrix once; a dash: no total was found. The two differ by {largest:.1f} % at most, and exactly by what differs
(tests/shapes/test_public_models.py).

"""


def page() -> str:
    """The whole page, in Markdown."""
    rows = sorted(MODELS.items(), key=lambda item: item[1].family.name.lower())
    model_types = ", ".join(f"`{name}`" for name in dialects.DIALECTS)
    sources = "".join(f"- {key}: {text}\n" for key, text in SOURCES.items())
    return (
        _INTRODUCTION.format(model_types=model_types, largest=100 * max(map(_gap, MODELS.values())))
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
        f"{a.vocab_size}{' tied' * a.tied_embeddings}",
        f"{accounting.count_parameters(a):,}",
        "–" if model.n_params is None else f"{model.n_params:,}",
        "; ".join(model.family.differs),
        ", ".join(model.family.checked),
    )


if __name__ == "__main__":
    print(page(), end="")
