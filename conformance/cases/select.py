"""Which cases to run: ``-k`` expressions and dtypes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from conformance.cases.complaints import suggestion
from conformance.cases.load import Entry
from conformance.model.dtypes import DTYPES, DtypeName
from conformance.model.errors import UsageError

__all__ = ["matcher", "parse_dtypes", "predicate", "select"]

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_MOST_LEVELS = 64
_LONGEST = 10_000
_SHOWN = 200
_SHORT = {"f": "float", "fp": "float", "bf": "bfloat", "half": "float16", "double": "float64"}
_HINT = "write words joined by and, or, not and parentheses, such as -k 'softmax and not (float16 or axis)'"

Predicate = Callable[[str], bool]


def matcher(expression: str) -> Callable[[Entry], bool]:
    """Whether a case matches a ``-k`` expression.

    A word matches where it is part of the case's id, theme, operation, one of its flags, or ``policy:`` and the name
    of a policy that it observes, whatever the letters' case; ``not`` binds closer than ``and``, ``and`` closer than
    ``or``. Raises UsageError for an expression that cannot be read.
    """
    holds = predicate(expression)

    def matches(entry: Entry) -> bool:
        # A newline cannot be part of a word, so no word matches across two names.
        policies = (f"policy:{name}" for name in entry.case.policies)
        return holds("\n".join((entry.case.id, entry.theme, entry.case.op, *entry.case.flags, *policies)).lower())

    return matches


def predicate(expression: str) -> Predicate:
    """Whether a text in lower case holds what a ``-k`` expression asks for; raises UsageError."""
    return _Parser(expression).parse()


class _Parser:
    """Recursive descent over ``or``, ``and``, ``not``, parentheses and words."""

    def __init__(self, expression: str) -> None:
        if len(expression) > _LONGEST:  # a results file may be a stranger's
            raise UsageError(f"-k: an expression of {len(expression)} characters, more than {_LONGEST}", hint=_HINT)
        self.expression = expression
        self.tokens = [(match[1].lower(), *match.span(1)) for match in _TOKEN.finditer(expression)]
        self.next = 0

    def parse(self) -> Predicate:
        if not self.tokens:
            raise UsageError("-k: empty expression", hint=_HINT)
        holds = self._either(0)
        if self.next < len(self.tokens):
            self._refuse("unmatched ')'" if self._peek() == ")" else "'and' or 'or' is missing")
        return holds

    def _peek(self) -> str:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else ""

    def _take(self, token: str) -> bool:
        found = self._peek() == token
        self.next += found
        return found

    def _either(self, level: int) -> Predicate:
        parts = [self._both(level)]
        while self._take("or"):
            parts.append(self._both(level))
        return lambda text: any(part(text) for part in parts)

    def _both(self, level: int) -> Predicate:
        parts = [self._negated(level)]
        while self._take("and"):
            parts.append(self._negated(level))
        return lambda text: all(part(text) for part in parts)

    def _negated(self, level: int) -> Predicate:
        times = 0
        while self._take("not"):
            times += 1
        if times > _MOST_LEVELS:
            self._refuse(f"more than {_MOST_LEVELS} times 'not'")
        inner = self._primary(level)
        return (lambda text: not inner(text)) if times % 2 else inner

    def _primary(self, level: int) -> Predicate:
        if self._take("("):
            if level == _MOST_LEVELS:
                self._refuse(f"more than {_MOST_LEVELS} levels of parentheses")
            inner = self._either(level + 1)
            if not self._take(")"):
                self._refuse("')' is missing")
            return inner
        word = self._peek()
        if word in ("", ")", "and", "or", "not"):
            self._refuse("a word is missing")
        self.next += 1
        return lambda text: word in text

    def _refuse(self, problem: str) -> NoReturn:
        where = " at the end"
        if self.next < len(self.tokens):
            _, start, end = self.tokens[self.next]
            where = f" before '{self.expression[start:end]}' (column {start + 1})"
        shown = self.expression[:_SHOWN] + "…" * (len(self.expression) > _SHOWN)
        raise UsageError(f"-k '{shown}': {problem}{where}", hint=_HINT)


def parse_dtypes(names: Iterable[str]) -> tuple[DtypeName, ...]:
    """The named dtypes, each once, in the usual order; commas may join several. Raises UsageError."""
    words = [word.strip() for name in names for word in name.split(",") if word.strip()]
    for word in words:
        if word not in DTYPES:
            # People write fp32 and bf16.
            letters = word.rstrip("0123456789")
            full = _SHORT.get(letters.lower(), letters) + word[len(letters) :]
            near = suggestion(full, DTYPES)
            raise UsageError(f"unknown dtype '{word}'", hint=f"{near}one of {', '.join(DTYPES)}")
    return tuple(dtype for dtype in DTYPES if dtype in words)


def select(
    entries: Sequence[Entry],
    *,
    expression: str | None = None,
    dtypes: Sequence[DtypeName] | None = None,
) -> list[Entry]:
    """The entries that match and that have one of ``dtypes``, in their order."""
    chosen = list(entries)
    if expression is not None:
        matches = matcher(expression)
        chosen = [entry for entry in chosen if matches(entry)]
    if dtypes is not None:
        chosen = [entry for entry in chosen if any(dtype in dtypes for dtype in entry.case.dtypes)]
    return chosen
