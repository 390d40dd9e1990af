"""The findings of an adapter stand together whatever its options; those of other code stand apart."""

from __future__ import annotations

from conformance.model.backend import BackendRecord, ClassSource
from conformance.model.outcome import Outcome
from conformance.reports.dossier.groups import grouped


def test_options_of_one_adapter_share_a_group_and_a_kernel_of_one_s_own_does_not() -> None:
    def record(name: str, *classes: str) -> BackendRecord:
        made = [ClassSource(name=each, file=f"{each.lower()}.py", line=1, text="") for each in classes]
        return BackendRecord(name=name, profile="torch", classes=made)

    records = {"torch": record("torch", "Torch"), "torch:compile": record("torch:compile", "Torch")}
    records["torch-mine"] = record("torch-mine", "Mine", "Torch")
    outcomes = [
        Outcome(
            case="c", backend=name, dtype="float32", layout="contiguous", op="softmax", check="value", verdict="fail"
        )
        for name in records
    ]
    found = [[each.backend for each in group.outcomes] for group in grouped(outcomes, {}, records)]
    assert found == [["torch-mine"], ["torch", "torch:compile"]]
