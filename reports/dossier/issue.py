"""The draft of an upstream issue, as Markdown: what happens, what is expected and why, and how to see it."""

from __future__ import annotations

import math
from urllib.parse import quote_plus

from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.outcome import Outcome
from conformance.model.policies import policy_label
from conformance.model.wording import apart, statement
from conformance.profiles.load import recorded_profile
from conformance.reports.escape import address, code, escape, fenced
from conformance.repro.script import Reproducer

__all__ = ["expectation", "issue_text", "observation", "registered", "script_lines", "search_link", "title"]

_NAMES = {
    "gradient-sum": "the sum of the gradient",
    "probability-sum": "the sum of the probabilities",
    "forward-mode": "the Jacobian-vector product (jvp)",
    "second-order": "the Hessian-vector product (hvp)",
    "vectorised-map": "the result of the vectorised map",
    "target-gradient": "the gradient with respect to the targets",
    "second-backward": "the gradient of a second backward pass",
    "concurrent": "the result beside another thread",
    "refilled": "the result for tensors that were written to since the last call",
}
#: Of the identities, the call whose result is held against the plain call's.
_TRANSFORMED = {
    "composed": "nll_loss of log_softmax",
    "shift": "the result of the shifted logits",
    "class-permutation": "the result of the permuted classes",
    "position-permutation": "the result of the permuted positions",
    "axis-move": "the result along another axis",
    "split": "the result of the first position alone",
    "drop-ignored": "the result without the ignored positions",
}
_SEARCHED = {
    "forward-mode": "jvp nan",
    "second-order": "double backward",
    "vectorised-map": "vmap",
    "target-gradient": "gradient labels",
    "second-backward": "retain_graph backward twice",
    "concurrent": "thread safety race",
    "refilled": "cache stale tensor data_ptr",
}
#: Of an entry's name, words that say nothing to a search; and how many others it takes, for it asks for all of them.
_FILLING = frozenset([
    "a", "an", "and", "as", "at", "before", "beside", "by", "from", "has", "in", "is", "no", "not", "of", "on", "or",
    "that", "the", "to", "with",
])  # fmt: skip
MOST_WORDS = 3
#: Checks whose expected number is the truth itself; those of the identities compare two results.
_EXACT = frozenset({"value", "gradient", *_NAMES})


def registered(outcome: Outcome) -> tuple[str, str] | None:
    """The register entry that describes a known finding: its id, and where it is reported."""
    entry = outcome.defect if outcome.verdict == "known" else None
    return None if entry is None else (entry.id, entry.issue)


def title(outcome: Outcome) -> str:
    """One line, such as ``cross_entropy in float16: value nan instead of 1.386``."""
    if outcome.check == "policy":
        return f"{outcome.op} in {outcome.dtype}: {_policy(outcome)} is {_seen(outcome)}, declared {outcome.expected}"
    what = (_NAMES | _TRANSFORMED).get(outcome.check, f"the {outcome.check}")
    call = f"{outcome.op} in {outcome.dtype}"
    if outcome.verdict in ("crash", "timeout", "unreproduced"):
        if outcome.verdict != "unreproduced":
            return f"{call}: {outcome.verdict}"
        return (
            f"{call}: the {'process died' if outcome.reason == 'unreproduced' else f'{outcome.detail} was wrong'}, once"
        )
    if outcome.check == "error":
        return f"{call}: no error for an invalid call: {_reason(outcome)}"
    if outcome.observed is None or outcome.expected is None:
        return f"{call}: {what}{' raises' if outcome.reason == 'raised' else ':'} {_message(outcome)}"[:120]
    observed, expected = outcome.observed, outcome.expected
    return f"{call}: {what} is {_short(observed, expected)} instead of {_short(expected, observed)}"


def observation(outcome: Outcome) -> str:
    """What is seen, with its exact value and error."""
    if outcome.check == "policy":
        return f"{code(_seen(outcome))}: {escape(_message(outcome))}"
    if outcome.observed is None or outcome.reason == "shared":
        return escape(_message(outcome))
    if outcome.check == "error":
        given = outcome.observed if isinstance(outcome.observed, list) else [outcome.observed]
        values = ", ".join(map(str, given))
        return f"{escape(_message(outcome))}: {code(values) if values else 'an empty tensor'}"
    found = code(outcome.observed)
    if isinstance(outcome.ulp, float) and outcome.ulp:
        bound = outcome.ratio if isinstance(outcome.ratio, float) and math.isfinite(outcome.ratio) else None
        beyond = f"; {_short(bound)} times what its accuracy class allows" if bound is not None else ""
        return f"{found}, off by {_short(outcome.ulp)} units in the last place of {outcome.dtype}{beyond}"
    if outcome.check not in _EXACT:
        return f"{found}: {escape(_message(outcome))}"
    return found


def _policy(outcome: Outcome) -> str:
    return policy_label(outcome.policy, outcome.aspect) if outcome.policy else "the policy"


