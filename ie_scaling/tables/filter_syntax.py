"""The text of a row filter as a syntax tree, within limits; nothing of it is ever run as Python or by pandas."""

import ast
import re
import warnings

MOST_CHARACTERS = 2000
MOST_LEVELS = 60
_LEXEMES = re.compile(
    r"""(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?P<column>`[^`\n]+`)|(?P<operator>&&?|\|\|?)|(?P<other>.)""",
    re.DOTALL,
)
_ALLOWED = (
    "columns (`a/b` in backticks), numbers, 'text', [lists], == != < <= > >= in, and or not & | ~, + - * / // % **, "
    "abs(), .abs() .between() .isin() .isna() .notna() .str.contains() .str.startswith() .str.endswith() "
    ".str.lower() .str.upper() .groupby().transform('min'|'max'|'mean')"
)


class NotAllowed(Exception):
    """A filter that cannot be applied: why, on one line, without the field and the table that filter_rows names."""


def not_allowed(what: str) -> NotAllowed:
    """The error for a construct outside the list of what a filter may say."""
    return NotAllowed(f"{what} is not allowed; allowed are {_ALLOWED}")


def parse(where: str) -> tuple[ast.expr, dict[str, str]]:
    """The tree of a filter, and the column that each identifier written for backticks stands for.

    & and | bind as `and` and `or` do, as in pandas' queries.

    Raises:
      NotAllowed: too long, too deep, or no expression.
    """
    if len(where) > MOST_CHARACTERS:
        raise NotAllowed(f"it has {len(where):,} characters, more than {MOST_CHARACTERS:,}")
    source, columns = _without_backticks(where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in text, which are the user's
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        hint = "; == compares" if re.search(r"(?<![=!<>])=(?!=)", source) else ""
        hint = "; and, or, not are written small" if re.search(r"\b(AND|OR|NOT)\b", source) else hint
        raise NotAllowed(f"{reason}{hint}") from None
    if _levels(tree) > MOST_LEVELS:
        raise NotAllowed(f"it is nested more than {MOST_LEVELS} levels deep")
    return tree, columns


def _without_backticks(where: str) -> tuple[str, dict[str, str]]:
    """The filter with an identifier for each name in backticks, and `and`, `or` for & and |, outside of text."""
    columns: dict[str, str] = {}
    parts = []
    for match in _LEXEMES.finditer(where):
        part = match.group()
        if match["column"]:
            name = f"_in_backticks_{len(columns)}"
            columns[name] = part[1:-1].strip()
            part = f" {name} "
        elif match["operator"]:
            part = " and " if part.startswith("&") else " or "
        elif part in ("@", "#", "`"):
            raise not_allowed("an unmatched `" if part == "`" else part)
        elif part.isspace():
            part = " "
        parts.append(part)
    return "".join(parts).strip(), columns


def _levels(tree: ast.AST) -> int:
    """How deep the tree is, without recursion."""
    level, nodes = 0, [tree]
    while nodes:
        level += 1
        nodes = [child for node in nodes for child in ast.iter_child_nodes(node)]
    return level
