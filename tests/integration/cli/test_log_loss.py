"""The loss of probabilities from the command line: derived, exported, judged, and shown by a script of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli import Run, write
from tests.support.reproducers import run_bare

CASES = """\
theme: small
cases:
  - id: given
    why: the first position's target has no probability
    op: log_loss
    probabilities: [[0, 1], [0.75, 0.25]]
    targets: [0, 1]
    label_smoothing: 0.0
    dtypes: [float32]
  - id: given-softly
    why: every class has a term, but for those of neither
    op: log_loss
    probabilities: [[0.5, 0.25, 0.25], [1, 0, 0]]
    targets: [[0.5, 0.5, 0], [1, 0, 0]]
    dtypes: [float32]
"""
CLIPS = """\
import numpy as np

from conformance.backends.adapters.numpy import Numpy


class Clips(Numpy):
    def log_loss(self, probabilities, targets, *, axis, reduction, **options):
        p = np.clip(np.moveaxis(probabilities, axis, -1), 1e-7, None)
        losses = -np.log(np.take_along_axis(p, targets[..., None], -1))[..., 0]
        return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()
"""


def test_its_derivation_has_the_logarithms_and_what_a_clip_would_give(conformance: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "cases.yaml", CASES)
    ran = conformance("explain", "given-softly", "--cases", file)
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert ran.code == 0 and "log_loss of float32 probabilities of shape 2×3; classes along axis 1 (stated)" in ran.out
    assert any(line.startswith("log ln p -0.6931471806 -1.386294361 -1.386294361") for line in lines)
    assert any("0 · ln 0 = 0" in line for line in lines)
    assert "terms a × (−ln p) 0.3465735903 0.6931471806 0" in lines
    ran = conformance("explain", "given", "--cases", file)
    assert "8.752195 probabilities clipped by 1e-7" in " ".join(ran.out.split())


def test_a_kernel_that_clips_is_shown_by_a_script_without_the_project(conformance: Run, tmp_path: Path) -> None:
    file, mine = write(tmp_path / "cases.yaml", CASES), write(tmp_path / "clips.py", CLIPS)
    ran = conformance("repro", "given", "-b", mine, "--cases", file, "--reduction", "none")
    assert ran.code == 0 and "def log_loss(probabilities, targets" in ran.out and "conformance" not in ran.out
    printed, error = run_bare(ran.out)
    assert "observed: 16.118" in printed and "exact:    inf" in printed and not error


def test_its_vectors_are_judged_by_the_exact_results(conformance: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "cases.yaml", CASES)
    ran = conformance("export", "vectors", "--cases", file, "--tensors", "json", "--output", "v")
    assert ran.code == 0
    vectors = json.loads((tmp_path / "v/small.json").read_text(encoding="utf-8"))["vectors"]
    assert {each["op"] for each in vectors} == {"log_loss"} and {each["label_smoothing"] for each in vectors} == {
        0,
        None,
    }
    lines = [{"id": each["id"]} | {k: e["exact"]["data"] for k, e in each["expected"].items()} for each in vectors]
    write(tmp_path / "r.jsonl", "\n".join(map(json.dumps, lines)))
    ran = conformance("judge", "r.jsonl", "--vectors", "v", "--cases", file, "--output", "out")
    assert ran.code == 0, ran.err
