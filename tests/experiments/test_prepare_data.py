"""prepare_data: the corpus lies in the work directory; its warnings are kept, shown and previewed."""

import pytest

from experiments import prepare_data
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, runner


def test_a_corpus_is_made_in_the_work_directory_once(text_folder, tmp_path, capsys):
    config = CorpusConfig(text=str(text_folder), tokenizer="byte", validation_fraction=0.2, n_workers=1)
    assert runner.dry_run(prepare_data, config, tmp_path / "corpus") == []
    assert "MB of text" in capsys.readouterr().out
    assert not (tmp_path / "corpus").exists()
    for _ in range(2):
        assert runner.start(prepare_data, config, tmp_path / "corpus") == []
        assert "validation tokens" in capsys.readouterr().out
    assert diagnostic.read(tmp_path / "corpus") == []
    with pytest.raises(InputError, match="started with tokenizer='byte', now 'bpe'"):
        runner.run(prepare_data, CorpusConfig(text=str(text_folder), validation_fraction=0.2), tmp_path / "corpus")


def test_what_the_corpus_lost_is_a_diagnostic(tmp_path):
    (tmp_path / "text").mkdir()
    for number in range(8):
        (tmp_path / "text" / f"{number}.txt").write_bytes(b"the law of this and that \xff " * 9)
    config = CorpusConfig(text=str(tmp_path / "text"), tokenizer="byte", validation_fraction=0.4, n_workers=1)
    (found,) = runner.run(prepare_data, config, tmp_path / "corpus")
    assert found.kind is diagnostic.Kind.CORPUS
    assert "were no UTF-8 and are U+FFFD now" in found.message
    assert diagnostic.read(tmp_path / "corpus") == [found]
