"""Documents, splits, tokenizer and token arrays."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import prepare as corpus
from ie_scaling.corpus.config import CorpusConfig

names = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40)


@given(names, names)
def test_adding_documents_never_moves_one_between_splits(first, second):
    alone = corpus.split_documents([(name, "x") for name in first], 0.3)
    together = corpus.split_documents([(name, "x") for name in dict.fromkeys([*first, *second])], 0.3)
    assert set(alone["validation"]) <= set(together["validation"])
    assert set(alone["train"]) <= set(together["train"])


def test_the_split_has_the_wanted_share():
    splits = corpus.split_documents([(f"{n}.py", "") for n in range(20_000)], 0.1)
    assert len(splits["validation"]) / 20_000 == pytest.approx(0.1, abs=0.01)


def test_token_arrays_decode_to_the_documents(recipe):
    directory = Path(recipe.corpus.directory)
    tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    end = tokenizer.token_to_id(corpus.END_OF_TEXT)
    documents = corpus.split_documents(corpus.gather(recipe.corpus), recipe.corpus.validation_fraction)
    manifest = json.loads((directory / "manifest.json").read_text())
    for split in corpus.SPLITS:
        token_ids = corpus.load_tokens(directory, split)
        ends = np.flatnonzero(token_ids == end)
        pieces = np.split(np.asarray(token_ids), ends + 1)[:-1]
        assert [tokenizer.decode(piece[:-1].tolist()) for piece in pieces] == [text for _, text in documents[split]]
        assert manifest["splits"][split]["n_tokens"] == len(token_ids)


def test_preparing_again_gives_the_same_bytes(recipe, tmp_path):
    import dataclasses

    again = corpus.prepare(dataclasses.replace(recipe.corpus, directory=str(tmp_path)))
    assert again == json.loads((Path(recipe.corpus.directory) / "manifest.json").read_text())


def test_unigram_entropy_of_known_counts():
    assert corpus.unigram_entropy(np.array([0, 0, 1, 2]), 5) == pytest.approx(1.5 * math.log(2))


def test_standard_library_is_read_in_a_fixed_order_without_its_tests():
    documents = corpus.gather(CorpusConfig(max_bytes=2_000_000))
    assert documents == corpus.gather(CorpusConfig(max_bytes=2_000_000))
    assert not any({"test", "site-packages"} & set(Path(name).parts) for name, _ in documents)
    assert sum(len(text) for _, text in documents) > 1_000_000


def test_jsonl_plain_and_gzipped(tmp_path):
    lines = "".join(json.dumps({"text": f"document {n}"}) + "\n" for n in range(3))
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    plain, zipped = (corpus.gather(CorpusConfig(text=str(tmp_path / name))) for name in ("a.jsonl", "a.jsonl.gz"))
    assert [text for _, text in plain] == [text for _, text in zipped] == [f"document {n}" for n in range(3)]


def bad_corpora(folder: Path) -> dict[str, str]:
    (folder / "empty").mkdir()
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 1000)[:40])
    (folder / "bad.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n')
    return {
        "nowhere": "must be",
        "empty": "holds no documents",
        "cut.jsonl.gz": "broken gzip",
        "bad.jsonl": "line 2: must be a JSON object",
    }


def test_bad_corpora_are_one_line_and_leave_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for name, message in bad_corpora(tmp_path / "in").items():
        config = CorpusConfig(text=str(tmp_path / "in" / name), directory=str(tmp_path / "out"))
        with pytest.raises(ValueError, match=message) as caught:
            corpus.prepare(config)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


def test_invalid_utf8_becomes_replacement_characters(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"good \xff bad")
    assert corpus.gather(CorpusConfig(text=str(tmp_path)))[0][1] == "good � bad"
