"""Whether a config's model is a causal decoder with a vocabulary: not an encoder, a classifier or a draft head."""

from collections.abc import Mapping
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.shapes.fields import shown
from ie_scaling.shapes.text_decoder import TextDecoder
from ie_scaling.shapes.values import flag

READ = ("is_decoder", "is_causal", "num_labels", "id2label", "label2id")


def check(decoder: TextDecoder, outer_classes: Any) -> None:
    """Raise an InputError unless what the config says of the model's kind is the decoder of its model_type."""
    named = _check_architectures(decoder, outer_classes)
    _check_auto_map(decoder)
    for name in ("is_decoder", "is_causal"):
        if not flag(decoder.fields, name, True):
            raise InputError(f"{name}=False: means an encoder; only causal decoders are read")
    labels = decoder.fields.get("id2label")
    n_labels = decoder.fields.get("num_labels", len(labels) if isinstance(labels, Mapping) else 2)
    if not named and n_labels not in (None, 2):  # 2 is what every config has by default
        raise InputError(f"num_labels={shown(n_labels)}: means a classifier where architectures says nothing else")


def _check_architectures(decoder: TextDecoder, outer_classes: Any) -> bool:
    """Whether any class is named; each must be the decoder's."""
    named = False
    for classes in (outer_classes, decoder.fields.get("architectures")):
        if classes is not None and not isinstance(classes, list):
            raise InputError(f"architectures={shown(classes)}: must be a list of names")
        for name in classes or ():
            named = True
            if name not in decoder.classes:
                raise InputError(
                    f"architectures=[{shown(name)}]: another kind of model; of model_type {decoder.model_type}, "
                    f"{decoder.classes[0]} is read"
                )
    return named


def _check_auto_map(decoder: TextDecoder) -> None:
    """A model's own code must be that of the decoder too."""
    for fields in (decoder.outer, decoder.fields):
        custom = fields.get("auto_map")
        if custom is not None and not isinstance(custom, Mapping):
            raise InputError(f"auto_map={shown(custom)}: must be an object")
        own = (custom or {}).get("AutoModelForCausalLM")
        if own is not None and str(own).rpartition(".")[2] not in decoder.classes:
            raise InputError(f"auto_map: {shown(own)} is another kind of model than {decoder.classes[0]}")
