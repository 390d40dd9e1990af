"""Processes: every fault ends as the right failure of the right request, and nothing is left behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance.model.errors import BackendUnavailable, UsageError
from conformance.worker.exchange import Observation, Request
from conformance.worker.limits import Limits
from conformance.worker.session import Session
from tests.support import fake_backends

CREATOR = "tests.support.fake_backends:create"
QUICK = Limits(start=30, call=1.0)


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = children()  # an earlier test of this process may have left multiprocessing's own
    yield
    assert not list(folder.glob("conformance-*"))
    assert children() <= before


def children() -> set[str]:
    return {*Path("/proc/self/task", str(os.getpid()), "children").read_text().split()}


def requests(count: int, *triggers: int) -> list[Request]:
    return [request(key, key in triggers) for key in range(count)]


def request(key: int, trigger: bool = False) -> Request:
    logits = np.array([[fake_backends.TRIGGER if trigger else 0.0, float(key), 1.0]])
    return Request(key, "softmax", logits, {}, (("axis", 1),), upstream=np.ones((1, 3)), repeat=True)


def run(name: str, sent: list[Request], limits: Limits = QUICK) -> list[Observation]:
    with Session(name, creator=CREATOR, limits=limits) as session:
        seen = list(session.run(sent))
    assert [each.key for each in seen] == [each.key for each in sent]
    return seen


def gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return True
        time.sleep(0.1)
    return False


def test_a_sound_backend() -> None:
    with Session("Sound", creator=CREATOR, threads=2) as session:
        description = session.describe()
        assert description.pid != os.getpid() and description.settings == {"threads": "2"}
        seen = list(session.run(requests(200)))
        again = list(session.run(requests(3)))
    assert [each.key for each in seen] == list(range(200)) and len(again) == 3
    assert all(each.failure is None and each.repeatable for each in seen)
    expected = fake_backends.create("Sound", 1).softmax(requests(200)[199].logits, axis=1)
    assert seen[199].value is not None and seen[199].value.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("name", "collects"), [("Sound", "True"), ("CollectsByItself", "False")])
def test_a_backends_own_garbage_collection_stays(name: str, collects: str) -> None:
    with Session(name, creator="tests.support.fake_backends:shows_collection") as session:
        assert session.describe().settings == {"collects": collects, "threshold": str(gc.get_threshold())}


def test_thread_pools_are_set_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Session("Sound", creator="tests.support.fake_backends:threads_at_import") as session:
        assert session.describe().settings == {"early": "False"}
    code = "import sys, conformance.worker.child; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_compiled_is_kept_as_long_as_the_session() -> None:
    with Session("Keeps", creator=CREATOR) as session:
        folder = Path(session.describe().settings["cache"])
        assert folder.is_dir()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "kind", "type_", "words"),
    [
        ("Exits", "crash", "exit code 3", "the last words"),
        ("ExitsWithSuccess", "crash", "exit code 0", "ended"),
        ("Segfaults", "crash", "SIGSEGV", "Segmentation fault"),
        ("SegfaultsBesideItsOwnHandler", "crash", "SIGSEGV", "Segmentation fault"),
        ("Aborts", "crash", "SIGABRT", "ended"),
        ("Sleeps", "timeout", "TimeoutError", "no answer within 1 s"),
        ("HangsInC", "timeout", "TimeoutError", "no answer within 1 s"),
        ("PrintsForever", "timeout", "TimeoutError", "no answer within 1 s"),
        ("LeavesBySystemExit", "raised", "SystemExit", "7"),
        ("Interrupts", "raised", "KeyboardInterrupt", ""),
        ("ReturnsRagged", "adapter", "list", "ValueError"),
    ],
)
def test_the_culprit_is_found(name: str, kind: str, type_: str, words: str) -> None:
    seen = run(name, requests(12, 5))
    culprit = seen.pop(5).failure
    assert culprit is not None and (culprit.kind, culprit.type) == (kind, type_) and words in culprit.message
    assert all(each.failure is None and each.value is not None for each in seen)
    if name in ("Segfaults", "Sleeps", "HangsInC"):
        assert culprit.where.startswith("tests/support/fake_backends/")


def test_several_culprits_in_several_batches() -> None:
    culprits = {0, 1, 20, 49}
    seen = run("Exits", requests(50, *culprits))
    assert {each.key for each in seen if each.failure is not None} == culprits


def test_too_many_deaths_end_the_run() -> None:
    seen = run("Dies", requests(20), Limits(start=30, call=1, restarts=3))
    kinds = [each.failure.kind for each in seen if each.failure is not None]
    assert kinds == ["crash"] * 3 + ["not run"] * 17


def test_a_backend_that_does_not_start_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_TEST_MARK", str(tmp_path / "mark"))
    seen = run("StartsOnce", requests(300, 290))
    assert all(each.failure is None for each in seen[:256])
    late = seen[299].failure
    assert late is not None and late.kind == "not run" and "the device is lost" in late.message


@pytest.mark.parametrize(
    ("name", "limit", "words"),
    [
        ("FailsToImport", 30, "No module named 'no_such_framework'"),
        ("SlowToImport", 1, "did not start within 1 s"),
        ("DiesAtImport", 30, "Illegal instruction, they said"),
        ("RaisesStrangely", 30, "Local: strange"),
        ("NoSuchBackend", 30, "KeyError"),
    ],
)
def test_a_backend_that_cannot_start(name: str, limit: float, words: str) -> None:
    with Session(name, creator=CREATOR, limits=Limits(start=limit)) as session:
        with pytest.raises(BackendUnavailable, match="hint: ") as caught:
            session.describe()
    assert words in str(caught.value)


def test_output_of_the_backend_stays_away(capfd: pytest.CaptureFixture[str]) -> None:
    assert all(each.failure is None for each in run("Chatty", requests(5)))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_children_of_the_backend_end_with_it() -> None:
    with Session("HasChildren", creator=CREATOR) as session:
        child = int(session.describe().settings["child"])
        os.kill(child, 0)
    assert gone(child)


def test_large_requests_travel() -> None:
    logits = np.random.default_rng(1).standard_normal((1000, 1000))
    sent = [Request(key, "softmax", logits, {}, (("axis", 1),)) for key in range(3)]
    seen = run("Sound", sent, Limits(start=30, call=10))
    assert all(each.value is not None and each.value.shape == (1000, 1000) for each in seen)


def test_limits_are_checked() -> None:
    with pytest.raises(UsageError, match="greater than 0"):
        Limits(call=0)
    with pytest.raises(UsageError, match="0 or more"):
        Limits(restarts=-1)


def test_a_process_that_left_its_session_ends_too() -> None:
    with Session("HasDaemon", creator=CREATOR) as session:
        daemon = int(session.describe().settings["daemon"])
        os.kill(daemon, 0)
    assert gone(daemon)


@pytest.mark.parametrize("name", ["Forges", "AnswersTwice", "WritesNonsense"])
def test_an_answer_that_nobody_asked_for_is_a_finding(name: str) -> None:
    seen = run(name, requests(12, 5))
    culprit = seen[5].failure
    assert culprit is not None and (culprit.kind, culprit.type) == ("crash", "ForgedAnswer")
    assert all(each.failure is None for each in seen[:5] + seen[6:])


def test_nothing_that_is_unpickled_crosses() -> None:
    for module in ("child", "shim", "wire", "driver", "process", "session", "memory", "supervisor"):
        assert "pickle" not in (Path(__file__).parents[3] / "conformance/worker" / f"{module}.py").read_text().replace(
            "Never a pickle", ""
        )


def test_a_backends_process_imports_nothing_that_judges() -> None:
    code = (
        "import sys, conformance.worker.child; "
        "print(*[each for each in sys.modules if each.startswith('conformance.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rooms = {each.split(".")[1] for each in done.stdout.split()}
    assert rooms == {"worker"}


def test_texts_that_cannot_be_encoded_end_nothing() -> None:
    seen = run("RaisesSurrogates", requests(3, 1))
    failure = seen[1].failure
    assert failure is not None and failure.kind == "raised" and failure.message == "\\udc80 is lone"
    failure.message.encode()


def test_a_profile_is_a_name_and_never_a_path() -> None:
    with Session("NamesAPath", creator=CREATOR) as session:
        with pytest.raises(BackendUnavailable, match="names the profile '../../mine'"):
            session.describe()


def test_crash_messages_hold_no_frame_of_the_harness() -> None:
    (seen,) = run("Segfaults", [request(1, True)])
    assert seen.failure is not None and "fake_backends/deaths.py" in seen.failure.message
    assert "worker" not in seen.failure.message and "runpy" not in seen.failure.message
