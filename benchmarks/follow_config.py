"""How far a reader must follow `config` through a verb: calls that it is passed to, and modules where they stand.

  python benchmarks/follow_config.py fit                     this checkout
  python benchmarks/follow_config.py fit --root=OTHER        another one, such as an older worktree

From every function of experiments/VERB.py that has a parameter `config`, each call of this repository's functions that
is given it, whole or in part (config.seed), is counted once; one that is given it whole is followed. Calls of what the
syntax tree does not name (a method of a value, a function that was passed) are not seen. Beside that: the calls that
are given it whole, and every function of the repository that the verb reaches, with or without `config`.
"""

import argparse
import ast
from pathlib import Path


class Repository:
    """Functions by module, and what the names of a module stand for."""

    def __init__(self, root: Path):
        self.root = root
        self._modules: dict[str, tuple[dict[str, ast.FunctionDef], dict[str, str]]] = {}

    def source(self, module: str) -> Path | None:
        """The file of a module of the repository."""
        base = self.root.joinpath(*module.split("."))
        return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)

    def read(self, module: str) -> tuple[dict[str, ast.FunctionDef], dict[str, str]]:
        """A module's functions, methods as Class.name, and the dotted names that its imports and aliases stand for."""
        if module not in self._modules:
            path, functions, names = self.source(module), {}, {}
            tree = ast.parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    functions[node.name] = node
                elif isinstance(node, ast.ClassDef):
                    methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
                    functions |= {f"{node.name}.{inner.name}": inner for inner in methods}
            self._modules[module] = functions, names
        return self._modules[module]

    def callee(self, module: str, function: ast.expr) -> tuple[str, str] | None:
        """The module and name of the function that a call names, where it is one of the repository."""
        parts: list[str] = []
        while isinstance(function, ast.Attribute):
            parts.insert(0, function.attr)
            function = function.value
        if not isinstance(function, ast.Name):
            return None
        functions, names = self.read(module)
        name = ".".join([function.id, *parts])
        if name in functions:
            return module, name
        dotted = ".".join([names.get(function.id, function.id), *parts]).split(".")
        for cut in range(len(dotted) - 1, 0, -1):
            home, name = ".".join(dotted[:cut]), ".".join(dotted[cut:])
            if self.source(home):
                inner = self.read(home)
                if name in inner[0]:
                    return home, name
                offered = inner[1].get(name)  # what a package offers from a module of its own
                return tuple(offered.rsplit(".", 1)) if offered and name not in inner[0] else None  # ty: ignore
        return None


Call = tuple[str, int, str]  # module, line, callee


def follow(repository: Repository, verb: str) -> tuple[set[Call], set[Call], set[tuple[str, str]]]:
    """Calls that `config` is passed to, those that it is passed to whole, and every function that is reached."""
    start = f"experiments.{verb}"
    waiting = [(start, name, {"config"}) for name in repository.read(start)[0]]
    calls, whole, reached, seen = set(), set(), set(), set()
    while waiting:
        module, name, tracked = waiting.pop()
        if (module, name, frozenset(tracked)) in seen:
            continue
        seen.add((module, name, frozenset(tracked)))
        reached.add((module, name))
        node = repository.read(module)[0].get(name)
        for call in [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)] if node else []:
            target = repository.callee(module, call.func)
            if target is None:
                continue
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(isinstance(part, ast.Name) and part.id in tracked for each in given for part in ast.walk(each)):
                calls.add((module, call.lineno, ".".join(target)))
            bound = _bound(repository, target, call, tracked)
            if bound:
                whole.add((module, call.lineno, ".".join(target)))
            waiting.append((*target, bound))
    return calls, whole, reached


def _bound(repository: Repository, target: tuple[str, str], call: ast.Call, tracked: set[str]) -> set[str]:
    """The parameters of the callee that are given a tracked name whole."""
    node = repository.read(target[0])[0].get(target[1])
    parameters = [argument.arg for argument in node.args.args] if node else []
    pairs = [*zip(parameters, call.args, strict=False), *((k.arg or "", k.value) for k in call.keywords)]
    return {name for name, value in pairs if isinstance(value, ast.Name) and value.id in tracked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--list", action="store_true", help="print every call")
    options = parser.parse_args()
    calls, whole, reached = follow(Repository(options.root), options.verb)
    for module, line, callee in sorted(calls) if options.list else ():
        print(f"{module}:{line} {callee}")
    print(f"{options.verb}: config, whole or in part, goes through {len(calls)} calls over {_modules(calls)} modules,")
    print(f"whole through {len(whole)} over {_modules(whole)}; ", end="")
    print(f"{len(reached)} functions of {len({module for module, _ in reached})} modules are reached at all")


def _modules(calls: set[Call]) -> int:
    return len({callee.rsplit(".", 1)[0] for _, _, callee in calls} | {module for module, _, _ in calls})


if __name__ == "__main__":
    main()
