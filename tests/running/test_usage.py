"""Help from docstrings and dataclasses, no file run."""

import dataclasses

from ie_scaling.running import usage


@dataclasses.dataclass(frozen=True)
class Inner:
    """The inner group."""

    rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Outer:
    """The outer group."""

    name: str = "a"
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = Inner()


def test_verbs_are_the_first_lines_of_files_that_are_not_run(tmp_path):
    (tmp_path / "long_name.py").write_text('"""Does this.\n\nAnd that."""\n\n1 / 0\n')
    (tmp_path / "broken.py").write_text("def\n")
    assert usage.verbs(tmp_path) == {"broken": "", "long_name": "Does this."}
    assert usage.list_verbs(tmp_path) == "  broken     \n  long_name  Does this."
    assert usage.docstring(tmp_path / "long_name.py") == "Does this.\n\nAnd that."
    assert usage.docstring(tmp_path / "nowhere.py") == ""


def test_fields_are_described_group_by_group_as_they_may_be_written():
    text = usage.describe_fields(Outer, {"name": "a b", "sizes": (1, 2), "inner": {"rate": 0.25}})
    assert text == (
        "config: The outer group.\n"
        "  --config.name='a b'  (text)\n"
        '  --config.sizes="(1, 2)"  (a list of whole number)\n\n'
        "config.inner: The inner group.\n"
        "  --config.inner.rate=0.25  (a number)"
    )
