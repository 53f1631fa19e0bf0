"""The import table of the project, held by walking the syntax trees: one way, siblings apart, configs free of JAX."""

import ast
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
