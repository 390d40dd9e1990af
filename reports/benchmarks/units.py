"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["bytes_", "percent", "percent_change", "percent_changes", "seconds"]

_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns"))


def seconds(value: float | None) -> str:
    """A duration in three digits with its unit: ``1.24 ms``; from a minute on, ``4 min 38 s``."""
    if value is None:
        return "–"
    if value >= 60:
        return f"{int(value // 60)} min {int(value % 60)} s"
    for step, unit in _STEPS:
        if float(f"{value:.3g}") >= step:  # what is rounded to 1000 µs is 1 ms
            return f"{_digits(value / (step or 1e-9))} {unit}"
    return f"{value} s"


def bytes_(value: float | None) -> str:
    """A size in three digits with a binary unit."""
    if value is None:
        return "–"
    for step, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= step:
            return f"{_digits(value / step)} {unit}"
    return f"{value:.0f} B"


def percent(share: float | None) -> str:
    """A share in three digits: ``16.4 %``; what rounds to nothing is shown as below a hundredth of a percent."""
    if share is None:
        return "–"
    return "<0.01 %" if 0 < share < 0.00005 else f"{_digits(100 * share)} %"


def percent_change(ratio: float) -> str:
    """A ratio of times as a change: 1.1 is ``+10.0 %``; from a doubling on, as a factor."""
    return percent_changes(ratio)[0]


def percent_changes(*ratios: float) -> list[str]:
    """Ratios that belong together, as an estimate and its interval do: all in percent, or all as factors."""
    if any(ratio >= 2 or ratio <= 0.5 for ratio in ratios):
        return [f"×{_digits(ratio)}" for ratio in ratios]
    return [f"{(ratio - 1) * 100:+.1f} %" for ratio in ratios]


def _digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
