"""How much of a text each kind of tokenizer loses."""

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from ie_scaling.corpus import round_trip
from ie_scaling.corpus import tokenizer as tokenizer_lib

END = "<|endoftext|>"
TEXT = "The law of a model.\n\n  Its Depth is 7\tand wide.\n"


def lost(tokenizer, text=TEXT):
    found = round_trip.measure(tokenizer, [text])
    assert found.n_characters == len(text)
    return found.n_lost, found.warnings()


def word_level(normalizer=None):
    words = {word: index for index, word in enumerate(["[UNK]", "the", "law", "of", "a", "model", ".", END])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if normalizer:
        tokenizer.normalizer = normalizer
    return tokenizer


@pytest.mark.parametrize("tokenizer", [tokenizer_lib.byte_level(END), tokenizer_lib.train([TEXT] * 9, 280, END)])
def test_byte_level_tokenizers_lose_nothing(tokenizer):
    assert lost(tokenizer, f"{TEXT} é 漢 {END}") == (0, [])
    tokenizer.decoder = None
    assert lost(tokenizer, TEXT) == (0, [])


def test_unknown_words_are_lost_by_their_characters():
    n_lost, [warning] = lost(word_level(), "law of depth")
    assert n_lost == len(" depth")
    assert warning.startswith("tokenizer: loses 50.00% of the characters in a sample of 12 ")
    assert "look better than they are" in warning


def test_lower_case_is_lost_upper_case():
    assert lost(word_level(normalizers.Lowercase()), "The LAW")[0] == 4
    assert lost(word_level(normalizers.Lowercase()), "the law") == (0, [])


def test_line_ends_and_runs_of_spaces_are_counted():
    assert lost(word_level(), "law of\n\na   model")[0] == 2 + 1  # the decoder writes a space for either gap


def test_a_space_in_front_of_a_document_is_no_loss():
    tokenizer = tokenizer_lib.train([TEXT] * 9, 280, END)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert lost(tokenizer, "law\n") == (0, [])


def test_a_text_that_comes_back_otherwise_is_warned_of_though_no_character_is_missing():
    tokenizer = word_level()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    n_lost, [warning] = lost(tokenizer, "law.")
    assert n_lost == 0
    assert warning.startswith("tokenizer: changes 1 of 1 documents in a sample of 4 ")
