"""The history: a DuckDB file to which runs are appended, each once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from conformance.disk import disk_errors, make_folder, require_file_place
from conformance.model.errors import HarnessError, Place, UsageError
from conformance.plain import command_line

__all__ = ["SCHEMA", "History"]

#: Raised whenever a reader of the older form would misread the newer one.
SCHEMA = 3
#: Seconds for which a writer waits until another one has ended.
PATIENCE = 20.0
TABLES = f"""
create table meta (schema integer not null);
insert into meta values ({SCHEMA});
create table runs (
    run varchar primary key, kind varchar not null, started varchar not null, suite varchar, "commit" varchar,
    machine varchar, digest varchar not null, source varchar
);
create table times (
    run varchar not null, workload varchar not null, backend varchar not null, contract varchar not null,
    cache varchar not null, framework varchar, version varchar, mode varchar, dtype varchar, processes integer,
    seconds double not null, low double, high double, bandwidth_fraction double, error double,
    verdict varchar, class varchar, memory double, first_call double, work varchar,
    primary key (run, workload, backend, contract, cache)
);
create table verdicts (
    run varchar not null, backend varchar not null, version varchar not null, verdict varchar not null,
    count bigint not null, primary key (run, backend, version, verdict)
);
"""


class History:
    """An open history file; ``file`` is made if ``writing`` and it does not exist.

    Raises UsageError where the file is not a history, is of a newer suite, or is in use; HarnessError where it cannot
    be written.
    """

    def __init__(self, file: Path, *, writing: bool = False) -> None:
        self.file = file
        with disk_errors(file, "read"):
            there = file.is_file()
        if not writing and not there:
            command = command_line("conformance", "history", "add", "RUN", "--db", file)
            raise UsageError(f"there is no history {file}", hint=f"`{command}` begins one")
        if writing:
            make_folder(file.parent)
            require_file_place(Path(os.path.realpath(file)))  # a pipe has no end
        with self._errors():
            self._connection = self._connected(writing)
        try:
            self._prepare(writing)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> History:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def query(self, statement: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a statement, as dictionaries by column."""
        with self._errors():
            cursor = self._connection.execute(statement, values or [])
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Append rows, which all have the same columns, to one of the tables."""
        if not rows:
            return
        columns = ", ".join(f'"{name}"' for name in rows[0])
        marks = ", ".join("?" * len(rows[0]))
        with self._errors():
            self._connection.executemany(
                f"insert into {table} ({columns}) values ({marks})", [[*row.values()] for row in rows]
            )

    def remove(self, run: str) -> None:
        """Take a run out."""
        with self._errors():
            for table in ("times", "verdicts", "runs"):
                self._connection.execute(f"delete from {table} where run = ?", [run])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside, or nothing."""
        with self._errors():
            self._connection.execute("begin")
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def _connected(self, writing: bool) -> Any:
        """A connection. A writer waits a while for another one, so that jobs which end together all add their runs."""
        until = time.monotonic() + (PATIENCE if writing else 0)
        while True:
            try:
                return duckdb.connect(str(self.file), read_only=not writing)
            except duckdb.IOException as error:
                if not _is_locked(error) or time.monotonic() >= until:
                    raise
            time.sleep(0.1)

    def _prepare(self, writing: bool) -> None:
        """Make the tables in a file without any, or bring those of an older form up to date; its runs stay."""
        with self._errors():
            tables = {name for (name,) in self._connection.execute("select table_name from duckdb_tables()").fetchall()}
            if writing and not tables:  # a new file, or one whose first writer was stopped before it made them
                with self.transaction():
                    self._connection.execute(TABLES)
                return
            found = []
            if tables >= {"runs", "times", "verdicts", "meta"}:
                with contextlib.suppress(duckdb.BinderException):  # no such column
                    found = self._connection.execute("select schema from meta").fetchall()
        if len(found) != 1 or not isinstance(found[0][0], int):
            raise UsageError("a DuckDB file, but no history", place=Place(self.file), hint="name another file")
        ((schema,),) = found
        if schema > SCHEMA:
            problem = f"written by a newer suite (schema {schema}, this one reads {SCHEMA})"
            raise UsageError(problem, place=Place(self.file), hint="update the suite")
        if writing and schema < SCHEMA:
            with self.transaction():
                if schema < 2:  # which did not record the tensors
                    self._connection.execute("alter table times add column if not exists work varchar")
                self._connection.execute("alter table times rename column roof to bandwidth_fraction")
                self._connection.execute(f"update meta set schema = {SCHEMA}")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise self._complaint(error) from None

    def _complaint(self, error: Exception) -> UsageError | HarnessError:
        said = str(error).splitlines()[0]
        if _is_locked(error):
            return UsageError(
                f"{self.file} is in use by another process", hint="wait until it has ended, and try again"
            )
        if any(words in said for words in ("No space left", "File too large", "quota exceeded")):
            return HarnessError(f"{self.file} cannot be written: {said}\n  hint: make room, and add the runs again")
        return UsageError(
            f"cannot be read as a history: {said}",
            place=Place(self.file),
            hint="the file is damaged or something else; name another one, and add the runs again",
        )


def _is_locked(error: Exception) -> bool:
    """By its words; the file's name stands among them and may hold any one word, such as lock."""
    return "could not set lock" in str(error).lower()
