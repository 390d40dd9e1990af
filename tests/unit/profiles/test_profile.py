"""What a profile declares, as the judge asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.model.errors import UsageError
from conformance.model.policies import NORMATIVE, Policies
from conformance.profiles.profile import UNDECLARED, Declared, Profile, load_profile


def declaring(**policies: Declared) -> Profile:
    return Profile(backend="it", policies={name.replace("_", "-"): each for name, each in policies.items()})


def test_what_is_not_declared_is_normative_and_of_the_usual_class() -> None:
    assert UNDECLARED.resolved_policies() == NORMATIVE == Policies()
    assert [UNDECLARED.declared_class("softmax", dtype) for dtype in ("float64", "float32")] == ["B", "B"]
    assert [UNDECLARED.declared_class("softmax", dtype) for dtype in ("bfloat16", "float16")] == ["D", "D"]


def test_a_class_of_an_operation_goes_before_that_of_all() -> None:
    profile = Profile(backend="it", classes={"all": {"float32": "C"}, "softmax": {"float64": "A"}})
    assert profile.declared_class("nll_loss", "float32") == "C"
    assert profile.declared_class("softmax", "float64") == "A"
    assert profile.declared_class("softmax", "float32") == "B"  # an operation that is named takes nothing from all


def test_a_mode_goes_before_a_device_and_both_before_the_value() -> None:
    declared = Declared(value="nan", documentation="undocumented", variants={"xla": "zero", "cuda": "inf"})
    assert [declared.of(*where) for where in (("cpu", ""), ("cuda", ""), ("cuda", "xla"))] == ["nan", "inf", "zero"]
    profile = declaring(mean_of_all_ignored=declared)
    assert profile.resolved_policies("cpu", "xla").mean_of_all_ignored == "zero"
    assert profile.declarations("cuda")["mean-of-all-ignored"].value == "inf"


def test_a_policy_that_is_not_offered_is_declared_and_resolved_as_the_normative_one() -> None:
    profile = declaring(mean_of_all_ignored=Declared(value="unsupported", documentation="undocumented"))
    assert profile.resolved_policies() == NORMATIVE
    assert profile.declarations()["mean-of-all-ignored"].value == "unsupported"


@pytest.mark.parametrize(
    "text",
    [
        "backend: it\npolicies: {mean-of-all-ignored: {value: perhaps, documentation: undocumented}}",
        "backend: it\nclasses: {all: {float32: Q}}",
        "backend: it\nclasess: {}",
        "title: it",
    ],
)
def test_a_wrong_profile_names_its_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "it.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"it\.yaml.*not a valid profile"):
        load_profile(file)
