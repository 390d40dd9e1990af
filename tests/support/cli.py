"""What the tests of the command line share: a small case file, adapters of a third party, and the process itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from conformance.cli import cli
from conformance.places import ROOT

CASES = """\
theme: small
cases:
  - id: plain
    why: logits need not sum to one
    flags: [double-softmax]
    op: cross_entropy
    logits: [[1.2, 2.4, 3.6]]
    targets: [1]
    dtypes: [float64, float32]
  - id: rows
    why: softmax by rows
    op: softmax
    logits: [[0.5, 0.5], [2.0, -1.0]]
    dtypes: [float32]
"""

#: A third party's adapter: one function, the rest inherited.
MINE = """\
import numpy as np
from conformance.backends.adapters.numpy import Numpy

class Mine(Numpy):
    def softmax(self, logits, *, axis):
        powers = np.exp(logits - logits.max(axis, keepdims=True))
        return {result}
"""
GOOD = "powers / powers.sum(axis, keepdims=True)"
WRONG = "powers / powers.sum()"

#: Wrong where the first logit is 5, and dead where it is 7.
DIES_AT_SEVEN = """
import os
import numpy as np
from conformance.backends.numpy import Numpy


class Wrong(Numpy):
    def softmax(self, logits, *, axis):
        if logits.size and logits.flat[0] == 7:
            os._exit(3)
        return super().softmax(logits, axis=axis) * np.float32(1 + 1e-3 * (logits.flat[0] == 5))
"""

#: ``python -m conformance`` that takes Ctrl-C, which a shell's background jobs ignore.
TAKES_CTRL_C = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from conformance.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must hold one JSON document and nothing else."""
        return json.loads(self.out)


#: The ``conformance`` fixture: the command line in this process.
Run = Callable[..., Ran]


def write(path: Path, text: str = CASES) -> Path:
    """A file of ``text``, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def adapter(folder: Path, result: str = GOOD, name: str = "mine.py") -> str:
    """The path of an adapter whose softmax returns ``result``."""
    return str(write(folder / name, MINE.format(result=result)))


def process(
    *arguments: object,
    folder: Path,
    environment: dict[str, str] | None = None,
    program: tuple[str, ...] = ("-m", "conformance"),
) -> Ran:
    """``python -m conformance`` in ``folder``, or another ``program``, as a process of its own."""
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def verbs(command: click.Command = cli, *words: str) -> Iterator[tuple[str, ...]]:
    """Every verb of the command line, as the words that call it."""
    if not isinstance(command, click.Group):
        yield words
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from verbs(found, *words, name)
