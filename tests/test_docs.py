"""What README, docs and docstrings point to is in the repository, and what they cite is listed in docs/laws.md."""

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("results/*.md"), *ROOT.glob("data/*.md"))
)
PROGRAMS = sorted(
    path
    for top in ("run.py", "configs", "experiments", "ie_scaling", "benchmarks", "tests", "results", "data")
    for path in ([ROOT / top] if top.endswith(".py") else (ROOT / top).rglob("*.py"))
)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
NAMED_PAGE = re.compile(r"\b(?:docs|results|data)/[\w/-]+\.(?:md|csv|json|png)\b")
ARXIV = re.compile(r"\b\d{4}\.\d{5}\b")
BRITISH = re.compile(
    r"(?:centre|colour|neighbour|behaviour|favour|licence|grey\b|labelled|modelled|analys(?:e|ed|er|ing)\b"
    r"|(?:optim|summar|normal|standard|vector|minim|maxim|real|quant|organ|initial|general|recogn|parametr|penal)"
    r"is(?:e|ed|er|ers|es|ing|ation|ations)(?![a-z]))",
    re.IGNORECASE,
)
LIBRARY = [path for path in PROGRAMS if path.relative_to(ROOT).parts[0] not in ("tests", "results", "data")]
TAG = re.compile(r"\[([A-Z]{2,}|[A-Z][A-Za-z]*\d\d[a-z]?)\]")
NAME = re.compile(r"""(["'])\w+\1""")  # of a key or a file, which stays as scripts know it


def prose(path: Path) -> str:
    """The comments and docstrings of a program."""
    with path.open("rb") as stream:
        tokens = list(tokenize.tokenize(stream.readline))
    texts = [token.string for token in tokens if token.type == tokenize.COMMENT]
    texts += [token.string for token in tokens if token.type == tokenize.STRING and token.string.startswith('"""')]
    return "\n".join(texts)


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_of_a_page_is_a_file(page: str) -> None:
    path = ROOT / page
    targets = [target for target in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing


def test_every_page_and_table_that_code_names_is_a_file() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in PROGRAMS
        for name in NAMED_PAGE.findall(path.read_text(encoding="utf-8"))
    }
    assert [(path, name) for path, name in sorted(named) if not (ROOT / name).exists() and "NAME" not in name] == []


def test_every_paper_that_the_library_cites_is_listed_in_the_references() -> None:
    references = (ROOT / "docs" / "laws.md").read_text(encoding="utf-8")
    cited = {number for path in LIBRARY for number in ARXIV.findall(path.read_text(encoding="utf-8"))}
    assert sorted(number for number in cited if number not in references) == []


def test_every_tag_that_is_cited_is_defined_in_the_references() -> None:
    references = (ROOT / "docs" / "laws.md").read_text(encoding="utf-8")
    defined = set(re.findall(r"^\| \[(\w+)\] \|", references, re.MULTILINE))
    cited = {tag for path in PROGRAMS for tag in TAG.findall(prose(path))}
    assert {"B25", "PSIS", "DD"} <= cited
    assert cited | set(TAG.findall(references)) <= defined


def test_every_result_is_described() -> None:
    described = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    results = ROOT / "results"
    names = {path.relative_to(results).as_posix() for path in results.rglob("*.*")} - {"README.md"}
    assert sorted(name for name in names if not re.search(rf"[| ]{re.escape(name)}[ ,]", described)) == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_spelled_the_american_way(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert BRITISH.findall(text) == []


def test_programs_are_spelled_the_american_way() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): words
        for path in LIBRARY
        if (words := BRITISH.findall(NAME.sub("", path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_the_makefile_runs_tests_that_are_there():
    named = re.findall(r"tests/[\w/]+\.py", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []
