"""Case files as pytest collectors, and each case in each dtype as a test."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.load import NOTES_NAME, Entry, read_suite
from conformance.cases.select import parse_dtypes
from conformance.cases.yaml12 import place_of, read
from conformance.model.dtypes import DTYPES
from conformance.model.errors import CaseError, CaseErrors, UsageError
from conformance.model.outcome import Outcome
from conformance.plugin.report import conclude
from conformance.plugin.subjects import FileBatch, UnderTest
from conformance.worker.find import find_backends

__all__ = ["CaseItem", "CaseModule", "Collection"]

_SUFFIXES = (".yaml", ".yml")
_HAS_CASES = re.compile(rb"^(?:cases|[\"']cases[\"'])\s*:", re.MULTILINE)
#: Marks that mean something to pytest: a case's flag or theme of such a name must not.
_RESERVED = frozenset({"skip", "skipif", "xfail", "usefixtures", "parametrize", "filterwarnings"})


def _has_cases(file: Path) -> bool:
    """Whether a file has ``cases`` at its top; only one that is a single mapping in braces is read for that."""
    with contextlib.suppress(OSError, CaseError):
        content = file.read_bytes()
        if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return _HAS_CASES.search(content) is not None
        found = read(file)
        return isinstance(found, dict) and "cases" in found
    return False


@dataclass(eq=False)
class Collection:
    """The backends that were named, and what is collected for them."""

    subjects: list[UnderTest]
    dtypes: tuple[str, ...]
    _ids: dict[str, Entry] = field(default_factory=dict)
    _marks: set[str] = field(default_factory=set)

    @classmethod
    def configured(cls, config: pytest.Config) -> Collection:
        """As the options say. Raises UsageError; imports no framework."""
        timeout = config.getoption("conformance_timeout")
        if not 0 < timeout < math.inf:
            raise UsageError(f"--conformance-timeout is {timeout}", hint="give a number of seconds greater than 0")
        identities = not config.getoption("conformance_no_identities")
        specs = tuple(config.getoption("conformance_backend"))
        wanted = config.getoption("conformance_dtype")
        dtypes = parse_dtypes(wanted) if wanted else DTYPES
        return cls([UnderTest(found, timeout, identities) for found in find_backends(specs)], dtypes)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseModule | None:
        """A collector for a YAML file that has ``cases``; any other file is none of ours."""
        if file_path.suffix not in _SUFFIXES or file_path.name == NOTES_NAME:
            return None
        if not _has_cases(file_path):
            return None
        module: CaseModule = CaseModule.from_parent(parent, path=file_path)
        module.collection = self
        return module

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep a file's cases on one worker, which judges them together, unless another distribution is asked for."""
        if config.getoption("dist") != "load":
            return None
        from xdist.scheduler import LoadFileScheduling

        return LoadFileScheduling(config, log)

    def pytest_sessionfinish(self) -> None:
        """End the backends' processes."""
        for each in self.subjects:
            each.close()

    def claim(self, entry: Entry) -> CaseError | None:
        """What is wrong if another file has a case of the same id."""
        first = self._ids.setdefault(entry.case.id, entry)
        if (first.file, first.index) == (entry.file, entry.index):
            return None
        where = place_of(first.file, ("cases", first.index))
        hint = f"ids are unique over all files; the other is {where}"
        return entry.error(("id",), f"id '{entry.case.id}' is taken", hint)

    def marks(self, entry: Entry, config: pytest.Config) -> Iterator[str]:
        """The case's theme, operation and flags, each made known to ``--strict-markers``."""
        for name in dict.fromkeys((entry.theme, entry.case.op, *entry.case.flags)):
            if name in _RESERVED:
                continue
            if name not in self._marks:
                self._marks.add(name)
                config.addinivalue_line("markers", f"{name}: a theme, operation or flag of conformance cases")
            yield name


class CaseModule(pytest.File):
    """A case file."""

    collection: Collection

    def collect(self) -> Iterable[CaseItem]:
        """A test for each case, dtype and backend. Raises CollectError with all that is wrong in the file."""
        try:
            suite, errors = read_suite((self.path,))
            errors = errors or [error for entry in suite.entries if (error := self.collection.claim(entry))]
            if errors:
                raise CaseErrors(errors)
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        self._batches: dict[str, FileBatch] = {}
        for entry in suite.entries:
            marks = list(self.collection.marks(entry, self.config))  # also where no dtype is wanted: -m may name them
            for under_test in self.collection.subjects:
                for dtype in entry.case.dtypes:
                    if dtype in self.collection.dtypes:
                        name = f"{entry.case.id}[{under_test.name}-{dtype}]"
                        yield CaseItem.make(self, name, entry, dtype, under_test, marks)

    def batch(self, item: CaseItem) -> FileBatch:
        """The batch of the item's backend: all the tests of this file that were selected, not only collected."""
        name = item.under_test.name
        if name not in self._batches:
            chosen = [
                each
                for each in self.session.items
                if isinstance(each, CaseItem) and each.parent is self and each.under_test is item.under_test
            ]
            entries = list({each.entry.case.id: each.entry for each in [*chosen, item]}.values())
            dtypes = [dtype for dtype in DTYPES if any(each.dtype == dtype for each in [*chosen, item])]
            self._batches[name] = FileBatch(item.under_test, entries, dtypes)
        return self._batches[name]

    def renew(self, item: CaseItem) -> None:
        """Forget the item's batch: its outcomes have been handed out, and are wanted again."""
        self._batches.pop(item.under_test.name, None)


class CaseItem(pytest.Item):
    """A case in one dtype on one backend: all its reductions, layouts and checks."""

    entry: Entry
    dtype: str
    under_test: UnderTest
    outcomes: list[Outcome]

    @classmethod
    def make(
        cls, parent: CaseModule, name: str, entry: Entry, dtype: str, under_test: UnderTest, marks: list[str]
    ) -> CaseItem:
        """The test, with its marks."""
        item: CaseItem = cls.from_parent(parent, name=name)
        item.entry, item.dtype, item.under_test = entry, dtype, under_test
        for mark in marks:
            item.add_marker(mark)
        return item

    def setup(self) -> None:
        """Make the calls: what goes wrong here is an error, not a failure of the backend."""
        module = self.parent
        assert isinstance(module, CaseModule)
        want = (self.entry.case.id, self.dtype)
        try:
            self.outcomes = module.batch(self).outcomes(want)
            if not self.outcomes:  # a second time, as plugins that repeat tests ask
                module.renew(self)
                self.outcomes = module.batch(self).outcomes(want)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        conclude(self, self.outcomes, calling=False)

    def runtest(self) -> None:
        """Say what the verdicts are."""
        conclude(self, self.outcomes, calling=True)

    def teardown(self) -> None:
        """Let go of the outcomes."""
        self.outcomes = []

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The case's place in its file; lines count from 0 here."""
        line = place_of(self.entry.file, ("cases", self.entry.index)).line
        return self.path, None if line is None else line - 1, self.name
