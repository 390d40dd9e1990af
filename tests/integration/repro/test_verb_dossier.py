"""``conformance dossier``: every defect once, the same each time, whatever the results hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.cli import Run, write
from tests.support.outcomes import without_blocks
from tests.support.softmax import softmax_files


def test_the_dossier_holds_every_defect_once_and_is_the_same_each_time(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return (result * 2).astype(logits.dtype)")
    conformance("run", "-b", mine, "--cases", cases, "--output", "run", "-q")
    ran = conformance("dossier", "run", "--output", "one", "--cases", cases)
    assert ran.out == "one/mine.md\n"
    text = Path("one/mine.md").read_text()
    assert text.startswith("# mine: what does not conform")
    assert "no flag: softmax, value, class F" in text and "```python" in text
    lines = without_blocks(Path("run/outcomes.jsonl")).decode().splitlines()
    outcomes = [line for line in lines if '"record":"outcome"' in line]
    others = [line for line in lines if line not in outcomes]
    write(tmp_path / "other" / "outcomes.jsonl", "\n".join([*others[:-1], *reversed(outcomes), others[-1]]) + "\n")
    conformance("dossier", "other", "--output", "two", "--cases", cases)
    assert Path("two/mine.md").read_text() == text


def test_hostile_results_change_nothing_in_a_dossier(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return (result * 2).astype(logits.dtype)")
    conformance("run", "-b", mine, "--cases", cases, "--output", "run", "-q")
    evil = "<script>x</script> | # h \x1b[31m ``` [a](b)"
    lines = [json.loads(line) for line in without_blocks(Path("run/outcomes.jsonl")).decode().splitlines()]
    for line in lines:
        if line["record"] == "outcome" and line["verdict"] == "fail":
            line.update(
                reason="recorded", detail=evil, case=evil if line["check"] == "value" else line["case"], observed=evil
            )
    write(tmp_path / "run" / "outcomes.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert conformance("dossier", "run", "--output", "out", "--cases", cases).code == 0
    text = Path("out/mine.md").read_text()
    assert "\x1b" not in text
    outside = re.sub(r"^(`{3,})\w+$.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<script>" not in outside and "[a](b)" not in outside


def test_defects_of_two_adapters_of_a_framework_name_the_backend(conformance: Run, tmp_path: Path) -> None:
    cases, mine = softmax_files(tmp_path, "return (result * 2).astype(logits.dtype)")
    conformance("run", "-b", mine, "--cases", cases, "--output", "run", "-q")
    text = without_blocks(Path("run/outcomes.jsonl")).decode()
    for name in ("keras_a", "keras_b"):
        lines = [json.loads(line.replace('"mine"', f'"{name}"')) for line in text.splitlines()]
        for line in lines:
            if line["record"] == "backend":
                line["id"]["framework"], line["overridden"], line["classes"] = "keras", [], []
        write(tmp_path / name / "outcomes.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert conformance("dossier", "keras_a", "keras_b", "--output", "out", "--cases", cases).code == 0
    text = Path("out/keras.md").read_text()
    assert "\n1. keras\\_a: softmax" in text and "\n## 4. keras\\_b: softmax" in text
