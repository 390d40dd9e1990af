"""``conformance smoke`` checks whether an adapter is sound.

A kernel of one's own is a file such as this, run by ``conformance smoke -b my_kernel.py``::

    import numpy as np
    from conformance.backends.adapters.numpy import Numpy


    class MyKernel(Numpy):
        def softmax(self, logits, *, axis):
            axis = min(1, logits.ndim - 1) if axis is None else axis  # None: the caller names none
            x = logits.astype(np.promote_types(logits.dtype, np.float32))
            powers = np.exp(x - x.max(axis, keepdims=True))
            return (powers / powers.sum(axis, keepdims=True)).astype(logits.dtype)
"""

from __future__ import annotations

import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from conformance.cli.options import format_option, named_backends_option, schema_option, seconds_option
from conformance.cli.tables import aligned
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.model.wording import message
from conformance.plain import command_line, json_text, on_terminal, say
from conformance.worker.find import find_backends

if TYPE_CHECKING:
    from conformance.model.outcome import Outcome
    from conformance.run.smoke import Checked, Smoke

__all__ = ["command"]

_COLOURS = {
    "error": "magenta",
    "fail": "red",
    "crash": "red",
    "unreproduced": "red",
    "timeout": "red",
    "not run": "red",
    "unsupported": "yellow",
}


@click.command(
    "smoke",
    epilog="Examples: `conformance smoke -b my_kernel.py`; `conformance smoke -b torch:compile`. "
    "Exit codes: 0 sound; 1 a wrong result; 2 no such backend; 3 the adapter fails.",
)
@named_backends_option("at least one")
@seconds_option("--timeout", 60.0, "Limit for one call.")
@format_option("Lines for people, or one JSON array.")
@schema_option("smoke")
def command(backends: tuple[str, ...], timeout: float, style: str) -> int:
    """Make a dozen small calls on an adapter: which operations work, and the first defect with its place.

    A sound adapter need not conform: the cases of `conformance run` check that.
    """
    from conformance.run.smoke import smoke
    from conformance.worker.limits import Limits

    if not backends:
        raise UsageError("no backend named", hint="write -b NAME or -b path/to/file.py")
    rows: list[dict[str, Any]] = []
    codes = []
    for found in find_backends(backends):
        try:
            result = smoke(found, Limits(call=timeout, hangs=1))
        except BackendUnavailable as error:
            codes.append(3)
            rows.append({"backend": found.name, "error": error.reason})
            say(str(error), err=True)
            continue
        codes.append(result.exit_code)
        rows += [_row(result, each) for each in result.checked]
        if style == "table":
            _write(result)
    if style == "json":
        sys.stdout.write(json_text(rows))
    return 1 if 1 in codes else max(codes)


def _row(result: Smoke, checked: Checked) -> dict[str, Any]:
    first = checked.first
    return {
        "backend": result.name,
        "operation": checked.operation,
        "state": checked.state,
        "calls": checked.calls,
        "sound": checked.sound,
        "unsupported": checked.unsupported,
        "values_only": checked.values_only,
        "source": checked.source,
        "fault": _fault(first) if first else None,
        "hint": _hint(first, checked) if first else None,
    }


def _write(result: Smoke) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    title = f"{result.name}: {versions} on {result.id.device}, {result.id.how}"
    say(on_terminal(title), bold=True)
    rows = [[each.operation, each.state, _counted(each), each.source] for each in result.checked]
    for line, each in zip(aligned(rows), result.checked, strict=True):
        say(f"  {line}", fg=_COLOURS.get(each.state))
        if each.first is not None:
            hint = "" if each.first.verdict == "unsupported" else f"\nhint: {_hint(each.first, each)}"
            say(textwrap.indent(_fault(each.first) + hint, "      "))
        elif each.lacking is not None:
            say(textwrap.indent(f"note: {_fault(each.lacking)}", "      "))
    verdict = {0: "sound", 1: "a result is wrong", 3: "not usable"}[result.exit_code]
    say(f"  {verdict}\n", bold=True)


def _counted(checked: Checked) -> str:
    text = f"{checked.sound} of {checked.calls} calls right"
    if checked.values_only:
        text += f", {checked.values_only} without a gradient"
    return f"{text}, {checked.unsupported} unsupported" if checked.unsupported else text


def _fault(first: Outcome) -> str:
    reduction = "" if first.op in ("softmax", "log_softmax") else f", {first.reduction}"
    return f"{first.case} in {first.dtype}{reduction}, {first.check}: {message(first)}"


#: How Python says that a method does not take a keyword; the call is not the adapter's, and has no place in it.
_REFUSED = re.compile(r"unexpected keyword argument '(\w+)'")


def _hint(first: Outcome, checked: Checked) -> str:
    """What to do about a fault, by its kind; the place is in the message or that of the operation."""
    at = f" at {checked.source}" if checked.source else ""
    if first.verdict == "unsupported":
        return "nothing, if the framework has no such feature; else call it in the adapter"
    if first.verdict == "error":
        place = first.error.where if first.error else ""
        lacking = _REFUSED.search(first.error.text) if first.error and first.error.type == "TypeError" else None
        if lacking and not place:
            return (
                f"add the keyword {lacking[1]!r} to {checked.operation}{at}; it is None where the caller states nothing"
            )
        return f"correct {place}" if place else f"correct the adapter{at}: it must return the framework's own tensor"
    if first.verdict == "unreproduced":
        return f"make the calls{at} several times: the backend's process ends at one of them, or behind it"
    if first.verdict == "not run":
        return "see why the backend's process ended or hung: it is the first fault of another operation"
    if first.verdict in ("crash", "timeout"):
        return f"see what the call{at} does with such a small input"
    if first.check == "error":
        return f"let the framework's error through{at}, or raise one"
    if first.check in ("value", "gradient") and first.expected is not None:
        derived = f"as `{command_line('conformance', 'explain', first.case)}` derives it step by step"
        return f"compare {checked.operation}{at} with the definition, {derived}"
    return f"correct {checked.operation}{at}; where the framework lacks the feature, raise Unsupported"
