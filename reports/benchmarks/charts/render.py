"""A chart as PNG, SVG and a page that works offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.disk import write
from conformance.extras import imported
from conformance.plain import blanked
from conformance.reports.render import html
from conformance.reports.table import Table

__all__ = ["page", "render", "spec_of", "svg_of"]

SCALE = 2.0
_TEMPLATES = Path(__file__).parent / "templates"


def spec_of(chart: Any) -> dict[str, Any]:
    """The chart's Vega-Lite specification, with its data inside.

    Control characters become spaces: a single one in a name makes the SVG ill-formed, and the converter abort.
    """
    spec: dict[str, Any] = _cleaned(chart.to_dict(validate=False))
    return spec


def render(chart: Any, folder: Path, name: str, *, below: Path | None = None) -> list[Path]:
    """Write ``name.png`` (two pixels a point) and ``name.svg``. Raises HarnessError where that cannot be written.

    ``below`` is the folder that ``folder`` is a part of, where it is one: no link may lead out of that.
    """
    vl_convert = _converter()
    spec = spec_of(chart)
    return [
        write(folder / f"{name}.png", vl_convert.vegalite_to_png(spec, scale=SCALE), below=below),
        write(folder / f"{name}.svg", vl_convert.vegalite_to_svg(spec), below=below),
    ]


def svg_of(chart: Any) -> str:
    """The chart as the text of an SVG file."""
    text: str = _converter().vegalite_to_svg(spec_of(chart))
    return text


def page(
    charts: Sequence[tuple[str, Any]],
    title: str,
    *,
    about: Sequence[str] = (),
    tables: Sequence[Table] = (),
    lists: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """One HTML page with all charts, Vega inside: it asks nothing of the network.

    ``charts`` are (name, chart). ``about`` are lines before them; ``tables``, and ``lists`` of lines below a heading,
    stand after them.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: blanked(value) if type(value) is str else value,
    )
    environment.filters["table"] = html
    text: str = environment.get_template("page.html").render(
        title=title,
        vega=Markup(_vega()),
        charts=[_labelled(spec_of(chart)) for _, chart in charts],
        about=about,
        tables=tables,
        lists=lists,
    )
    return text


@cache
def _vega() -> str:
    """Vega and what shows a chart by it, as one script: to put it together takes a second."""
    show = "window.showChart = (where, spec) => vegaEmbed(where, spec, {actions: false, renderer: 'svg'});"
    text: str = _converter().javascript_bundle(show)
    return text


def _labelled(spec: dict[str, Any]) -> tuple[str, Markup]:
    """What a picture says to who cannot see it, its title in place of a hundred marks without a name; and its JSON."""
    spec["config"] |= {"aria": False, "mark": {"aria": False}}
    label = " ".join([f"{spec['title']['text']}.", *spec["title"].get("subtitle", [])])
    return label, Markup(json.dumps(spec).replace("<", "\\u003c"))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return blanked(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(each) for name, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value


def _converter() -> Any:
    return imported("vl_convert", "report", "pictures need")
