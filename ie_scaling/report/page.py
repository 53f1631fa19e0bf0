"""One self-contained HTML page: text, tables and figures, images embedded."""

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from ie_scaling.running import files

_TEMPLATE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a202c; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.lead { background: #ebf8ff; border-left: 4px solid #2b6cb0; padding: .8rem 1rem; }
.warning { background: #fffaf0; border-left: 4px solid #c05621; padding: .5rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #e2e8f0; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } img { max-width: 100%; } figcaption { color: #4a5568; font-size: 13px; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p class="lead">{{ lead }}</p>
{% for warning in warnings %}
<p class="warning">{{ warning }}</p>
{% endfor %}
{% for section in sections %}
<h2>{{ section.title }}</h2>
{% for paragraph in section.paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% for table in section.tables %}
<div class="scroll">{{ table }}</div>
{% endfor %}
{% for image in section.images %}
<figure><img alt="{{ image.caption }}" src="data:image/png;base64,{{ image.data }}">
<figcaption>{{ image.caption }}</figcaption></figure>
{% endfor %}
{% endfor %}
</body>
</html>
""")


@dataclasses.dataclass(frozen=True)
class Section:
    """A headed part of the page; `figures` maps a file name (without ending) to its figure and caption."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[pd.DataFrame] = ()
    figures: dict[str, tuple[Figure, str]] = dataclasses.field(default_factory=dict)


def write(path: Path, title: str, lead: str, warnings: Sequence[str], sections: Sequence[Section]) -> None:
    """Write the page, and each figure as a PNG in figures/ beside it."""
    parts = []
    for section in sections:
        images = []
        for name, (figure, caption) in section.figures.items():
            png = _png(figure)
            with files.replacing(path.parent / "figures" / f"{name}.png") as temporary:
                temporary.write_bytes(png)
            images.append({"data": base64.b64encode(png).decode(), "caption": caption})
        tables = [_table(frame) for frame in section.tables]
        parts.append({"title": section.title, "paragraphs": section.paragraphs, "tables": tables, "images": images})
    files.write_text(path, _TEMPLATE.render(title=title, lead=lead, warnings=warnings, sections=parts))


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _table(frame: pd.DataFrame) -> jinja2.utils.markupsafe.Markup:
    html = frame.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.4g}", escape=True)
    return jinja2.utils.markupsafe.Markup(html)
