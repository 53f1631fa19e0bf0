"""Rules of the house, held by walking the syntax trees: who imports whom, names of classes, a test for each module."""

import ast
import collections
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "ie_scaling"
GROUND = {"parts", "architecture", "accounting", "errors", "workload", "running", "shapes", "tables"}
# What each part may import of ie_scaling besides itself; the most specific entry counts.
TABLE = {
    "errors": set(),
    "parts": set(),
    "architecture": {"parts", "errors"},
    "accounting": {"parts", "architecture", "errors"},
    "running": {"accounting", "errors"},
    "workload": {"parts", "accounting", "architecture", "running"},
    "shapes": {"architecture", "errors", "running"},
    "tables": {"parts", "architecture", "accounting", "errors", "running", "shapes"},
    "inference": {"errors", "running"},
    "model": {"architecture", "errors", "running"},
    "model.decoding": {"architecture", "errors", "running", "model", "workload"},
    "corpus": GROUND,
    "train": GROUND | {"model", "corpus"},
    "latency": GROUND | {"inference"},
    "latency.benchmark": GROUND | {"latency", "model"},
    "latency_law": GROUND | {"inference"},
    "laws": GROUND | {"inference"},
    "search": GROUND | {"inference", "laws", "latency_law"},
    "api": GROUND | {"inference", "laws", "latency_law", "search"},
    "interop": GROUND | {"model"},
    "report": GROUND | {"laws", "latency_law", "search"},
}
FORBIDDEN_PACKAGES = {part: {"flax", "grain", "orbax"} for part in ("inference", "laws", "latency_law", "search")}
STUDIES = ("quickstart", "latency_study")  # verbs that run other verbs, folders of experiments/
JAX_PACKAGES = {"jax", "jaxlib", "flax", "optax", "orbax", "grain", "numpyro", "arviz"}
MOST_ROOMS = 12  # of laws/ that the rest of the project sees, a module or a package each
# Modules without a test file by their path, and why.
UNTESTED = {
    "experiments/latency_study/verdicts.py": "types alone, which test_findings and test_law_check build and compare",
    "experiments/quickstart/page.py": "needs every stage of a study: test_stages reads its page, summary and figures",
}


def imports(path, top_level_only=False):
    """Dotted names of the modules that a file imports (`from a import b` counts as a.b where that is a module)."""
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if source_of(inner) else node.module)
    return names


def source_of(module):
    """The file of one of this repository's modules, or None."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def part_of(path):
    """ie_scaling/latency/decode.py -> latency.decode; ie_scaling/model/__init__.py -> model."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def covers(general, part):
    return part == general or part.startswith(general + ".")


def files_under(folder):
    return sorted((ROOT / folder).rglob("*.py"))


MODULES = [path for path in files_under(PACKAGE) if part_of(path)]


@pytest.mark.parametrize("path", MODULES, ids=part_of)
def test_a_module_imports_only_what_the_table_allows(path):
    part = part_of(path)
    rule = max((entry for entry in TABLE if covers(entry, part)), key=len, default=None)
    assert rule is not None, f"{part}: has no entry in the import table"
    allowed = TABLE[rule] | {rule.split(".")[0]}
    for name in imports(path):
        top, _, inner = name.partition(".")
        if top == PACKAGE and inner:
            assert any(covers(entry, inner) for entry in allowed), f"{part} must not import {name}"
        assert not any(covers(entry, part) and top in FORBIDDEN_PACKAGES[entry] for entry in FORBIDDEN_PACKAGES), name
        assert top not in ("experiments", "configs", "tests", "run"), f"{part} must not import {name}"


@pytest.mark.parametrize("path", files_under("experiments"), ids=lambda path: str(path.relative_to(ROOT)))
def test_verbs_do_not_import_one_another_but_for_studies_of_several(path):
    """The files of a study import each other and the other verbs, but not another study."""
    verb = path.relative_to(ROOT / "experiments").parts[0]
    others = {"experiments"} if verb not in STUDIES else {f"experiments.{study}" for study in STUDIES if study != verb}
    forbidden = {"configs", "tests", "run"} | others
    assert not [name for name in imports(path) if any(covers(part, name) for part in forbidden)]


@pytest.mark.parametrize("path", files_under("configs"), ids=lambda path: path.stem)
def test_configs_import_no_jax(path):
    """Not themselves, nor by way of what they import of this repository at module level."""
    waiting, seen = [path], set()
    while waiting:
        current = waiting.pop()
        seen.add(current)
        for name in imports(current, top_level_only=current != path):
            assert name.split(".")[0] not in JAX_PACKAGES, f"{current.relative_to(ROOT)} imports {name}"
            packages = [name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)]
            waiting += [source for module in packages if (source := source_of(module)) and source not in seen]


def test_no_class_name_stands_twice():
    """A verb's `Config` aside: the verb's name stands before it."""
    places = collections.defaultdict(list)
    for path in [
        *(path for folder in (PACKAGE, "experiments", "configs") for path in files_under(folder)),
        ROOT / "run.py",
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name != "Config":
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_every_module_has_its_test_by_path():
    """ie_scaling/a/b.py has tests/a/test_b.py, experiments/a.py tests/experiments/test_a.py; an __init__.py none."""
    modules = [path for folder in (PACKAGE, "experiments") for path in files_under(folder) if path.stem != "__init__"]
    paths = [path.relative_to(ROOT) for path in modules]
    untested = {path.as_posix() for path in paths if not _test_of(path).is_file()}
    assert untested == set(UNTESTED), "modules without a test, or listed in UNTESTED and tested or gone"


def _test_of(path):
    inside = path.relative_to(PACKAGE) if path.parts[0] == PACKAGE else path
    return ROOT / "tests" / inside.with_name(f"test_{path.name}")


def test_few_rooms_of_laws_are_seen_from_outside():
    """laws.X is a room, whether X is a module or a package with all that is in it."""
    laws = f"{PACKAGE}.laws"
    outside = [path for path in MODULES if not covers("laws", part_of(path))]
    outside += [*files_under("experiments"), *files_under("configs"), ROOT / "run.py"]
    seen = {name for path in outside for name in imports(path) if name.startswith(f"{laws}.")}
    rooms = {name.removeprefix(f"{laws}.").split(".")[0] for name in seen}
    assert len(rooms) <= MOST_ROOMS, sorted(rooms)


def test_modules_import_one_another_in_no_circle():
    """At module level; a package's __init__.py counts as imported with each module in it but for the package's own."""
    imported = {}
    for path in files_under(PACKAGE):
        module = f"{PACKAGE}.{part_of(path)}".rstrip(".")
        names = {name for name in imports(path, top_level_only=True) if covers(PACKAGE, name)}
        names |= {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
        imported[module] = {name for name in names if not covers(name, module)}
    graphlib.TopologicalSorter(imported).prepare()  # names the modules of a circle
