"""Global state that a call leaves changed: the case that did it is to blame, and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.results.store import read_run
from conformance.worker.exchange import Observation, Request
from conformance.worker.limits import Limits
from conformance.worker.session import Session
from tests.integration.run.test_deaths import backend, run, verdicts

pytestmark = pytest.mark.slow

CHANGES = {
    "os.chdir('/')": "working directory",
    "os.environ['OMP_NUM_THREADS'] = '99'": "environment",
    "os.environ.pop('TMPDIR')": "environment",
    "numpy.seterr(all='raise')": "floating-point errors",
    "ctypes.CDLL(None).fesetround(0x800)": "rounding: to nearest → upwards",
    "[os.pipe() for _ in range(100)]": "open files",
    "[threading.Thread(target=time.sleep, args=(60,), daemon=True).start() for _ in range(70)]": "running threads",
    "__import__('signal').setitimer(0, 3000)": "timer",
}


def ask(file: Path, firsts: list[float], limits: Limits | None = None) -> list[Observation]:
    sent = [
        Request(n, "softmax", np.array([[first, 2.0]]), {}, (("axis", 1),), repeat=True)
        for n, first in enumerate(firsts)
    ]
    with Session(str(file), limits=limits) as session:
        return session.run(sent)


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_call_leaves_changed_is_reported_of_it_alone(tmp_path: Path, change: str) -> None:
    file = backend(tmp_path, change, at_import="import numpy; FIRST = True")
    seen = ask(file, [1.0, 5.0, 2.0, 3.0])
    assert [bool(each.left) for each in seen] == [False, True, False, False]
    assert CHANGES[change] in " ".join(seen[1].left)
    assert all(each.failure is None and each.modified == () for each in seen)


def test_it_is_a_fail_of_the_case(tmp_path: Path) -> None:
    file = backend(tmp_path, "numpy.seterr(all='raise')", at_import="import numpy; FIRST = True")
    code, outcomes, shown = run(tmp_path, file, options=("--jobs", "1"))
    (wrong,) = [each for each in outcomes if each["verdict"] != "pass"]
    assert (wrong["case"], wrong["check"], wrong["verdict"]) == ("case-5", "process", "fail") and code == 1
    assert "floating-point errors: divide warn" in wrong["detail"] and verdicts(outcomes)["fail"] == 1
    read = read_run(tmp_path / "run")
    assert read.deaths == {} and read.restarts["dies"] >= 1
    assert "dies: its process was started again" in shown and "without having died" in shown


def test_a_call_that_changes_it_each_time_ends_nothing(tmp_path: Path) -> None:
    file = backend(tmp_path, "pass")
    text = file.read_text().replace("if FIRST and logits.flat[0] == 5:", "if True:")
    file.write_text(text.replace("            pass\n", "            os.environ['COUNT'] = str(time.monotonic())\n"))
    seen = ask(file, [float(n) for n in range(12)], Limits(restarts=5))
    assert all(each.failure is None for each in seen)
    assert sum(bool(each.left) for each in seen) == 4  # the first of the five is that for the whole batch


@pytest.mark.framework
def test_gradients_that_are_left_off_are_reported_of_one_call(tmp_path: Path) -> None:
    file = tmp_path / "off.py"
    file.write_text(
        "from conformance.backends.torch import Torch\n\n\nclass Off(Torch):\n"
        "    def softmax(self, logits, *, axis):\n        import torch\n\n"
        "        if float(logits.flatten()[0]) == 5:\n            torch.set_grad_enabled(False)\n"
        "        return super().softmax(logits, axis=axis)\n"
    )
    seen = ask(file, [1.0, 5.0, 2.0])
    assert [each.left for each in seen] == [(), ("gradients: on → off",), ()]
    assert all(each.failure is None for each in seen)
