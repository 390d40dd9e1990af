"""A backend's profile: what it declares of itself, and the defects that are known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec

from conformance.model.backend import Declaration
from conformance.model.case import Invalid, OperationName
from conformance.model.classes import DeclarableLetter, Letter, default_class
from conformance.model.dtypes import DTYPES, DtypeName
from conformance.model.policies import Policies
from conformance.model.severities import Severity
from conformance.model.verdicts import Verdict
from conformance.profiles.versions import is_within

__all__ = ["ALL", "COMPOSED", "UNDECLARED", "Declared", "Defect", "Exceptional", "Feature", "Profile"]

Support = Literal["native", "composed", "unsupported"]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an operation or feature is offered, and where the framework documents it, unless it is not offered."""

    support: Support
    documentation: Text = ""
    note: str = ""


class Exceptional(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another value, where all that is named holds: of operations, dtypes, options and versions of the framework.

    ``versions`` is a PEP 440 specifier.
    """

    value: Any
    ops: list[Text] = []
    dtypes: list[DtypeName] = []
    modes: list[Text] = []
    versions: str = ""
    note: str = ""

    def holds(self, words: Sequence[str], version: str, operation: str, dtype: str) -> bool:
        """Whether it is about a call; one of some operations, dtypes or versions is not where these are not known."""
        return (
            (not self.ops or operation in self.ops)
            and (not self.dtypes or dtype in self.dtypes)
            and (not self.modes or not {*words}.isdisjoint(self.modes))
            and is_within(version, self.versions, unknown=False)
        )


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy's declared value with its documentation: a URL, or ``undocumented``; none where it is not offered.

    ``variants`` gives other values for a device, an execution or a composition, ``exceptions`` for whatever they name.
    """

    value: Any
    documentation: Text = ""
    note: str = ""
    variants: dict[str, Any] = {}
    exceptions: list[Exceptional] = []

    def of(self, *words: str, version: str = "", operation: str = "", dtype: str = "") -> Any:
        """The value for a backend's words: device, execution, composition; the last one that is a variant decides.

        The last exception that holds goes before that.
        """
        for each in reversed(self.exceptions):
            if each.holds(words, version, operation, dtype):
                return each.value
        return next((self.variants[word] for word in reversed(words) if word in self.variants), self.value)

    @property
    def by_kind(self) -> bool:
        """Whether the value may differ between calls of one backend: by operation, or by dtype."""
        return any(each.ops or each.dtypes for each in self.exceptions)


#: The word of a register's entry for backends without a composition of their own.
DEFAULT = "default"


class Defect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the register: which checks fail, how, and where it is reported.

    ``title`` names the defect in one line, as reports list it; ``why`` explains it, and ``severity`` says what it does
    to its user. Registers of before had neither title nor severity.
    ``cases`` are case ids, ``*`` allowed; ``versions`` is a PEP 440 specifier of the framework's version. An entry
    describes what is seen, so that it cannot hide a second defect: ``observed`` the worst element's value as text,
    or ``reached`` the class, or ``right_in`` the narrower dtype in which it would be right, or ``at_most`` the largest
    error over bound, or ``message`` words of the exception (its type and text). Of the check ``error`` alone, where
    what is seen is a result in place of an error, cases do, or ``invalid``, what makes the input of these and of others
    invalid.
    It holds with one of the options ``modes``, where there are some, and with none of those in ``without``.
    The calls of the cases that a memory error names are made in a process that is thrown away. One that is
    ``intermittent`` leaves what comes of them open: a right number, a wrong one, an error, or the end of the process.
    """

    id: Text
    severity: Severity | None = None
    title: str = ""
    cases: list[Text]
    checks: list[Text]
    ops: list[Text] = []
    dtypes: list[DtypeName] = []
    modes: list[Text] = []
    without: list[Text] = []
    reductions: list[Text] = []
    versions: str = ""
    reached: list[Letter] = []
    observed: list[str] = []
    right_in: DtypeName | Literal[""] = ""
    at_most: Annotated[float, msgspec.Meta(gt=1)] | None = None
    message: str = ""
    invalid: list[Invalid] = []
    verdicts: tuple[Verdict, ...] = ("fail",)
    intermittent: bool = False
    #: Versions that it was seen on, where those of the whole profile do not hold.
    seen_on: list[str] = []
    #: What it depends on besides the version, and where it was seen: where that is said, the entry is not out of date
    #: on a machine that does not show it.
    machine: str = ""
    why: Text
    issue: Text
    date: Text

    @property
    def says_what_is_seen(self) -> bool:
        """Whether it describes the fail, and not only where it comes."""
        return bool(
            self.observed or self.reached or self.right_in or self.at_most or self.message.strip() or self.invalid
        )


#: The operation that stands for those which are not named.
ALL = "all"
#: What an operation is composed of by the suite: it takes what each of these takes.
COMPOSED: Mapping[OperationName, tuple[OperationName, ...]] = {"nll_loss_of_log_softmax": ("log_softmax", "nll_loss")}


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``backends/profiles/<name>.yaml``, or ``<name>.profile.yaml`` beside a user's file.

    ``extends`` names a profile of the suite, over whose policies, classes, features and operations these are laid.
    ``dtypes`` are those of logits, weights and probabilities: one list, or one for each operation.
    """

    backend: Text
    extends: str = ""
    title: str = ""
    framework: str = ""
    distribution: str = ""
    documentation: str = ""
    #: The variants that a run takes where no backend is named, and those that a benchmark takes: ``default``, or words.
    variants: list[str] = []
    benchmarks: list[str] = []
    #: Versions that the policies and the register were confirmed on: ``torch 2.13.0, CPU``.
    tested: list[str] = []
    operations: dict[str, Feature] = {}
    features: dict[str, Support] = {}
    dtypes: Declared | None = None
    policies: dict[str, Declared] = {}
    classes: dict[str, dict[DtypeName, DeclarableLetter]] = {}
    known: list[Defect] = []

    def declared_class(self, operation: str, dtype: DtypeName) -> Letter:
        """The class that the backend is held to: B, or D for the half types, unless it declares another."""
        of_operation = self.classes.get(operation, self.classes.get(ALL, {}))
        return of_operation.get(dtype, default_class(dtype))

    def dtypes_of(self, *words: str, version: str = "") -> dict[OperationName, tuple[DtypeName, ...]]:
        """The dtypes that each operation takes, for a backend's words; an operation that is left out takes all."""
        value = DTYPES if self.dtypes is None else self.dtypes.of(*words, version=version)
        by_operation = value if isinstance(value, Mapping) else {ALL: value}

        def taken(operation: OperationName) -> tuple[DtypeName, ...]:
            if operation not in by_operation and operation in COMPOSED:
                of_parts = [taken(part) for part in COMPOSED[operation]]
                return tuple(dtype for dtype in DTYPES if all(dtype in each for each in of_parts))
            stated = by_operation.get(operation, by_operation.get(ALL, DTYPES))
            return tuple(dtype for dtype in DTYPES if dtype in stated)

        return {name: found for name in get_args(OperationName) if (found := taken(name)) != DTYPES}

    def declarations(self, *words: str, version: str = "") -> dict[str, Declaration]:
        """The declared policies for a backend's words, as a run's record holds them."""
        return {
            name: Declaration(
                value=declared.of(*words, version=version),
                documentation=declared.documentation,
                note=declared.note,
                by_kind=declared.by_kind,
            )
            for name, declared in self.policies.items()
        }

    def resolved_policies(self, *words: str, version: str = "", operation: str = "", dtype: str = "") -> Policies:
        """The declared policies for a backend's words as values; what is not declared, or not offered, is normative.

        Exceptions by operation and dtype count where these are named.
        """
        values = {
            name: declared.of(*words, version=version, operation=operation, dtype=dtype)
            for name, declared in self.policies.items()
        }
        offered = {name: value for name, value in values.items() if value != "unsupported"}
        return msgspec.convert(offered, Policies)

    @property
    def by_kind(self) -> bool:
        """Whether a policy may differ between calls of one backend: by operation, or by dtype."""
        return any(declared.by_kind for declared in self.policies.values())


UNDECLARED = Profile(backend="undeclared")
