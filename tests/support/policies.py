"""Outcomes of the check ``policy``, of backends that declare what they do, or nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.model.policies import POLICIES
from conformance.places import ROOT
from conformance.profiles.load import load_profile
from conformance.profiles.profile import UNDECLARED, Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged

NUMPY = load_profile(ROOT / "backends" / "profiles" / "numpy.yaml")
SUITE = load_suite([ROOT / "cases"]).entries
INF, NAN = np.inf, np.nan
#: Policies that a case can observe.
OBSERVABLE = {name for name, policy in POLICIES.items() if not policy.observed_by}


def rows(kind: type[Backend], cases: str, *, dtype: Any = "float32", profile: Profile = UNDECLARED) -> list[Outcome]:
    """The outcomes of the check ``policy`` for the cases whose ids hold one of the words."""
    entries = select(SUITE, expression=cases, dtypes=(dtype,))
    found = judged(kind(), entries, dtypes=(dtype,), identities=False, subject=Subject("mine", profile=profile))
    return [outcome for unit in found for outcome in unit if outcome.check == "policy"]


def observed(outcomes: list[Outcome], policy: str, aspect: str = "") -> set[str]:
    """The values that describe every call."""
    sets = [{*each.observed} for each in outcomes if (each.policy, each.aspect) == (policy, aspect) and each.observed]
    assert sets, f"nothing mentions {policy}"
    return set.intersection(*sets)


def declaring(policy: str, value: Any) -> Profile:
    """NumPy's profile with another declaration."""
    declared = Declared(value=value, documentation="undocumented")
    return msgspec.structs.replace(NUMPY, policies={**NUMPY.policies, policy: declared})
