"""The text of a recorded class, which may be a stranger's: read within limits, once, and never more than is there."""

from __future__ import annotations

import ast

import pytest

from conformance.model.backend import BackendRecord, ClassSource
from conformance.model.errors import UsageError
from conformance.repro.kernel import LARGEST, MOST_CLASSES, function_of, replaced, template_facts

KERNEL = "class Mine:\n    def softmax(self, logits, *, axis):\n        return {}\n"
HELPERS = "".join(f"def f{n}(logits): return f{n + 1}(logits)\n" for n in range(2000)) + "f2000 = abs\n"


def recorded(text: str, *names: str) -> BackendRecord:
    names = names or ("Mine",)
    return BackendRecord(
        name="mine", classes=[ClassSource(name=each, line=1, file="mine.py", text=text) for each in names]
    )


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["logits"] * 15_000),
        "logits" + ".a" * 50_000,
        "logits" + "()" * 50_000,
        "-" * 100_000 + "1",
        "not " * 25_000 + "1",
        "1\n        if axis: pass\n" + "        elif axis: pass\n" * 4_000,
        "1 if axis else " * 8_000 + "1",
        "(" * 300 + "1" + ")" * 300,
        "logits\0",
        "9" * 10_000,
        "'",
    ],
    ids=lambda text: text[:12],
)
def test_a_text_that_cannot_be_read_is_run_by_the_suite(text: str) -> None:
    kernel = recorded(KERNEL.format(text))
    assert replaced(kernel) == {"evaluate"}
    assert function_of(kernel, "softmax") is None


def test_a_text_that_is_large_is_in_no_script() -> None:
    whole = KERNEL.format("logits")
    comment = "#" * (LARGEST - len(whole))
    assert replaced(recorded(whole + comment)) == {"softmax"}
    for large in (recorded(whole + comment + "#"), recorded(whole, *["Mine"] * (MOST_CLASSES + 1))):
        for each in (replaced, template_facts, lambda record: function_of(record, "softmax")):
            with pytest.raises(UsageError, match="the adapter") as refused:
                each(large)
            assert refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        HELPERS + KERNEL.format("f0(logits)"),
        ";".join(f"n{n} = {n}" for n in range(3000)) + "\n" + KERNEL.format("logits + n0 + n1 + n2 + n2999"),
        f"from numpy import {', '.join(f'a{n}' for n in range(3000))}\n"
        + KERNEL.format(f"[{', '.join(f'a{n}' for n in range(3000))}]"),
    ],
    ids=["functions", "a line", "an import"],
)
def test_a_text_is_read_once_and_no_line_is_written_twice(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = ast.parse

    def counted(text: str) -> ast.Module:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(ast, "parse", counted)
    for _ in range(3):
        kernel = recorded(text)
        assert replaced(kernel) == {"softmax"}
        lines = function_of(kernel, "softmax")
        assert lines is not None and len("\n".join(lines)) <= len(text) + 2 * len(lines)
    assert len(parsed) == 1


def test_a_function_with_what_it_uses() -> None:
    text = (
        "import os; import math\nfrom numpy import exp\nSCALE: float = 2.0; OTHER = '''\n\u00e9\n'''\n\n\n"
        "def unused(): pass\n\n\n@staticmethod\ndef helper(x): return exp(x) * SCALE + len(OTHER)\n\n\n"
        + KERNEL.format("helper(logits) - math.pi")
    )
    assert function_of(recorded(text), "softmax") == (
        "from __future__ import annotations",
        "import os; import math",
        "from numpy import exp",
        "",
        "SCALE: float = 2.0; OTHER = '''",
        "\u00e9",
        "'''",
        "",
        "@staticmethod",
        "def helper(x): return exp(x) * SCALE + len(OTHER)",
        "",
        "def softmax(logits, *, axis):",
        "    return helper(logits) - math.pi",
    )


@pytest.mark.parametrize("line", ["::error::own", "  ::set-env name=A::b", "##[error]own", "\x1b[2J", "\u202e", "\x0c"])
def test_a_text_that_steers_what_it_is_printed_on_is_written_as_a_string(line: str) -> None:
    kernel = recorded(KERNEL.format("logits") + f"    note = '''\n{line}\n'''\n")
    assert function_of(kernel, "softmax") is not None  # which has nothing of it
    whole = recorded(KERNEL.format(f'"""\n{line}\n"""') + f"# {'x' * 100}\n")
    assert function_of(whole, "softmax") is None
    for each in (kernel, whole):
        (text,) = template_facts(each)["files"].values()
        assert "\n" not in text and text.isprintable() and ast.literal_eval(text) == each.classes[0].text


def test_what_warns_when_it_is_read() -> None:
    assert replaced(recorded(KERNEL.format(r"'\d'"))) == {"softmax"}
