"""What results were made from: fields that differ are named, contents are compared by hash."""

import importlib

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import files, identity


def test_every_verb_that_reads_files_says_which(tmp_path):
    """So that the same command on other content is told apart; what a verb reads is read once, here by its name."""
    reads = {
        "fit": ("runs", {"runs": "a.csv,b.csv", "holdout": "c.csv"}, 3),
        "certify": ("runs", {"runs": "a.csv"}, 1),
        "pool": ("runs", {"runs": "a.csv,b.csv"}, 2),
        "compare": ("tables", {"tables": ("a.csv", "b.csv"), "wheres": ("", "")}, 2),
        "compare_laws": ("tables", {"tables": ("a.csv", "b.csv,c.csv")}, 3),
        "reproduce": ("data", {}, 4),
        "fit_latency": ("tables", {"tables": "a.csv"}, 1),
        "predict_latency": ("fit", {"fit": "runs/x"}, 2),
        "rank": ("fit", {"fit": "x,y"}, 6),
        "select": ("fit", {"fit": "x", "latency": "latency.csv"}, 4),
        "time_decode": ("architectures", {}, 0),
    }
    for verb, (field, values, n_files) in reads.items():
        experiment = importlib.import_module(f"experiments.{verb}")
        inputs = experiment.inputs_of(experiment.Config(**values))
        assert len(inputs) == n_files, verb
        assert all(name.split()[0] in (field, "holdout", "latency") for name in inputs), verb


def test_the_first_field_that_differs_is_named_in_full(tmp_path):
    files.write_json(tmp_path / "config.json", {"experiment": "fit", "nuts": {"n_chains": 4, "seed": 1}, "law": "a"})
    now = {"experiment": "fit", "nuts": {"n_chains": 2, "seed": 1}, "law": "b", "new": ""}
    with pytest.raises(InputError, match=r"started with nuts\.n_chains=4, now 2"):
        identity.match_config(tmp_path, now, ("law",))
    identity.match_config(tmp_path, now, ("law", "nuts"))
    with pytest.raises(InputError, match="holds experiment 'fit', not 'pool'"):
        identity.match_config(tmp_path, now | {"experiment": "pool"}, ())


def test_contents_are_compared_by_hash_and_what_is_gone_is_a_warning(tmp_path):
    (tmp_path / "a").write_text("1")
    inputs = {"a": tmp_path / "a", "b": "0" * 64, "c": None}
    files.write_json(tmp_path / "inputs.json", identity.digests_of(inputs))
    assert identity.match_inputs(tmp_path, inputs) == []
    assert identity.match_inputs(tmp_path, inputs | {"b": None}) == [
        "b: is no longer there; the result was made from content 000000000000"
    ]
    (tmp_path / "a").write_text("2")
    with pytest.raises(InputError, match=r"made from other content of a \(sha256 6b86b273ff34, now d4735e3a265e\)"):
        identity.match_inputs(tmp_path, inputs)


def test_whose_directory_it_is(tmp_path):
    assert identity.experiment_of(tmp_path) is None
    for content, name in (('{"experiment": "fit"}', "fit"), ("[]", None), ("{", None), ('{"experiment": 3}', None)):
        (tmp_path / "config.json").write_text(content)
        assert identity.experiment_of(tmp_path) == name
