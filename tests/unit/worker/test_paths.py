"""What is shown of a process's last output."""

from __future__ import annotations

from conformance.worker.paths import readable_log

LOG = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795998569.715115   16165 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1795998569.715115   16165 cuda.cc:10] no such driver
terminate called without an active exception
"""


def test_what_tensorflow_says_of_each_start_is_left_out() -> None:
    shown = readable_log(LOG).splitlines()
    assert [line[:5] for line in shown] == ["E0000", "termi"]