def _seen(outcome: Outcome) -> str:
    """The values of a policy that describe what was seen."""
    seen = outcome.observed if isinstance(outcome.observed, list) else [outcome.observed]
    return " or ".join(str(each) for each in seen) or "none that it knows"


def expectation(outcome: Outcome) -> str:
    """What is expected, with the exact value."""
    if outcome.check == "error":
        return f"An error: {_reason(outcome)}."
    if outcome.check == "policy":
        return f"{code(outcome.expected)}, as the backend's profile declares of {code(_policy(outcome))}."
    number = outcome.expected in ("inf", "-inf", "nan") or isinstance(outcome.expected, float | int)
    if outcome.check in _EXACT and outcome.expected == "nan":
        return "`nan`: for these very inputs the definition meets a NaN, 0/0 or a difference of infinities."
    if outcome.check in _EXACT and number:
        return f"{code(outcome.expected)}, the exact value for these very inputs, as a float64."
    if outcome.check in _EXACT and outcome.expected is not None:
        return f"{code(outcome.expected)}, the shape or dtype of such a call."
    if outcome.check == "repeatable":
        return "The same bits from the same call."
    if outcome.check == "unmodified":
        return "The inputs as they were."
    if outcome.check == "warning":
        return "A warning."
    if outcome.expected is not None:
        return f"{code(outcome.expected)}, as the untransformed call gives, within the rounding errors of both."
    return "A result, as for inputs of other shapes or dtypes."


def issue_text(
    entry: Entry, outcome: Outcome, record: BackendRecord, script: Reproducer, output: str | None = None
) -> str:
    """The draft; ``output`` is what the script printed, where it was run."""
    lines = [f"# {escape(title(outcome))}", "", "## What happens", ""]
    lines += [escape(" ".join(entry.case.why.split())) + ".", "", f"Observed: {observation(outcome)}.", ""]
    lines += ["## What is expected", "", expectation(outcome), ""]
    lines += _documentation(outcome, record)
    lines += ["## To see it", "", *script_lines(script), ""]
    if output is not None:
        lines += ["Its output:", "", fenced(output, "text"), ""]
    lines += ["## Versions", "", *_versions(record), ""]
    entry_of = registered(outcome)
    known = f"register entry {escape(entry_of[0])}, {address(entry_of[1])}" if entry_of else "not reported"
    lines += ["## Before sending", "", f"- Known here as: {known}", f"- {search_link(outcome, record)}"]
    lines += [f"- From case {escape(outcome.case)} of the conformance suite"]
    return "\n".join(lines) + "\n"


def script_lines(script: Reproducer) -> list[str]:
    """The script, below a paragraph on what it needs beside the framework where that is the suite."""
    through = "It runs the adapter through the conformance suite, which must be installed."
    return [*([through, ""] if script.needs_suite else []), fenced(script.text, "python")]


def search_link(outcome: Outcome, record: BackendRecord, topic: str = "") -> str:
    """A link that searches GitHub's issues for the finding; ``topic`` is the name that a register gives it."""
    known = _FILLING | {*outcome.op.split("_")}
    named = [each for each in topic.split("-") if each not in known][:MOST_WORDS]
    words = [record.id.framework or record.name, outcome.op, *(named or [outcome.dtype, _symptom(outcome)])]
    phrase = " ".join(each for each in words if each)
    return f"Search for: [{escape(phrase)}](https://github.com/search?type=issues&q={quote_plus(phrase)})"


def _documentation(outcome: Outcome, record: BackendRecord) -> list[str]:
    profile = recorded_profile(record)
    feature = profile.operations.get(outcome.op)
    page = feature.documentation if feature else profile.documentation
    return [f"Documentation: {address(page)}", ""] if page else []


def _versions(record: BackendRecord) -> list[str]:
    shown = [f"- {escape(name)} {escape(version)}" for name, version in record.versions.items()]
    return [*shown, f"- {escape(record.id.device or 'cpu')}, {escape(record.id.how or 'eager')}"]


def _message(outcome: Outcome) -> str:
    return statement(outcome, where=False)


def _reason(outcome: Outcome) -> str:
    return outcome.detail if outcome.reason in ("no-error", "declared") else "its input is invalid"


def _symptom(outcome: Outcome) -> str:
    observed = str(outcome.observed)
    if observed in ("nan", "inf", "-inf"):
        return observed.removeprefix("-")
    if outcome.check == "error":
        return "not raised"
    if outcome.check == "policy":
        return outcome.policy.replace("-", " ")
    if outcome.check in _SEARCHED:
        return _SEARCHED[outcome.check]
    if outcome.observed is None:
        text = outcome.error.text if outcome.error else outcome.reason.replace("-", " ")
        return " ".join(word for word in text.split() if word.isidentifier())[:60]
    return "gradient" if outcome.check.startswith("gradient") else "precision"


def _short(value: object, other: object = None) -> str:
    """Six digits of a number, or as many as distinguish it from the other one."""
    return apart(value, other, 6) if isinstance(value, float) else str(value)
