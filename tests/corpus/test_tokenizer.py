"""Byte-pair, byte and given tokenizers: all of the text and nothing but the text."""

import dataclasses

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError

END = "<|endoftext|>"
BYTE = tokenizer_lib.byte_level(END)
BYTE.encode_special_tokens = True
CONFIG = CorpusConfig(tokenizer="byte")


@given(st.lists(st.text() | st.just(f"a{END}b"), max_size=4))
def test_bytes_round_trip_and_are_what_the_tokenizer_file_gives(texts):
    for text, ids in zip(texts, tokenizer_lib.encoder(BYTE, CONFIG)(texts), strict=True):
        assert ids.tolist() == [*text.encode(), 256]
        assert BYTE.encode(text).ids == ids[:-1].tolist()
        assert BYTE.decode(ids.tolist()) == text


def save(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "t.json"))
    return dataclasses.replace(CONFIG, tokenizer=str(tmp_path / "t.json"))


def test_a_given_tokenizer_encodes_all_of_a_text_and_adds_nothing(tmp_path):
    given = tokenizer_lib.train(["the law of the model"] * 9, 270, END)
    given.post_processor = processors.TemplateProcessing(single=f"{END} $A {END}", special_tokens=[(END, 0)])
    given.enable_truncation(5)
    given.enable_padding(length=64)
    config = save(given, tmp_path)
    tokenizer = tokenizer_lib.make(config, [])
    text = f"the model of the law{END} of laws é" * 50
    [ids] = tokenizer_lib.encoder(tokenizer, config)([text])
    assert (ids == 0).sum() == 1
    assert ids[-1] == 0
    assert tokenizer.decode(ids[:-1].tolist()) == text


def test_a_vocabulary_with_holes_is_as_large_as_its_largest_id():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, END: 70_000}, unk_token="a"))
    assert tokenizer_lib.vocab_size(tokenizer) == 70_001
    assert tokenizer_lib.narrowest(70_001) == "uint32"
    assert tokenizer_lib.narrowest(2**16) == "uint16"


def test_tokenizers_that_cannot_serve_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer='.*absent.json': no such file"):
        tokenizer_lib.make(dataclasses.replace(CONFIG, tokenizer=str(tmp_path / "absent.json")), [])
    (tmp_path / "bad.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"bad.json: not a tokenizer.json") as caught:
        tokenizer_lib.make(dataclasses.replace(CONFIG, tokenizer=str(tmp_path / "bad.json")), [])
    assert "\n" not in str(caught.value)
    config = dataclasses.replace(save(BYTE, tmp_path), end_of_text="</s>")
    with pytest.raises(InputError, match=r"end_of_text='</s>': must be a token of .*t.json"):
        tokenizer_lib.make(config, [])
    with pytest.raises(InputError, match=r"vocab_size=5000: the text yields only 26[0-9] tokens"):
        tokenizer_lib.make(CorpusConfig(vocab_size=5000), ["a few words"])
