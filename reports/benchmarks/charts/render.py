"""A chart as PNG, SVG and a page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.model.errors import HarnessError, UsageError
from conformance.plain import blanked

__all__ = ["page", "render", "spec_of", "svg_of"]

SCALE = 2.0
#: Pictures and tables that are wider than a telephone scroll by themselves; on paper they shrink.
STYLE = (
    "body{font:1rem/1.5 sans-serif;color:#1a1a1a;background:#fff;margin:2rem 1rem}"
    "main{max-width:88rem;margin:auto}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.25rem 0}"
    "figure{margin:1.5rem 0 2.5rem}figure,.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .5rem;border-bottom:1px solid #e4e4e4;text-align:left;white-space:nowrap;font-weight:400}"
    "thead th{color:#5a5a5a}th.r,td.r{text-align:right}.v-fail{color:#b00020}.hidden{display:none}"
    "@media print{body{margin:0}figure,tr{break-inside:avoid}h2{break-after:avoid}figure,.scroll{overflow:visible}"
    "figure svg{max-width:100%;height:auto}table{font-size:6pt}th,td{padding:1pt 2pt;white-space:normal}}"
)


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
        svg.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written: {error.strerror}") from None
    return [png, svg]


def svg_of(chart: Any) -> str:
    """The chart as the text of an SVG file."""
    text: str = _converter().vegalite_to_svg(spec_of(chart))
    return text


def page(charts: list[tuple[str, Any]], title: str, before: str = "", after: str = "") -> str:
    """One HTML page with all charts, Vega inside: it asks nothing of the network.

    ``charts`` are (name, chart); ``before`` and ``after`` are HTML around them.
    """
    import json

    from markupsafe import escape

    bundle = _converter().javascript_bundle(
        "window.showChart = (where, spec) => vegaEmbed(where, spec, {actions: false, renderer: 'svg'});"
    )
    blocks = []
    for number, (_, chart) in enumerate(charts):
        spec = spec_of(chart)
        # A picture for who cannot see it: what its title says, in place of a hundred marks without a name.
        spec["config"] |= {"aria": False, "mark": {"aria": False}}
        label = escape(" ".join([f"{spec['title']['text']}.", *spec["title"].get("subtitle", [])]))
        text = json.dumps(spec).replace("<", "\\u003c")
        blocks.append(
            f'<figure tabindex="0"><div id="chart-{number}" role="img" aria-label="{label}"></div></figure>'
            f'<script>showChart("#chart-{number}", {text});</script>'
        )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<script>{bundle}</script></head>\n"
        f"<body><main><h1>{escape(title)}</h1>\n{before}\n" + "\n".join(blocks) + f"\n{after}\n</main></body></html>\n"
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
            "pictures need vl_convert, which is not installed", hint="install the extra: pip install -e '.[report]'"
        ) from None
    return vl_convert
