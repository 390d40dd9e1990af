"""The page of docs on the peers, in Markdown, from the record and the kill matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.reports.kills import Kills
from tests.yardstick.peers.record import Found, Peers, RuleRecord

__all__ = ["peers_text"]

_HEAD = """\
# The same wrong backends before other projects' checks

Written by `python -m tests.yardstick peers`. Every wrong backend of the [kill
matrix](kill-matrix.md) is a NumPy kernel with one thing wrong; here each stands before the checks
that other projects hold implementations to, re-created with their own numbers, tolerances and
comparison. A rule *asks* a wrong backend if it tests an operation and a kind of result (value,
gradient, second order, forward mode) in which this suite finds it to be wrong, by the case that
kills it most narrowly, or if it kills it. Sizes, dtypes, memory and special values are not counted
against asking: a rule that never tries them lets the defect pass.

"""
_NOTES = """\
- ONNX: all [node tests](foreign.md) of the four operators, in turn on one instance, those of the
  expanded operators too; shape, dtype and `assert_allclose` with the tests' own tolerances, as in
  ONNX's [runner](https://github.com/onnx/onnx/blob/main/onnx/backend/test/runner/__init__.py).
- OpInfo: the samples of softmax, log_softmax, their masked forms, nll_loss and cross_entropy.
  Values in float32 against PyTorch's on the processor, with the 1e-3 of `test_compare_cpu`, and
  with the defaults of `torch.testing.assert_close`, which are closer. Then
  [`test_noncontiguous_samples`](https://github.com/pytorch/pytorch/blob/main/test/test_ops.py), and
  `test_fn_grad`, `test_fn_gradgrad` and `test_forward_mode_AD` of
  [test_ops_gradients.py](https://github.com/pytorch/pytorch/blob/main/test/test_ops_gradients.py),
  by PyTorch's own gradcheck in float64 and its fast mode. Left out is what a NumPy kernel has not:
  `out=`, in-place variants, the JIT, autocast, fake tensors, batched gradients; `_safe_softmax`,
  which is another function; samples with a result in another dtype, or a mask of all classes.
- KernelBench: problems 23, 24 and 95 of level 1 by
  [eval.py](https://github.com/ScalingIntelligence/KernelBench/blob/main/src/kernelbench/eval.py):
  five random inputs of one shape, forward only, `torch.allclose`. Versions 0 and 0.1 have atol =
  rtol = 1e-2; since then it is 1e-4 in float32 and 1e-2 in the half types. Version 0 is re-created
  whole. Of the present 4,096 × 393,216 logits two rows are taken, of 32,768 × 4,096 sixty-four: a
  whole mean would vary less from batch to batch. Its loss is given integer labels: as it stands,
  eval.py makes float32 of every input, which `cross_entropy` refuses.
- This suite: from the recorded [kill matrix](kill-matrix.md); *quick* is `conformance run --quick`.
  The few that no one case of it kills alone keep something of earlier calls: the selection as a
  whole kills them, as `tox run -e tests` holds. That the suite refuses none of the right ones is
  held by `tox run -e mutants`.
- The right ones that other rules refuse give results at the very edge of this suite's bounds, up to
  some ten units in the last place away on purpose: strict rules may refuse these with good reason.
"""


def peers_text(peers: Peers, kills: Kills) -> str:
    """The page: counts by rule, by kind of defect, and what zeros pass."""
    wrong = {name: each for name, each in peers.wrong.items() if name in kills.wrong}
    versions = ", ".join(f"{name} {version}" for name, version in peers.versions.items())
    lines = [
        "| rule | killed | of all | asked | of those asked | right ones refused |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for key, rule in peers.rules.items():
        killed = [name for name, each in wrong.items() if key in each.killed]
        asked = [name for name, each in wrong.items() if _asks(rule, key, each)]
        alarms = sum(1 for each in peers.right.values() if key in each.killed)
        lines.append(_row(rule.title, len(killed), len(wrong), len(asked), f"{alarms} of {len(peers.right)}"))
    quick = sum(1 for name in wrong if kills.wrong[name].quick)
    whole = sum(1 for name in wrong if kills.wrong[name].cases)
    lines.append(_row("this suite, quick", quick, len(wrong), len(wrong), f"0 of {len(peers.right)}"))
    lines.append(_row("this suite, whole", whole, len(wrong), len(wrong), f"0 of {len(peers.right)}"))
    union = sum(1 for each in wrong.values() if each.killed)
    text = [
        *lines,
        "",
        f"With {versions}, on {len(wrong)} wrong backends.",
        f"All rules of the others together kill {union} of them.",
        "",
        "## Zeros",
        "",
        *_zeros(peers),
        "",
        "## By kind of defect",
        "",
        *_kinds(peers, wrong, kills),
        "",
        "## How each rule is re-created",
        "",
    ]
    return _HEAD + "\n".join(text) + "\n" + _NOTES


def _asks(rule: RuleRecord, key: str, each: Found) -> bool:
    if key in each.killed or not each.ops:
        return True
    ops = {part for op in each.ops for part in (("nll_loss", "log_softmax") if "_of_" in op else (op,))}
    return bool(ops & {*rule.ops} and {*each.checks} & {*rule.checks})


def _row(title: str, killed: int, all_of_them: int, asked: int, alarms: str) -> str:
    return f"| {title} | {killed} | {_share(killed, all_of_them)} | {asked} | {_share(killed, asked)} | {alarms} |"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"


def _zeros(peers: Peers) -> Iterable[str]:
    yield "A kernel of zeros passes where every right value is smaller than the absolute tolerance"
    yield "([KernelBench#165](https://github.com/ScalingIntelligence/KernelBench/issues/165)), as the values"
    yield "of a softmax over many classes are. The loss and the log-probabilities are far from zero, and fail."
    yield ""
    yield "| problem | version | inputs | largest right value | tolerance | zeros |"
    yield "|---|---|---|---:|---:|---|"
    for each in peers.zeros:
        verdict = "pass" if each.passes else "fail"
        name = each.name.replace("_", " ", 1)
        yield f"| {name} | {each.version} | {each.inputs} | {each.largest:g} | {each.tolerance:g} | {verdict} |"


def _kinds(peers: Peers, wrong: dict[str, Found], kills: Kills) -> Iterable[str]:
    columns = {"onnx": "ONNX", "opinfo-derivatives": "OpInfo", "kernelbench-0": "KernelBench 0"}
    columns |= {"kernelbench-main": "KernelBench"}
    yield f"| kind | wrong | {' | '.join(columns.values())} | this suite |"
    yield "|---|" + "---:|" * (len(columns) + 2)
    groups: dict[str, list[str]] = {}
    for name in wrong:
        groups.setdefault(name.partition(".")[0], []).append(name)
    for module, names in groups.items():
        counts: Sequence[int] = [sum(1 for name in names if key in wrong[name].killed) for key in columns]
        own = sum(1 for name in names if kills.wrong[name].cases)
        yield f"| {module.replace('_', ' ')} | {len(names)} | {' | '.join(map(str, counts))} | {own} |"
