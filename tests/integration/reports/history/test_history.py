"""The history: each run once, change points where the times change, and clear words for files that are none."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.cli.history import command
from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.records import Header, encode_record
from conformance.reports.history import changes
from conformance.reports.history.add import add_runs
from conformance.reports.history.changes import change_points
from conformance.reports.history.database import History
from conformance.reports.history.series import read_series, read_verdicts
from conformance.reports.history.show import print_history, write_trends
from tests.support import benchmarks as synthetic

pytestmark = pytest.mark.slow

needs_otava = pytest.mark.skipif(change_points([1.0]) is None, reason="Apache Otava is not installed")
SMALL = {
    "backends": {name: synthetic.BACKENDS[name] for name in ("numpy", "torch")},
    "workloads": {"w": (64, 1000)},
    "contracts": {"forward": 1.0},
    "rounds": 3,
}


def benchmark_run(folder, day, torch=1.0):
    return synthetic.write(folder, seed=day, started=f"2026-03-{day:02}T10:00:00Z", slower={"torch": torch}, **SMALL)


def outcome_run(folder, verdicts, started="2026-03-01T10:00:00Z"):
    folder.mkdir(parents=True, exist_ok=True)
    common = {"backend": "torch", "dtype": "float32", "layout": "contiguous", "op": "softmax"}
    rows = [Outcome(case=f"c{i}", check="value", verdict=each, **common) for i, each in enumerate(verdicts)]
    torch = BackendRecord(name="torch", versions={"torch": "2.0"})
    header = Header(suite="0.1", started=started, environment={"cpu": "x"}, backends=[torch])
    (folder / "outcomes.jsonl").write_bytes(b"".join(encode_record(each) for each in (header, *rows)))
    return folder


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """Twelve runs; from the eighth on torch takes 30 % longer."""
    folder = tmp_path_factory.mktemp("months")
    for day in range(1, 13):
        benchmark_run(folder / f"r{day:02}", day, 1.3 if day >= 8 else 1.0)
    with History(folder / "h.duckdb", writing=True) as history:
        add_runs(history, [folder])
    return folder


def test_adding_again_and_adding_a_copy_change_nothing(tmp_path):
    run = benchmark_run(tmp_path / "a", 1)
    benchmark_run(tmp_path / "copy", 1)
    with History(tmp_path / "h.duckdb", writing=True) as history:
        assert [each.change for each in add_runs(history, [run])] == ["new"]
        before = history.query("select * from times order by all")
        assert [each.change for each in add_runs(history, [run, tmp_path / "copy"])] == ["known", "known"]
        assert history.query("select * from times order by all") == before
        assert len(before) == 2


def test_a_run_that_has_grown_takes_the_place_of_its_former_state(tmp_path):
    with History(tmp_path / "h.duckdb", writing=True) as history:
        add_runs(history, [outcome_run(tmp_path / "run", ["pass", "fail"])])
        grown = add_runs(history, [outcome_run(tmp_path / "run", ["pass", "fail", "pass"])])
        assert [each.change for each in grown] == ["updated"]
        assert [row.counts for row in read_verdicts(history)] == [{"fail": 1, "pass": 2}]


@pytest.mark.parametrize("kind", ["times", "verdicts"])
def test_a_former_state_of_a_run_takes_nothing_away(tmp_path, kind):
    def state(name, whole):
        if kind == "verdicts":
            return outcome_run(tmp_path / name, ["pass", "fail", "pass"] if whole else ["pass"])
        return synthetic.write(tmp_path / name, seed=1, **(SMALL | {"replicates": 3 if whole else 2}))

    file = str(tmp_path / "h.duckdb")
    runner = CliRunner()
    assert runner.invoke(command, ["add", str(state("whole", True)), "--db", file]).exit_code == 0
    with History(tmp_path / "h.duckdb") as history:
        before = history.query(f"select * from {kind} order by all")
    said = runner.invoke(command, ["add", str(state("former", False)), "--db", file])
    assert said.exit_code == 0 and "holds more" in said.output and "grown" not in said.output
    with History(tmp_path / "h.duckdb") as history:
        assert history.query(f"select * from {kind} order by all") == before


def test_one_bad_run_leaves_the_history_as_it_was(tmp_path):
    good = benchmark_run(tmp_path / "good", 1)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/benchmarks.json").write_text("{")
    with History(tmp_path / "h.duckdb", writing=True) as history:
        with pytest.raises(UsageError, match="cut off"):
            add_runs(history, [good, tmp_path / "bad"])
        assert history.query("select * from runs") == []


def test_series_are_in_the_order_of_time_and_apart_by_machine(months, tmp_path):
    with History(months / "h.duckdb") as history:
        series = read_series(history, backend="torch")
    assert [len(each.points) for each in series] == [12]
    assert [point.started for point in series[0].points] == sorted(point.started for point in series[0].points)
    with History(tmp_path / "h.duckdb", writing=True) as history:
        for machine in ("one", "another"):
            synthetic.write(tmp_path / machine, machine=machine, **SMALL)
        add_runs(history, [tmp_path])
        assert len(read_series(history, backend="torch")) == 2


@needs_otava
def test_a_change_is_found_where_it_happened_and_none_where_nothing_did(months):
    with History(months / "h.duckdb") as history:
        found = {each.backend: each.changes for each in read_series(history)}
    assert [change.index for change in found["torch"]] == [7]
    assert found["torch"][0].ratio == pytest.approx(1.3, rel=0.05)
    assert found["numpy"] == ()


@needs_otava
def test_change_points_bear_short_and_constant_series():
    assert change_points([]) == change_points([1.0]) == change_points([1.0] * 12) == ()
    steps = change_points([1.0] * 10 + [2.0] * 10)
    assert [each.index for each in steps] == [10]


@needs_otava
def test_noise_gives_next_to_no_change_points():
    generator = np.random.default_rng(0)
    found = [change_points(np.exp(0.01 * generator.standard_normal(30)).tolist()) for _ in range(40)]
    assert sum(map(len, found)) == 0


def test_without_otava_the_history_says_so(months, monkeypatch):
    monkeypatch.setitem(sys.modules, "otava.analysis", None)
    done = CliRunner().invoke(command, ["show", "--db", str(months / "h.duckdb"), "--workload", "w"])
    assert done.exit_code == 0 and "pip install --no-deps apache-otava" in " ".join(done.output.split())
    assert changes.change_points([1.0] * 9) is None


def test_trends_are_drawn_for_each_workload_and_backend(months, tmp_path):
    with History(months / "h.duckdb") as history:
        paths = write_trends(read_series(history), tmp_path)
    assert {path.name for path in paths} >= {"trend-w-numpy.png", "trend-w-torch.svg", "history.html"}
    assert all(path.stat().st_size > 1000 for path in paths)


def test_a_picture_keeps_its_name_whatever_else_is_shown_and_no_two_share_one(tmp_path):
    backends = dict.fromkeys(("a:b", "a/b", "../c"), synthetic.BACKENDS["numpy"])
    synthetic.write(tmp_path / "run", **(SMALL | {"backends": backends}))
    with History(tmp_path / "h.duckdb", writing=True) as history:
        add_runs(history, [tmp_path / "run"])
        every = {path.name for path in write_trends(read_series(history), tmp_path / "all")}
        one = {path.name for path in write_trends(read_series(history, backend="../c"), tmp_path / "one")}
    assert len(every) == 7 and one < every and one == {"trend-w-c.png", "trend-w-c.svg", "history.html"}


def test_series_of_several_machines_are_kept_apart_on_the_terminal(tmp_path):
    file = str(tmp_path / "h.duckdb")
    for machine in ("one", "another"):
        synthetic.write(tmp_path / machine, machine=machine, **SMALL)
    runner = CliRunner(env={"COLUMNS": "200"})
    runner.invoke(command, ["add", str(tmp_path), "--db", file])
    shown = runner.invoke(command, ["show", "--db", file]).output
    assert shown.count("one, 2 cores") == shown.count("another, 2 cores") == 2


def test_show_prints_json_and_nothing_else(months):
    done = CliRunner().invoke(command, ["show", "--db", str(months / "h.duckdb"), "--format", "json", "-b", "numpy"])
    assert done.exit_code == 0
    (series,) = json.loads(done.stdout)["times"]
    assert series["backend"] == "numpy" and len(series["points"]) == 12


@pytest.mark.parametrize("content", [b"garbage", b"", b"\0" * 20_000])
def test_a_file_that_is_not_a_history_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / "h.duckdb"
    file.write_bytes(content)
    for writing in (False, True):
        with pytest.raises(UsageError, match=r"h\.duckdb"):
            History(file, writing=writing)
    if content:
        assert file.read_bytes() == content


def test_a_history_that_is_cut_off_or_of_a_newer_suite_is_refused(months, tmp_path):
    whole = (months / "h.duckdb").read_bytes()
    (tmp_path / "cut.duckdb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"cut\.duckdb"), History(tmp_path / "cut.duckdb") as history:
        read_series(history)
    with History(tmp_path / "new.duckdb", writing=True) as history:
        history.query("update meta set schema = 99")
    with pytest.raises(UsageError, match="newer suite"):
        History(tmp_path / "new.duckdb")


def test_a_workload_that_changed_under_its_name_is_another_series(tmp_path):
    benchmark_run(tmp_path / "runs" / "a", 1)
    larger = SMALL | {"workloads": {"w": (128, 1000)}}
    synthetic.write(tmp_path / "runs" / "b", seed=2, started="2026-03-02T10:00:00Z", **larger)
    with History(tmp_path / "h.duckdb", writing=True) as history:
        add_runs(history, [tmp_path / "runs"])
        series = read_series(history, backend="torch")
    assert [(each.work.partition(",")[0], len(each.points)) for each in series] == [("64×1000", 1), ("128×1000", 1)]
    out = io.StringIO()
    print_history(series, [], console=Console(file=out, width=120))
    assert "64×1000" in out.getvalue() and "128×1000" in out.getvalue()


@pytest.mark.parametrize(
    "older", ["update meta set schema = 2", "alter table times drop column work; update meta set schema = 1"]
)
def test_a_history_of_an_older_form_is_read_and_brought_up_to_date(tmp_path, older):
    import duckdb

    with History(tmp_path / "h.duckdb", writing=True) as history:
        add_runs(history, [benchmark_run(tmp_path / "a", 1)])
    with duckdb.connect(str(tmp_path / "h.duckdb")) as connection:
        (had,) = connection.execute("select bandwidth_fraction from times").fetchone()
        connection.execute(f"alter table times rename column bandwidth_fraction to roof; {older}")
    with History(tmp_path / "h.duckdb") as history:
        (read,) = read_series(history, backend="torch")
        assert (read.work == "") == older.endswith("1") and len(read.points) == 1
    with History(tmp_path / "h.duckdb", writing=True) as history:
        add_runs(history, [benchmark_run(tmp_path / "b", 2)])
        assert sum(len(each.points) for each in read_series(history, backend="torch")) == 2
        assert had is not None and had in [row["bandwidth_fraction"] for row in history.query("select * from times")]


def test_a_history_whose_first_writer_was_stopped_is_begun_again(tmp_path):
    import duckdb

    duckdb.connect(str(tmp_path / "h.duckdb")).close()
    with pytest.raises(UsageError, match="no history"):
        History(tmp_path / "h.duckdb")
    with History(tmp_path / "h.duckdb", writing=True) as history:
        assert [each.change for each in add_runs(history, [benchmark_run(tmp_path / "run", 1)])] == ["new"]


@pytest.mark.parametrize(
    "tables",
    [
        "create table other (a integer)",
        "create table meta (schema integer)",
        "create table meta (schema integer); insert into meta values (1)",
        "create table meta (schema varchar); insert into meta values (null)",
        "create table meta (name varchar)",
        "create view meta as select 1 as schema; create table runs (a integer)",
    ],
)
def test_another_programs_database_is_refused_and_left_alone(tmp_path, tables):
    import duckdb

    with duckdb.connect(str(tmp_path / "h.duckdb")) as connection:
        connection.execute(tables)
    before = (tmp_path / "h.duckdb").read_bytes()
    for writing in (False, True):
        with pytest.raises(UsageError, match="no history"):
            History(tmp_path / "h.duckdb", writing=writing)
    assert (tmp_path / "h.duckdb").read_bytes() == before


def test_a_damaged_file_is_not_said_to_be_locked_by_its_own_name(tmp_path):
    (tmp_path / "clock.duckdb").write_bytes(b"garbage")
    with pytest.raises(UsageError) as caught:
        History(tmp_path / "clock.duckdb")
    assert "in use" not in str(caught.value)


def test_a_history_in_use_is_said_to_be(tmp_path):
    file = tmp_path / "h.duckdb"
    with History(file, writing=True):
        script = f"from conformance.cli import main; raise SystemExit(main(['history', 'show', '--db', {str(file)!r}]))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "in use" in done.stderr and "Traceback" not in done.stderr


def test_two_that_add_at_once_both_add(tmp_path):
    script = "from conformance.cli import main; import sys; raise SystemExit(main(['history', 'add', *sys.argv[1:]]))"
    file = str(tmp_path / "h.duckdb")
    adding = [
        subprocess.Popen([sys.executable, "-c", script, str(benchmark_run(tmp_path / str(day), day)), "--db", file])
        for day in (1, 2, 3)
    ]
    assert [each.wait() for each in adding] == [0, 0, 0]
    with History(tmp_path / "h.duckdb") as history:
        assert {len(each.points) for each in read_series(history)} == {3}


def test_hostile_names_are_kept_as_they_are_and_shown_without_their_powers(tmp_path):
    name = "x'); drop table runs; --\x1b[31m<b>"
    options = {**SMALL, "backends": {name: synthetic.BACKENDS["numpy"]}}
    synthetic.write(tmp_path / "run", started="'+alert(1)+'", **options)
    file = str(tmp_path / "h.duckdb")
    runner = CliRunner()
    assert runner.invoke(command, ["add", str(tmp_path / "run"), "--db", file]).exit_code == 0
    shown = runner.invoke(command, ["show", "--db", file, "--output", str(tmp_path / "trends")])
    assert shown.exit_code == 0 and "\x1b" not in shown.stdout
    with History(tmp_path / "h.duckdb") as history:
        assert [each.backend for each in read_series(history)] == [name]
    pictures = sorted(path.name for path in (tmp_path / "trends").iterdir())
    assert pictures == ["history.html", "trend-w-x-drop-table-runs-31m-b.png", "trend-w-x-drop-table-runs-31m-b.svg"]
    assert not re.search(r"<b>", (tmp_path / "trends/history.html").read_text().split("<body>")[1])
