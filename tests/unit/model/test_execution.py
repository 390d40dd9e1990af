"""Evidence of how calls were executed."""

from __future__ import annotations

from conformance.model.execution import ExecutionEvidence, execution_in_words, total


def test_evidence_adds_up_and_reads_in_a_line() -> None:
    one = ExecutionEvidence(calls=1, compiled=1, graphs=1, breaks=2, reasons={"print": 2})
    found = total([one, None, ExecutionEvidence(calls=2, uncompiled=1, unknown=1), one])
    assert found == ExecutionEvidence(
        calls=4, compiled=2, uncompiled=1, unknown=1, graphs=2, breaks=4, reasons={"print": 4}
    )
    assert execution_in_words("compile", found) == (
        "compile: 2 of 4 calls ran compiled, 1 ran uncompiled: unsupported, of 1 that is not known, "
        "2 graphs, 4 graph breaks"
    )
    assert total([None]) is None


def test_calls_that_were_not_to_be_compiled_are_eager() -> None:
    found = total([ExecutionEvidence(calls=3)])
    assert found is not None and found.eager == 3
    assert execution_in_words("eager", found) == "eager: 3 calls, none of which was to be compiled"
