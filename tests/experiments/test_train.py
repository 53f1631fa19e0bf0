"""train: one run as a command, shown again without being trained again."""

import dataclasses

import pytest

from experiments import train
from ie_scaling.corpus import manifest
from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, files, runner
from ie_scaling.train import loop


def test_a_run_is_trained_once_and_shown_again(plan, tmp_path, capsys, monkeypatch):
    assert runner.start(train, plan, tmp_path / "run") == []
    first = capsys.readouterr().out
    assert first.startswith(f"{plan.run_id}: ")
    assert "nats/token on" in first
    monkeypatch.setattr(loop, "_train", None)
    assert runner.start(train, plan, tmp_path / "run") == []
    assert capsys.readouterr().out == first
    assert diagnostic.read(tmp_path / "run") == []
    with pytest.raises(InputError, match="started with seed=0, now 1"):
        runner.run(train, dataclasses.replace(plan, seed=1), tmp_path / "run")


def test_a_dry_run_prices_and_writes_nothing(plan, tmp_path, capsys):
    assert runner.dry_run(train, plan, tmp_path / "run") == []
    assert "parameters" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_warnings_of_a_corpus_are_diagnostics_of_what_is_trained_on_it(plan, tmp_path):
    directory = tmp_path / "corpus"
    directory.mkdir()
    known = manifest.load(plan.recipe.corpus.directory) | {"warnings": ["tokenizer: loses text"]}
    files.write_json(directory / manifest.MANIFEST, manifest.seal(known))
    corpus = dataclasses.replace(plan.recipe.corpus, directory=str(directory))
    recipe = dataclasses.replace(plan.recipe, corpus=corpus)
    expected = [diagnostic.Diagnostic(diagnostic.Kind.CORPUS, "", "tokenizer: loses text")]
    assert train.run_identity.corpus_diagnostics([recipe, recipe]) == expected
    assert train.run_identity.diagnostics(tmp_path, [recipe]) == expected  # of a run that has no file of its own
    diagnostic.write(tmp_path, [])
    assert train.run_identity.diagnostics(tmp_path, [recipe]) == []
