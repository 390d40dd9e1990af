"""Ctrl-C in a terminal: every process of the group receives it, only the engine answers, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import signal
import sys
from conformance.worker.limits import Limits
from conformance.worker.session import Session
from test_session import requests

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background would ignore it
    try:
        with Session("Sleeps", creator="tests.support.fake_backends:create", limits=Limits(call=600)) as session:
            print(session.describe().pid, flush=True)
            session.run(requests(3, 0))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(5)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_engine(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "temporary").mkdir()
    paths = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[3])))
    engine = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert engine.stdout is not None
    backend = int(engine.stdout.readline())
    time.sleep(0.5)
    os.killpg(engine.pid, how)
    out, err = engine.communicate(timeout=30)
    if how == signal.SIGINT:
        assert (out, err, engine.returncode) == ("interrupted\n", "", 5)
        assert not list((tmp_path / "temporary").iterdir())
    for _ in range(100):
        state = Path(f"/proc/{backend}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the backend's process is still there")
