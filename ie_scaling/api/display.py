"""How the results of calls from Python show themselves: as text, and as HTML in a notebook."""

import dataclasses
import html

import pandas as pd

INTERVAL = {"mean": "mean", "lo90": "90 % from", "hi90": "to"}  # columns of a summary that are shown, and as what


@dataclasses.dataclass(frozen=True)
class ShownSummary:
    """What a person reads of a result: a title, lines about it, a table of numbers, and what is warned of."""

    title: str
    lines: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    warnings: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Plain text, the title first and the warnings last."""
        parts = [self.title, *(f"  {line}" for line in self.lines)]
        if self.table is not None:
            text = self.table.to_string(float_format=_number, index_names=False)
            parts += [f"  {line}" for line in text.splitlines()]
        return "\n".join([*parts, *(f"  warning: {warning}" for warning in self.warnings)])

    def to_html(self) -> str:
        """The same as HTML; every text escaped."""
        parts = [
            f"<strong>{html.escape(self.title)}</strong>",
            *(f"<div>{html.escape(line)}</div>" for line in self.lines),
        ]
        if self.table is not None:
            parts.append(self.table.to_html(float_format=_number, index_names=False, border=0))
        if self.warnings:
            items = "".join(f"<li>warning: {html.escape(warning)}</li>" for warning in self.warnings)
            parts.append(f"<ul>{items}</ul>")
        return f"<div>{''.join(parts)}</div>"


class Shown:
    """A result that shows a summary of itself instead of its arrays."""

    def describe(self) -> ShownSummary:
        """What a person reads of it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.describe().to_text()

    def _repr_html_(self) -> str:
        return self.describe().to_html()


def _number(value: float) -> str:
    return f"{value:.4g}"
