"""A chart as PNG, SVG and a page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.errors import HarnessError, UsageError
from conformance.plain import blanked
from reports.benchmarks.charts.slim import slim

__all__ = ["page", "render", "spec_of", "svg_of"]

SCALE = 2.0


def spec_of(chart: Any) -> dict[str, Any]:
    """The chart's Vega-Lite specification, with its data inside.

    Control characters become spaces: a single one in a name makes the SVG ill-formed, and the converter abort.
    """
    spec: dict[str, Any] = _cleaned(chart.to_dict(validate=False))
    return spec


def render(chart: Any, folder: Path, name: str) -> list[Path]:
    """Write ``name.png`` (two pixels a point) and ``name.svg``. Raises HarnessError where that cannot be written."""
    vl_convert = _converter()
    spec = spec_of(chart)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        png.write_bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))
        svg.write_text(slim(vl_convert.vegalite_to_svg(spec)), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written: {error.strerror}") from None
    return [png, svg]


def svg_of(chart: Any) -> str:
    """The chart as the text of an SVG file."""
    text: str = _converter().vegalite_to_svg(spec_of(chart))
    return slim(text)


def page(charts: list[tuple[str, Any]], title: str) -> str:
    """One HTML page with all charts, Vega inside: it asks nothing of the network. ``charts`` are (name, chart)."""
    import json

    from markupsafe import escape

    bundle = _converter().javascript_bundle(
        "window.showChart = (where, spec) => vegaEmbed(where, spec, {actions: false, renderer: 'svg'});"
    )
    blocks = []
    for number, (_, chart) in enumerate(charts):
        spec = json.dumps(spec_of(chart)).replace("<", "\\u003c")
        blocks.append(f'<figure id="chart-{number}"></figure><script>showChart("#chart-{number}", {spec});</script>')
    style = "body{font-family:sans-serif;margin:2rem auto;max-width:62rem}figure{margin:0 0 2.5rem;overflow-x:auto}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{style}</style>\n<script>{bundle}</script></head>\n<body><h1>{escape(title)}</h1>\n"
        + "\n".join(blocks)
        + "\n</body></html>\n"
    )


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return blanked(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(each) for name, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value


def _converter() -> Any:
    try:
        import vl_convert
    except ImportError:
        raise UsageError(
            "pictures need vl_convert, which is not installed", mend="install the extra: pip install -e '.[report]'"
        ) from None
    return vl_convert
