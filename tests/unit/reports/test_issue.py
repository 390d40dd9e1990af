"""The draft of an upstream issue, from facts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.load import load_suite
from conformance.model.backend import BackendId, BackendRecord
from conformance.model.checks import IDENTITIES
from conformance.reports.dossier.issue import issue_text, title
from conformance.repro.script import Reproducer
from tests.support.outcomes import outcome

CASE = "theme: t\ncases:\n  - {id: c, why: a loss, op: cross_entropy, logits: [[1, 2]], targets: [0]}\n"


def test_a_draft_names_the_execution_and_the_composition(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(CASE)
    (entry,) = load_suite([tmp_path / "cases.yaml"]).entries
    name = "jax:eager:logsumexp"
    identity = BackendId(name=name, framework="jax", device="cpu", execution="eager", composition="logsumexp")
    made = BackendRecord(name=name, id=identity, versions={"jax": "0.10"}, profile="jax")
    text = issue_text(entry, outcome("c", name, verdict="fail", class_="F"), made, Reproducer("import jax\n"))
    assert "- jax 0.10\n- cpu, eager, logsumexp\n" in text


@pytest.mark.parametrize("check", IDENTITIES)
def test_a_title_names_the_call_whose_result_differs(check: str) -> None:
    said = title(outcome("c", verdict="known", check=check, observed=3.0, expected=3.048828125))
    assert said.endswith(" is 3 instead of 3.04883")
    assert "log_softmax" in said or ": the result " in said
