"""What adapters, profiles, extras and documents say of the same thing is the same."""

from __future__ import annotations

import importlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from packaging.requirements import Requirement

from conformance.backends.adapters.base import Adapter
from conformance.backends.discovery import names, profile
from conformance.cases.load import load_suite
from conformance.cases.yaml12 import parse
from conformance.cli.inventory import policy_rows
from conformance.places import PROFILES
from conformance.profiles.lint import lint_profiles
from conformance.profiles.load import load_profile
from conformance.profiles.profile import Defect
from conformance.run.judged import judged, subject_of
from conformance.worker.exchange import Description

ROOT = Path(__file__).resolve().parents[3]
FEATURES = ("weight", "ignore_index", "label_smoothing", "probability_targets", "reductions", "gradient")


@pytest.mark.parametrize("name", names())
def test_an_adapter_offers_what_its_profile_documents(name: str) -> None:
    module = importlib.import_module(f"conformance.backends.adapters.{name}")
    (kind,) = [
        each for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Adapter) and each.__module__ == module.__name__
    ]  # fmt: skip
    declared, offers = profile(name), kind.offers
    assert {each: offers.operations.get(each, "unsupported") for each in declared["operations"]} == {
        each: entry["support"] for each, entry in declared["operations"].items()
    }
    default = {"gradient": "native"}
    stated = {each: getattr(offers, each) or default.get(each, "unsupported") for each in FEATURES}
    assert stated == declared["features"]
    own = {each for one in kind.__mro__ if issubclass(one, Adapter) and one is not Adapter for each in vars(one)}
    defined = own & {*declared["operations"]}
    assert defined == {*offers.operations}


def test_every_framework_has_an_extra_with_its_distribution() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name in names():
        if name != "numpy":
            assert {*profile(name)["distribution"].split()} <= {Requirement(each).name for each in extras[name]}


def test_the_guide_has_every_policy_with_its_values() -> None:
    text = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \| .+ \|$", text[text.index("### The policies") :], re.MULTILINE)
    shown = {name: [each.strip("` ") for each in values.split(",")] for name, values in rows}
    assert shown == {row["policy"]: row["values"] for row in policy_rows()}


def test_the_guides_profile_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(backend: mine\n.*?)```", text, re.DOTALL)
    file = tmp_path / "mine.profile.yaml"
    file.write_text(example, encoding="utf-8")
    (tmp_path / "cases.yaml").write_text("theme: mine\n", encoding="utf-8")  # a file of another kind beside it
    assert lint_profiles(tmp_path, []) == []
    assert load_profile(file).policies["mean-of-all-ignored"].of("cuda", "eager", "", "") == "nan"


def test_the_guide_explains_every_key_of_the_register_by_an_entry_of_a_profile() -> None:
    text = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    section = text[text.index("### The register of known defects") :].partition("\n## ")[0]
    assert [name for name in Defect.__struct_encode_fields__ if f"`{name}`" not in section] == []
    (example,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (entry,) = msgspec.convert(parse(example, "docs/backends.md")["known"], list[Defect])
    assert entry in load_profile(PROFILES / "optax.yaml").known


def test_a_backend_is_judged_by_the_profile_that_it_brings_along(tmp_path: Path) -> None:
    kernel = tmp_path / "mine.py"
    kernel.write_text(
        "import numpy as np\nfrom conformance.backends.adapters.numpy import Numpy\n\n\nclass Mine(Numpy):\n"
        "    def cross_entropy(self, logits, targets, *, ignore_index, **options):\n"
        "        value = super().cross_entropy(logits, targets, ignore_index=ignore_index, **options)\n"
        "        return np.nan_to_num(value) if not (targets != ignore_index).any() else value\n",
        encoding="utf-8",
    )
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "theme: mine\ncases:\n  - id: all-ignored\n    why: the mean over no position\n    op: cross_entropy\n"
        "    logits: [[1, 2]]\n    targets: [-7]\n    ignore_index: -7\n"
        "    reductions: [mean]\n    dtypes: [float32]\n",
        encoding="utf-8",
    )
    entries = load_suite((cases,)).entries

    def verdict() -> str:
        outcomes = [each for unit in judged(str(kernel), entries) for each in unit]
        return next(str(each.verdict) for each in outcomes if each.check == "value")

    assert verdict() == "fail"
    (tmp_path / "mine.profile.yaml").write_text(
        "backend: mine\npolicies:\n  mean-of-all-ignored: {value: zero, documentation: undocumented}\n", "utf-8"
    )
    assert verdict() == "deviation"
    (tmp_path / "mine.profile.yaml").write_text("backend: mine\nextends: numpy\n", "utf-8")
    assert verdict() == "fail"
    (tmp_path / "mine.profile.yaml").write_text(
        "backend: mine\nextends: numpy\npolicies:\n  mean-of-all-ignored: {value: zero, documentation: undocumented}\n",
        "utf-8",
    )
    assert verdict() == "deviation"


def test_the_register_of_the_parent_stays_for_the_suites_code(tmp_path: Path) -> None:
    file = tmp_path / "mine.profile.yaml"
    file.write_text("backend: mine\nextends: torch\n", encoding="utf-8")
    said = Description(
        "mine", "torch", {"torch": "2.13.0"}, "cpu", "eager", profile="torch", foreign=("cross_entropy",)
    )
    theirs = {each.id: each for each in load_profile(PROFILES / "torch.yaml").known}
    found = {each.id: each for each in subject_of("mine", said, file).profile.known}
    assert found.keys() == {name for name, each in theirs.items() if each.ops != ["cross_entropy"]}
    assert len(found) < len(theirs)
    assert all("cross_entropy" not in each.ops for each in found.values())
    elsewhere = replace(said, profile="numpy")
    assert subject_of("mine", elsewhere, file).profile.known == []
