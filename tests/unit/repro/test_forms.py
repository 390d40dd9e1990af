"""What a script does is decided by the fields of an outcome, and not by what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.model.outcome import Outcome
from conformance.repro.forms import write
from conformance.repro.snippets import Snippets
from conformance.repro.writer import Script
from tests.support.problems import problem


def script_of(**fields: Any) -> str:
    """The script for an outcome of a softmax on Torch."""
    script = Script(Snippets("torch", execution="eager", composition="", device="cpu"))
    made = Outcome(case="c", backend="b", dtype="float32", layout="contiguous", op="softmax", verdict="fail", **fields)
    write(script, problem("softmax", [[0.5, 1.0]], dtype="float32"), made)
    return script.finished([]).text


@pytest.mark.parametrize(
    ("pairs", "of_gradient"),
    [
        ([["value", "logits"]], False),
        ([["value", "the gradient in parts"]], False),
        ([["value", "logits"], ["gradient", "upstream"]], True),
        ([["value with gradient", "logits"]], True),
    ],
)
def test_the_call_whose_result_lies_in_other_memory_is_made(pairs: list[list[str]], of_gradient: bool) -> None:
    text = script_of(check="unmodified", reason="shared", observed=pairs)
    assert "upstream_before" in text if of_gradient else "upstream" not in text
    assert ("gradient" in text) == of_gradient


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        ("plus-infinity", "value"),
        ("infinite-upstream-gradient", "gradient"),
        ("cancelling-gradient", "gradient"),
        ("gradient-of-a-stranger", "value"),
    ],
)
def test_the_result_in_which_a_policy_shows_is_printed(policy: str, result: str) -> None:
    text = script_of(check="policy", policy=policy, observed=["kept"], expected="lost")
    assert f"print(\"observed:\", {result})\nprint('declared: lost')\n" in text


@pytest.mark.parametrize(
    ("template", "line", "needs"),
    [
        ("torch", "value = 1", (False, False)),
        ("torch", "value = ml_dtypes.bfloat16(1)", (False, True)),
        ("suite", "value = 1", (True, False)),
    ],
)
def test_a_script_says_what_it_needs_whatever_a_text_in_it_holds(
    template: str, line: str, needs: tuple[bool, bool]
) -> None:
    facts = {"files": {}, "spec": "'numpy'"} if template == "suite" else {"execution": "", "composition": ""}
    script = Script(Snippets(template, device="cpu", **facts))
    script.say(line, "text = '''", "from conformance import x", "import ml_dtypes", "'''")
    made = script.finished([])
    assert (made.needs_suite, made.needs_ml_dtypes) == needs
