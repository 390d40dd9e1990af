"""What docs/vectors.md says and shows: its rule, its check and its kernel."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conformance.places import ROOT
from conformance.results.store import read_run
from conformance.vectors.tensors import json_numbers
from tests.support.cli import Run

#: A dtype's largest number, and half a spacing there: from where on rounding gives infinity.
INFINITE_FROM = {"float64": np.finfo(np.float64).max, "float32": 3.4028235677973366e38, "float16": 65520.0,
                 "bfloat16": 3.3961775292304957e38}  # fmt: skip


def test_the_judge_allows_what_the_docs_say(conformance: Run) -> None:
    """Right results by the rule of docs/vectors.md pass, infinities among them; what it does not allow fails."""
    chosen = "sum-beyond-the-range or whole-range-of or combined.labels.unbatched.zero-weight.minus-one.smoothed"
    assert conformance("export", "vectors", "-k", chosen, "--tensors", "json", "--output", "v", "-q").code == 0
    themes = json.loads(Path("v/index.json").read_bytes())["themes"]
    vectors = [each for theme in themes for each in json.loads(Path("v", theme).read_bytes())["vectors"]]
    infinite = 0
    for wrong in (False, True):
        lines = []
        for vector in vectors:
            exact = np.array(vector["expected"]["value"]["exact"]["data"], dtype=np.float64)
            beyond = np.abs(exact) >= INFINITE_FROM[vector["dtype"]]
            beyond |= np.isnan(exact) if vector["reduction"] == "mean" else False
            infinite += int(beyond.sum())
            value = np.where(beyond, np.copysign(np.inf, np.nan_to_num(exact, nan=1.0)), exact)
            if wrong:
                value = np.where(beyond, -value, value / 2 + 1)
            lines.append(json.dumps({"id": vector["id"], "value": json_numbers(value), "unsupported": "no gradients"}))
        Path("r.jsonl").write_text("\n".join(lines), encoding="utf-8")
        code = conformance("judge", "r.jsonl", "--vectors", "v", "--output", "out", "--replace").code
        verdicts = {each.verdict for each in read_run("out").outcomes if each.check == "value"}
        assert (code, verdicts) == ((1, {"fail"}) if wrong else (0, {"pass"}))
    assert infinite > 10


@pytest.mark.skipif(shutil.which("node") is None, reason="no node: install Node.js to run the check of docs/vectors.md")
def test_the_check_of_the_docs(conformance: Run) -> None:
    """By the bounds in the file alone: right as it is shown, and found out without the maximum subtracted."""
    shown = re.search(r"```js file=check.mjs\n(.*?)```", (ROOT / "docs/vectors.md").read_text(encoding="utf-8"), re.S)
    assert shown
    assert conformance("export", "vectors", "-k", "stability", "--op", "softmax", "--tensors", "json",
                       "--output", "v").code == 0  # fmt: skip
    for name, source in (("right", shown[1]), ("naive", shown[1].replace("each - top", "each"))):
        Path(f"{name}.mjs").write_text(source, encoding="utf-8")
        ran = subprocess.run(["node", f"{name}.mjs", "v/stability.json"], capture_output=True, text=True, check=False)
        held, wrong = map(int, re.findall(r"[0-9]+", ran.stdout.splitlines()[-1]))
        assert held > 10 and (ran.returncode, wrong > 0) == ((0, False) if name == "right" else (1, True)), ran


COMPILER = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler: install g++ to run the kernel of docs/vectors.md")
def test_the_kernel_of_the_docs(conformance: Run, tmp_path: Path) -> None:
    """Right as it is shown, and found out without the maximum subtracted."""
    shown = re.search(r"```cpp file=kernel.cpp\n(.*?)```", (ROOT / "docs/vectors.md").read_text(encoding="utf-8"), re.S)
    assert shown and COMPILER
    naive = shown[1].replace(" - top", "")
    assert len(shown[1].splitlines()) <= 40
    assert naive.count("top") == 1
    assert (
        conformance("export", "vectors", "-k", "equal-logits or worked", "--tensors", "raw", "--output", "v").code == 0
    )
    themes = [each.removesuffix(".json") for each in json.loads(Path("v/index.json").read_bytes())["themes"]]
    for name, source, code in (("right", shown[1], 0), ("naive", naive, 1)):
        Path(f"{name}.cpp").write_text(source, encoding="utf-8")
        subprocess.run([COMPILER, "-std=c++17", "-o", name, f"{name}.cpp"], check=True)
        lines = b"".join(
            subprocess.run([tmp_path / name, f"v/{each}"], check=True, capture_output=True).stdout for each in themes
        )
        Path(f"{name}.jsonl").write_bytes(lines)
        ran = conformance("judge", f"{name}.jsonl", "--vectors", "v", "--name", name, "--output", f"out/{name}")
        assert ran.code == code, ran
        counts = read_run(f"out/{name}").counts
        passed = Counter(each.check for each in read_run(f"out/{name}").outcomes if each.verdict == "pass")
        assert code or min(passed["value"], passed["gradient"]) > 5
        assert counts["pass"] > 10 and ("fail" in counts) == bool(code)
        assert not read_run(f"out/{name}").truncated and "no result" not in ran.err
    assert "two-equal-logits-at-1e8" in ran.out
