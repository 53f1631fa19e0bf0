"""A row filter's syntax tree, evaluated against the list of what is allowed."""

import ast
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.tables import filter_values, numbers
from ie_scaling.tables.filter_methods import METHODS, NEEDED, TEXT_METHODS, FilterMethod
from ie_scaling.tables.filter_syntax import NotAllowed, not_allowed, parse
from ie_scaling.tables.filter_values import Column, Value

_COMPARED: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_CALCULATED: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_NAMES: dict[type, str] = {
    ast.Lambda: "lambda",
    ast.NamedExpr: ":=",
    ast.JoinedStr: "an f-string",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.IfExp: "if … else",
    ast.Subscript: "[…] after a value",
    ast.List: "a list that does not follow `in`",
    ast.Tuple: "a tuple that does not follow `in`",
    ast.Set: "a set that does not follow `in`",
    ast.Dict: "a dict",
    ast.Starred: "*",
    ast.MatMult: "@",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Is: "the operator `is`",
    ast.IsNot: "the operator `is not`",
}
TRANSFORMS = ("min", "max", "mean")


def keeps(frame: pd.DataFrame, where: str) -> np.ndarray:
    """Whether a filter keeps each row of the table.

    Raises:
      NotAllowed: what it says is not allowed, or is not true or false for each row.
    """
    tree, backticks = parse(where)
    mask = filter_values.as_truth(_Evaluation(frame, backticks).value(tree))
    if not isinstance(mask, np.ndarray):
        raise NotAllowed("must be true or false for each row; it is the same for all")
    return mask


