"""What a profile declares, as the judge asks for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from conformance.model.case import OPERATIONS
from conformance.model.dtypes import DTYPES
from conformance.model.errors import UsageError
from conformance.model.policies import NORMATIVE, Policies
from conformance.places import PROFILES
from conformance.profiles.lint import lint_profiles
from conformance.profiles.load import load_profile
from conformance.profiles.profile import UNDECLARED, Declared, Exceptional, Profile


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


def test_the_last_exception_that_holds_goes_before_variants() -> None:
    exceptions = [
        Exceptional(value="inf", ops=["softmax", "nll_loss"]),
        Exceptional(value="limit", ops=["softmax"], dtypes=["float16"]),
        Exceptional(value="inf", versions="<2"),
        Exceptional(value="limit", modes=["xla"], versions="<2"),
    ]
    declared = Declared(value="nan", documentation="undocumented", variants={"cuda": "limit"}, exceptions=exceptions)

    def value(*words: str, **kind: str) -> str:
        return str(declared.of(*words, **{"version": "2.1", **kind}))

    assert (value("cpu"), value("cuda")) == ("nan", "limit")
    assert value("cuda", operation="softmax", dtype="float32") == "inf"
    assert value(operation="softmax", dtype="float16") == "limit"
    assert value(operation="nll_loss", dtype="float16") == "inf"
    assert (value(version="1.9"), value("xla", version="1.9"), value("xla")) == ("inf", "limit", "nan")
    profile = declaring(plus_infinity=declared)
    assert profile.by_kind and profile.declarations("cpu", version="2.1")["plus-infinity"].by_kind
    assert profile.resolved_policies(version="2.1").plus_infinity == "nan"
    assert profile.resolved_policies(version="2.1", operation="softmax").plus_infinity == "inf"
    assert [value("xla", version=unknown) for unknown in ("", "main")] == ["nan", "nan"]
    by_version = declaring(plus_infinity=Declared(value="nan", exceptions=exceptions[2:]))
    assert not by_version.by_kind and by_version.declarations(version="1.0")["plus-infinity"].value == "inf"


def test_a_policy_that_is_not_offered_is_declared_and_resolved_as_the_normative_one() -> None:
    profile = declaring(mean_of_all_ignored=Declared(value="unsupported", documentation="undocumented"))
    assert profile.resolved_policies() == NORMATIVE
    assert profile.declarations()["mean-of-all-ignored"].value == "unsupported"


EXCEPTION = """\
backend: it
policies:
  plus-infinity: {value: nan, documentation: undocumented,
                  exceptions: [{%s}]}"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backend: it\npolicies:\n  label-smoothing-mass: {value: others, documentation: undocumented}",
         r"label-smoothing-mass.value: not a value of this policy: others\n.*one of all-classes, other-classes, uns"),
        ("backend: it\npolicies:\n  label-smoothing-mas: {value: other-classes}",
         r":3: policies.label-smoothing-mas: there is no policy.*\n  hint: did you mean 'label-smoothing-mass'\?"),
        ("backend: it\npolicies:\n  mean-of-all-ignored: {value: minus-one, documentation: undocumented}",
         r":3: .*: not a value of this policy: minus-one\n.*: one of nan, raise, zero, inf, -inf, any other number"),
        ("backend: it\npolicies:\n  label-out-of-range: {documentation: undocumented, value: {above: .nan, below: -1}}",
         r":3: policies.label-out-of-range.value.above: the number has a name in this policy\n  hint: write `nan`$"),
        ("backend: it\npolicies:\n  mean-of-empty-batch: {value: 0.0, documentation: undocumented}",
         r":3: policies.mean-of-empty-batch.value: the number has a name in this policy\n  hint: write `zero`$"),
        ("backend: it\npolicies:\n  mean-of-empty-batch: {value: 12345678901234567890, documentation: undocumented}",
         r":3: policies.mean-of-empty-batch.value: not a value of this policy: 1234"),
        ("backend: it\npolicies:\n  mean-of-all-ignored: {value: zero}",
         r":3: policies.mean-of-all-ignored: key 'documentation' is missing"),
        ("backend: it\ndtypes: {value: [float32, float61], documentation: undocumented}",
         r":2: dtypes.value\[1\]: there is no dtype 'float61'\n  hint: did you mean 'float"),
        ("backend: it\ndtypes: {value: {softmin: [float32]}, documentation: undocumented}",
         r":2: dtypes.value.softmin: there is no operation 'softmin'\n  hint: did you mean 'softmax'"),
        ("backend: it\ndtypes: {value: {softmax: float32}, documentation: undocumented}",
         r":2: dtypes.value.softmax: not a list of dtypes: float32\n  hint: write a list of float64, float32, bf"),
        ("backend: it\ndtypes: {value: [float32], documentation: undocumented, variants: {cuda: []}}",
         r":2: dtypes.variants.cuda: not a list of dtypes: \[\]"),
        ("backend: it\ndtypes: {value: [float32]}", r":2: dtypes: key 'documentation' is missing"),
        ("backend: it\ndtypes: {value: [float32], documentation: here}", r":2: dtypes.documentation: 'here' is not"),
        ("backend: it\ndtypes: [float32]", r":2: dtypes: expected a mapping"),
        (EXCEPTION % "value: inf", r":4: policies.plus-infinity.exceptions\[0\]: an exception that holds everywhere"),
        (EXCEPTION % "value: inf, ops: [softmin]",
         r":4: policies.plus-infinity.exceptions\[0\].ops\[0\]: there is no operation 'softmin'"),
        (EXCEPTION % "value: inv, ops: [softmax]",
         r":4: policies.plus-infinity.exceptions\[0\].value: not a value of this policy: inv"),
        (EXCEPTION % "value: inf, versions: new",
         r":4: policies.plus-infinity.exceptions\[0\].versions: 'new' is not a range of versions"),
        ("backend: it\ndtypes: {value: [float32], documentation: x, exceptions: [{value: [float64], ops: [softmax]}]}",
         r":2: dtypes.exceptions\[0\]: dtypes have exceptions by option and version alone"),
        ("backend: it\nclasses: {all: {float32: Q}}", r":2: classes"),
        ("backend: it\nclasses: {all: {float16: F}}", r":2: classes.all.float16: unknown word 'F'\n.*A, B, C, D, E$"),
        ("backend: it\nclasses: {softmax: {float32: D}}",
         r":2: classes.softmax.float32: float32 has no class D\n  hint: one of A, B, C: D and E are of the half"),
        ("backend: it\npolicies:\n  target-dtypes: {value: [int64, int63], documentation: undocumented}",
         r":3: policies.target-dtypes.value\[1\]: there is no dtype 'int63'\n  hint: did you mean 'int64'"),
        ("backend: it\npolicies:\n  target-dtypes: {value: {all: [int64]}, documentation: undocumented}",
         r":3: policies.target-dtypes.value: this policy has one value, and takes no mapping\n  hint: .*`exceptions`"),
        ("backend: it\npolicies:\n  mean-of-empty-batch: {value: {float32: nan}, documentation: undocumented}",
         r":3: policies.mean-of-empty-batch.value: this policy has one value, and takes no mapping\n.*: one of nan"),
        ("backend: it\nfeatures: {ignore-index: native}",
         r":2: features.ignore-index: there is no feature 'ignore-index'\n  hint: did you mean 'ignore_index'\?"),
        ("backend: it\nclasess: {}", r":2: clasess: unknown key 'clasess'\n  hint: did you mean 'classes'"),
        ("title: it", "key 'backend' is missing"),
        ("title: it\nbackend: at", r":2: backend: the profile of 'at'"),
        ("backend: it\nknown: [{id: a, cases: [a], checks: [value], why: w, issue: i, date: d, intermittent: true}]",
         r":2: known\[0\].intermittent: entry 'a' is not a memory error\n  hint: only a `memory-error`"),
        ("backend: it\nextends: nunpy", r":2: extends: the suite has no profile 'nunpy'\n.*'numpy'\? one of jax"),
        ("backend: it\nextends: ../profiles/numpy", r":2: extends: the suite has no profile"),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_refused_with_the_words_of_lint(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "it.profile.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        load_profile(file)
    assert re.search(said, str(refused.value)), refused.value
    assert str(refused.value) == str(lint_profiles(tmp_path, [])[0])


def test_what_is_not_offered_needs_no_documentation(tmp_path: Path) -> None:
    file = tmp_path / "it.profile.yaml"
    file.write_text(
        "backend: it\noperations: {softmax: {support: unsupported}}\npolicies: {forward-mode: {value: unsupported}}\n",
        encoding="utf-8",
    )
    assert lint_profiles(tmp_path, []) == [] and load_profile(file).operations["softmax"].documentation == ""


def test_a_profile_is_laid_over_the_one_that_it_extends(tmp_path: Path) -> None:
    file = tmp_path / "it.profile.yaml"
    file.write_text(
        "backend: it\nextends: torch\nclasses: {softmax: {float32: A}}\nfeatures: {weight: unsupported}\n"
        "policies: {mean-of-all-ignored: {value: inf, documentation: undocumented}}\n",
        encoding="utf-8",
    )
    found, torch = load_profile(file), load_profile(PROFILES / "torch.yaml")
    assert (found.backend, found.known) == ("it", [])
    assert {name: each for name, each in found.policies.items() if each != torch.policies[name]} == {
        "mean-of-all-ignored": Declared(value="inf", documentation="undocumented")
    }
    assert found.policies.keys() == torch.policies.keys() and found.operations == torch.operations
    assert found.features == {**torch.features, "weight": "unsupported"}
    assert found.classes == {**torch.classes, "softmax": {**torch.classes.get("softmax", {}), "float32": "A"}}


def test_dtypes_of_an_operation_go_before_those_of_all_and_a_variant_before_both() -> None:
    def taken(value: Any, *words: str, **variants: Any) -> dict[str, tuple[str, ...]]:
        declared = Declared(value=value, documentation="undocumented", variants=variants)
        return dict(Profile(backend="it", dtypes=declared).dtypes_of(*words))

    assert dict(UNDECLARED.dtypes_of("cpu")) == {}
    assert taken(["float16", "float32"]) == dict.fromkeys(OPERATIONS, ("float32", "float16"))
    assert taken({"softmax": ["float16"]}) == {"softmax": ("float16",)}  # of what is not named, all
    assert taken({"softmax": list(DTYPES), "all": ["float64"]}).keys() == {*OPERATIONS} - {"softmax"}
    # The composition takes what both of its parts take.
    parts = taken({"nll_loss": ["float64", "float32"], "log_softmax": ["float32", "float16"]})
    assert parts["nll_loss_of_log_softmax"] == ("float32",)
    assert taken(["float64"], "cuda", cuda=["float32"])["softmax"] == ("float32",)
    assert taken(["float64"], "cpu", cuda=["float32"])["softmax"] == ("float64",)


def test_a_profile_has_the_dtypes_of_its_parent_where_it_says_none(tmp_path: Path) -> None:
    file = tmp_path / "it.profile.yaml"
    file.write_text("backend: it\nextends: numpy\n", encoding="utf-8")
    assert load_profile(file).dtypes == load_profile(PROFILES / "numpy.yaml").dtypes
    file.write_text("backend: it\nextends: numpy\ndtypes: {value: [float32], documentation: undocumented}\n")
    assert load_profile(file).dtypes_of()["softmax"] == ("float32",)


def test_a_name_is_the_file_that_it_has_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's profile is kept neither across folders nor beyond a change."""
    values = []
    for folder, value in (("one", "zero"), ("other", "nan"), ("other", "raise")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        text = f"backend: mine\npolicies:\n  mean-of-all-ignored: {{value: {value}, documentation: undocumented}}\n"
        Path("mine.yaml").write_text(text, encoding="utf-8")
        values.append(load_profile(Path("mine.yaml")).resolved_policies().mean_of_all_ignored)
    assert values == ["zero", "nan", "raise"]
