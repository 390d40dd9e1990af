"""A derivation as aligned lines, so that a reader follows the numbers from the logits to the loss."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from conformance.cli.tables import aligned, cell
from conformance.explain.answers import BackendAnswers
from conformance.model.layouts import LAYOUTS, named_operands
from conformance.model.verdicts import NONCONFORMING
from conformance.model.wording import check_name, message
from conformance.oracle.mistakes import Mistake
from conformance.oracle.steps import Derivation, DerivedResult, Position, Step
from conformance.places import PROFILES
from conformance.plain import on_terminal, plural, say
from conformance.profiles.load import load_profile
from conformance.profiles.profile import Profile

__all__ = ["write_explanation"]

INDENT = "  "
#: Labels of steps whose notes are worth repeating at every position.
ALWAYS = ("ignored", "special", "loss", "terms")
_COLOURS = {"pass": "green", "deviation": "cyan", "known": "yellow", "error": "magenta", "stale": "yellow"}


def write_explanation(
    derivation: Derivation,
    mistakes: Sequence[Mistake],
    reduction: str,
    seen: Sequence[BackendAnswers],
    policies: Sequence[str],
) -> None:
    """Write everything to standard output; coloured only on a terminal."""
    _heading(derivation)
    if derivation.axis_choices:
        _axes(derivation)
    else:
        for policy in policies:
            _policy(policy)
    if derivation.refusal:
        _refusal(derivation.refusal)
    for number, position in enumerate(derivation.positions):
        _position(derivation, position, notes=number == 0)
    hidden = derivation.count - len(derivation.positions)
    if hidden > 0:
        say(f"\n… and {plural(hidden, 'more position')}, derived in the same way", dim=True)
    if derivation.results:
        _title("the exact result")
        for result in derivation.results:
            _result(derivation, result)
    if mistakes:
        _title(f"what common mistakes give for these numbers{_reduced(derivation, reduction)}")
        _columns([[_listed(each.values, each.more), each.name, _who(each, seen)] for each in mistakes])
    for each in seen:
        _backend(each)


def _who(mistake: Mistake, seen: Sequence[BackendAnswers]) -> str:
    names = [on_terminal(each.name) for each in seen if mistake.name in each.mistakes]
    return f"← what {' and '.join(names)} gave" if names else ""


def _title(text: str) -> None:
    say(f"\n{text}", bold=True)


def _columns(rows: list[list[str]]) -> None:
    for line in aligned(rows):
        say(INDENT + line)


def _reduced(derivation: Derivation, reduction: str) -> str:
    return "" if derivation.operation in ("softmax", "log_softmax") else f" ({reduction})"


def _listed(values: Sequence[str], more: int) -> str:
    text = ", ".join(values)
    return f"[{text}{', …' if more else ''}]" if len(values) != 1 or more else text


# -- what the case is ------------------------------------------------------------------------------------------------


def _heading(derivation: Derivation) -> None:
    say(derivation.case, bold=True)
    for line in textwrap.wrap(derivation.why, 100):
        say(INDENT + line)
    what = {"nll_loss": "log-probabilities", "log_loss": "probabilities"}.get(derivation.operation, "logits")
    shape = "×".join(map(str, derivation.shape)) or "no axes (one number)"
    facts = [f"{derivation.operation} of {derivation.dtype} {what} of shape {shape}"]
    if derivation.class_axis is not None and derivation.shape:
        how = "stated" if derivation.axis_stated is not None else "left to the framework; this is the normative choice"
        facts.append(f"classes along axis {derivation.class_axis} ({how})")
    if derivation.count:
        facts.append(f"{plural(derivation.count, 'position')} of {derivation.extent or 1} classes")
    say(INDENT + "; ".join(facts))
    if derivation.layout != "contiguous":
        named = named_operands(derivation.layout) or {"operands": derivation.layout}
        for operand, layout in named.items():
            say(f"{INDENT}{operand} in memory: {layout}, {LAYOUTS[layout]}")
    if derivation.warning:
        say(f"{INDENT}expected: a warning that mentions {derivation.warning!r}")


def _axes(derivation: Derivation) -> None:
    """Which axis each policy picks when the caller names none, and who declares that policy."""
    _title(f"the axis is left to the framework; for rank {len(derivation.shape)}")
    operation = "log_softmax" if derivation.operation == "nll_loss_of_log_softmax" else derivation.operation
    declared: dict[str, list[str]] = {}
    for profile in _profiles():
        policy = profile.policies.get("default-axis")
        values = policy.value if policy and isinstance(policy.value, dict) else {}
        value = values.get(operation, values.get("all"))
        if value is not None:
            declared.setdefault(str(value), []).append(profile.backend)
    rows = []
    for choice in derivation.axis_choices:
        picks = "the whole array" if choice.axis is None else f"axis {choice.axis}"
        normative = " (normative)" if choice.policy == "1" else ""
        who = f"declared by {', '.join(declared[choice.policy])}" if choice.policy in declared else ""
        rows.append([f"policy {choice.policy}{normative}", picks, who])
    _columns(rows)


def _policy(name: str) -> None:
    """What each backend declares where implementations legitimately differ."""
    rows = []
    for profile in _profiles():
        declared = profile.policies.get(name)
        if declared is not None:
            link = declared.documentation + (f" ({declared.note})" if declared.note else "")
            rows.append([profile.backend, cell(declared.value), link])
    _title(f"a matter of policy: {name}")
    _columns(rows or [["no backend declares it"]])


def _profiles() -> list[Profile]:
    return [load_profile(file) for file in sorted(PROFILES.glob("*.yaml"))]


def _refusal(why: str) -> None:
    _title("the call must raise")
    say(f"{INDENT}{why}")
    say(f"{INDENT}There is no right value: an error of any type is right, and whatever is returned is wrong.")


# -- the derivation --------------------------------------------------------------------------------------------------


def _position(derivation: Derivation, position: Position, *, notes: bool) -> None:
    index = ", ".join(map(str, position.index))
    name = f"position {f'({index})' if len(position.index) > 1 else index}" if position.index else "the only position"
    target = f", target {position.target}" if position.target else ""
    _title(name + target)
    shown = len(derivation.classes)
    per_class = [step for step in position.steps if len(step.values) == shown and shown > 1]
    rows = [["", "", *_heads(derivation)]] if per_class else []
    for step in position.steps:
        values = list(step.values) + [""] * ((shown if per_class else 1) - len(step.values))
        rows.append([step.label, step.formula, *values])
    offset = 1 if per_class else 0
    for number, line in enumerate(aligned(rows)):
        shown_step = position.steps[number - offset] if number >= offset else None
        say(INDENT + line + _note(shown_step, notes=notes), dim=shown_step is None)


def _heads(derivation: Derivation) -> list[str]:
    """Column heads; a gap in the classes that are shown is marked."""
    heads, before = [], -1
    for c in derivation.classes:
        heads.append(f"class {c}" if c == before + 1 else f"… class {c}")
        before = c
    if before + 1 < derivation.extent:
        heads[-1] += " …"
    return heads


def _note(step: Step | None, *, notes: bool) -> str:
    if step is None or not step.note or not (notes or step.label in ALWAYS):
        return ""
    return f"  ({step.note})"


def _result(derivation: Derivation, result: DerivedResult) -> None:
    name = result.reduction if _reduced(derivation, result.reduction) else derivation.operation
    how = [f"{step.formula} = {', '.join(step.values)}" + _note(step, notes=True) for step in result.steps]
    text = _listed(result.exact, result.more) if result.exact else "no value by the definition"
    lead = f"{INDENT}{name:<{max(8, len(name) + 2)}}"
    say(f"{lead}{text}", bold=len(result.exact) == 1)
    pad = " " * len(lead)
    if result.exact and derivation.dtype != "float64":
        say(f"{pad}rounded to {derivation.dtype}: {_listed(result.nearest, result.more)}", dim=True)
    for line in [*how, *([result.note] if result.note else [])]:
        say(f"{pad}{line}", dim=True)


# -- what backends gave ----------------------------------------------------------------------------------------------


def _backend(seen: BackendAnswers) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in seen.versions.items())
    gave = f"{seen.name} gave ({versions} on {seen.device}, {seen.how})"
    gave = on_terminal(gave)
    _title(gave if seen.versions else f"{seen.name} did not run")
    if seen.error:
        say(textwrap.indent(seen.error, INDENT))
        return
    rows, verdicts, messages = [["reduction", "check", "gave", "ulp", "class", "verdict"]], [""], [""]
    for each in seen.outcomes:
        if each.verdict == "pass" and each.check not in ("value", "gradient", "error", "warning"):
            continue
        gave = seen.gave.get(f"{each.reduction} {each.check}", "")
        ulp = "" if each.ulp is None else f"{float(each.ulp):.3g}"
        rows.append(
            [
                each.reduction,
                check_name(each.check, each.policy, each.aspect),
                gave,
                ulp,
                each.class_ or "",
                each.verdict,
            ]
        )
        verdicts.append(each.verdict)
        said = message(each)
        messages.append(said if said != gave else "")
    for line, verdict, said in zip(aligned(rows), verdicts, messages, strict=True):
        colour = "red" if verdict in NONCONFORMING and verdict != "stale" else _COLOURS.get(verdict)
        say(INDENT + line, fg=colour, dim=not verdict)
        for part in said.split("\n") if said else ():
            say(f"{INDENT * 2}{part}", dim=True)