class _Evaluation:
    """The values of a tree's nodes on one table."""

    def __init__(self, frame: pd.DataFrame, backticks: Mapping[str, str]):
        self._frame = frame
        self._backticks = backticks

    def value(self, node: ast.AST) -> Value:
        """What a node is; each kind of node has a method of its own, and every other is refused by name."""
        visits: dict[type, Callable[[Any], Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._column,
            ast.Compare: self._comparison,
            ast.BoolOp: self._logic,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._arithmetic,
            ast.Call: self._call,
        }
        if type(node) not in visits:
            raise not_allowed(_name_of(node))
        return visits[type(node)](node)

    def _constant(self, node: ast.Constant) -> Value:
        constant = node.value
        if isinstance(constant, bool | str):
            return constant
        if not isinstance(constant, int | float):
            raise not_allowed("None (use .isna())" if constant is None else numbers.quoted(constant))
        if isinstance(constant, int) and (constant.bit_length() > 1000 or int(float(constant)) != constant):
            raise NotAllowed(
                f"{numbers.quoted(constant)} has more digits than a float64; compare it as text, in quotes"
            )
        if not np.isfinite(constant):
            raise NotAllowed("a number must be finite")
        return float(constant)

    def _column(self, node: ast.Name) -> Column:
        return self._named(self._backticks.get(node.id, node.id))

    def _named(self, name: str) -> Column:
        if name not in self._frame.columns:
            names = [str(column) for column in self._frame.columns]
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {numbers.label(near[0])}?" if near else f"; there are {_listed(names)}"
            raise NotAllowed(f"no column is named {numbers.label(name)}{hint}")
        cells = self._frame[name]
        if isinstance(cells, pd.DataFrame):
            raise NotAllowed(f"{cells.shape[1]} columns are named {numbers.label(name)}")
        return Column(name, cells)

    def _comparison(self, node: ast.Compare) -> np.ndarray | bool:
        truth: Any = True
        left = self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                is_in = filter_values.is_in(left, self._list(right_node))
                truth = np.logical_and(truth, is_in if isinstance(op, ast.In) else np.logical_not(is_in))
                continue
            if type(op) not in _COMPARED:
                raise not_allowed(_name_of(op))
            right = self.value(right_node)
            truth = np.logical_and(truth, filter_values.compare(_COMPARED[type(op)], left, right))
            left = right
        return _plain(truth)

    def _list(self, node: ast.AST) -> list[Any]:
        """The constants of a list, tuple or set."""
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            raise NotAllowed("in needs a list such as ['a', 'b']; part of a text is name.str.contains('a')")
        constants = [self.value(item) for item in node.elts]
        if not constants or any(isinstance(item, Column | np.ndarray | bool) for item in constants):
            raise NotAllowed("a list must hold numbers or texts, one at least")
        return constants

    def _logic(self, node: ast.BoolOp) -> np.ndarray | bool:
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        result: Any = filter_values.as_truth(self.value(node.values[0]))
        for item in node.values[1:]:
            result = combine(result, filter_values.as_truth(self.value(item)))
        return _plain(result)

    def _unary(self, node: ast.UnaryOp) -> Value:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return _plain(np.logical_not(filter_values.as_truth(operand)))
        return filter_values.calculate("*", operand, -1.0 if isinstance(node.op, ast.USub) else 1.0)

    def _arithmetic(self, node: ast.BinOp) -> np.ndarray | float:
        if type(node.op) not in _CALCULATED:
            raise not_allowed(_name_of(node.op))
        return filter_values.calculate(_CALCULATED[type(node.op)], self.value(node.left), self.value(node.right))

    def _call(self, node: ast.Call) -> Value:
        """abs(x), a method of a column, a method of its text, or a transform of groups."""
        function = node.func
        if isinstance(function, ast.Name) and function.id == "abs" and len(node.args) == 1:
            return METHODS["abs"].apply(self.value(node.args[0]), **self._arguments(node, METHODS["abs"], 1))
        if not isinstance(function, ast.Attribute):
            raise not_allowed(_name_of(node))
        owner = function.value
        if function.attr == "transform":
            return self._transform(node, owner)
        is_of_text = isinstance(owner, ast.Attribute) and owner.attr == "str"
        method = (TEXT_METHODS if is_of_text else METHODS).get(function.attr)
        if method is None:
            raise not_allowed(_name_of(node))
        return method.apply(self.value(owner.value if is_of_text else owner), **self._arguments(node, method))

    def _arguments(self, node: ast.Call, method: FilterMethod, n_before: int = 0) -> dict[str, Any]:
        """A call's arguments by name, after the first n_before."""
        names = list(method.arguments)
        given: dict[Any, ast.AST] = dict(zip(names[: method.n_positional], node.args[n_before:], strict=False))
        extra = [keyword.arg for keyword in node.keywords if keyword.arg not in names or keyword.arg in given]
        given |= {keyword.arg: keyword.value for keyword in node.keywords}
        missing = [name for name in names if name not in given and method.arguments[name] is NEEDED]
        if extra or missing or len(node.args) - n_before > len(names[: method.n_positional]):
            takes = ", ".join(names) or "no argument"
            raise NotAllowed(f"{_name_of(node)} takes {takes}")
        return dict(method.arguments) | {name: self._argument(item) for name, item in given.items()}

    def _argument(self, node: ast.AST) -> Any:
        return self._list(node) if isinstance(node, ast.List | ast.Tuple | ast.Set) else self.value(node)

    def _transform(self, node: ast.Call, grouped: ast.AST) -> np.ndarray:
        """loss.groupby(keys).transform('min'), groupby(keys)['loss'].transform('min') or groupby(keys).loss.…"""
        names = [item.value for item in node.args if isinstance(item, ast.Constant)]
        if node.keywords or len(node.args) != 1 or names not in ([name] for name in TRANSFORMS):
            raise NotAllowed(f".transform() takes one of {', '.join(map(repr, TRANSFORMS))}")
        value, keys = self._grouped(grouped)
        return filter_values.best_of_group(value, [self._key(key) for key in keys], str(names[0]))

    def _grouped(self, node: ast.AST) -> tuple[Value, Sequence[ast.AST]]:
        """What is transformed, and the nodes of the columns that make the groups."""
        call, value = node, None
        if isinstance(node, ast.Subscript):
            call, value = node.value, self._key(node.slice)
        elif isinstance(node, ast.Attribute):
            call, value = node.value, self._named(self._backticks.get(node.attr, node.attr))
        if not isinstance(call, ast.Call) or call.keywords or len(call.args) != 1:
            raise NotAllowed("write loss.groupby([n_params_total, n_tokens]).transform('min')")
        if value is None and isinstance(call.func, ast.Attribute) and call.func.attr == "groupby":
            value = self.value(call.func.value)
        elif value is None or not isinstance(call.func, ast.Name) or call.func.id != "groupby":
            raise NotAllowed("write loss.groupby([n_params_total, n_tokens]).transform('min')")
        keys = call.args[0]
        return value, list(keys.elts) if isinstance(keys, ast.List | ast.Tuple) else [keys]

    def _key(self, node: ast.AST) -> Column:
        """A column by its name, in quotes or not."""
        if isinstance(node, ast.Name):
            return self._column(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._named(node.value)
        raise NotAllowed("groupby() takes columns: a name, or a list of names")


def _plain(value: Any) -> np.ndarray | bool:
    return value if isinstance(value, np.ndarray) else bool(value)


def _name_of(node: ast.AST) -> str:
    """A construct as the user wrote it, as far as that is short."""
    if isinstance(node, ast.Attribute):
        return f".{_cut(node.attr)}"
    if isinstance(node, ast.Call):
        return f"{_cut(node.func.id)}()" if isinstance(node.func, ast.Name) else f"{_name_of(node.func)}()"
    return _NAMES.get(type(node), type(node).__name__.lower())


def _cut(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:40]}…"


def _listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(numbers.label(name) for name in names[:12]) + more
