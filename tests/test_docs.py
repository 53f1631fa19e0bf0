"""What README, docs and docstrings point to is in the repository, and what they cite is listed in docs/laws.md."""

import re
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
    r"\b(?:centre|colour|neighbour|behaviour|favour|licence|(?:optim|summar|normal|minim|maxim|real|quant|organ)is(?:e|ed|er|ing|ation))",
    re.IGNORECASE,
)
TAG = re.compile(r"\[([A-Z][A-Za-z]*\d\d[a-z]?)\]")


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
    library = [path for path in PROGRAMS if path.is_relative_to(ROOT / "ie_scaling")]
    cited = {number for path in library for number in ARXIV.findall(path.read_text(encoding="utf-8"))}
    assert sorted(number for number in cited if number not in references) == []


def test_every_tag_that_is_cited_is_defined_in_the_references() -> None:
    references = (ROOT / "docs" / "laws.md").read_text(encoding="utf-8")
    defined = set(re.findall(r"^\| \[(\w+)\] \|", references, re.MULTILINE))
    cited = {tag for path in PROGRAMS for tag in TAG.findall(path.read_text(encoding="utf-8"))}
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
