"""What `conformance diff` makes of two benchmark runs, and with which code it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.cli import diff
from conformance.model.errors import UsageError
from conformance.reports.benchmarks.comparison.band import DeadBand, Rate
from conformance.reports.benchmarks.comparison.compare import compare_benchmarks
from conformance.reports.benchmarks.comparison.render import change_lines, changes_markdown, print_changes
from conformance.reports.benchmarks.comparison.rows import SpeedComparison
from conformance.reports.benchmarks.read import parse_benchmarks
from conformance.reports.benchmarks.records import Benchmarks, Machine
from conformance.reports.benchmarks.units import percent_changes
from tests.support import benchmarks as synthetic

Change = Callable[[dict[str, Any]], object]
FEW = {
    "backends": {name: synthetic.BACKENDS[name] for name in ("numpy", "torch", "jax")},
    "workloads": {"w": (4096, 1000), "v": (64, 1000)},
    "noise": synthetic.Noise(run=0, drift=0),
}
BAND = DeadBand(width=0.05, machine=Machine(cpu="Example CPU @ 2.0 GHz", cores=2, threads=2), comparisons=40)


def document(change: Change = dict, seed: int = 2, **options: Any) -> dict[str, Any]:
    whole = synthetic.document(seed=seed, **(FEW | options))
    change(whole)
    return whole


def run(change: Change = dict, seed: int = 2, **options: Any) -> Benchmarks:
    return parse_benchmarks(json.dumps(document(change, seed, **options)).encode(), "x.json")


def compared(change: Change = dict, band: DeadBand = BAND, **options: Any) -> SpeedComparison:
    return compare_benchmarks(run(seed=1, **options), run(change, **options), band)


def of_jax(whole: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["extra_info"] for each in whole["benchmarks"] if each["extra_info"]["backend"] == "jax"]


def judged(verdict: str) -> Change:
    return lambda whole: [each["accuracy"].update(verdict=verdict) for each in of_jax(whole)]


def without_jax(status: str | None) -> Change:
    def change(whole: dict[str, Any]) -> None:
        gone = of_jax(whole)
        whole["benchmarks"] = [each for each in whole["benchmarks"] if each["extra_info"]["backend"] != "jax"]
        if status:
            whole["not_timed"] = [{**each, "status": status, "message": "why"} for each in gone]

    return change


def printed(comparison: SpeedComparison) -> str:
    file = io.StringIO()
    print_changes(comparison, Console(file=file, width=200))
    return file.getvalue()


def test_every_rendering_names_a_result_that_lost_its_accuracy_at_the_same_speed():
    comparison = compared(judged("fail"))
    assert comparison.regressed and not comparison.changes
    for text in (printed(comparison), "\n".join(change_lines(comparison)), changes_markdown(comparison)):
        assert text.count("accuracy pass → fail") == 4 and "4 lost accuracy" in text
    bold = [line for line in changes_markdown(comparison).splitlines() if "fail** |" in line]
    assert len(bold) == 4


def test_a_faster_time_without_its_accuracy_stands_before_honest_changes():
    def faster(whole: dict[str, Any]) -> None:
        judged("fail")(whole)
        for each in whole["benchmarks"]:
            each["stats"]["data"] = [0.5 * seconds for seconds in each["stats"]["data"]]

    lines = [line for line in change_lines(compared(faster)) if line.startswith("faster")]
    assert len(lines) == 12
    assert all(line.startswith("faster; accuracy pass → fail") == (place < 4) for place, line in enumerate(lines))


def test_what_was_not_judged_has_lost_nothing():
    assert not compared(judged("not run")).regressed
    assert compared(judged("error")).regressed


@pytest.mark.parametrize("status", ["crash", "timeout", "error"])
def test_a_backend_that_cannot_be_timed_any_more_is_a_regression(status):
    comparison = compared(without_jax(status))
    assert comparison.regressed and len(comparison.lost) == 4
    assert "4 cannot be timed any more" in changes_markdown(comparison) and "(a regression)" in printed(comparison)


@pytest.mark.parametrize("status", ["unsupported", None])
def test_what_nobody_asked_for_or_is_not_offered_is_not_a_regression(status):
    assert not compared(without_jax(status)).regressed


def test_what_could_not_be_timed_before_is_not_a_regression_now():
    assert not compare_benchmarks(run(without_jax("crash")), run(seed=1), BAND).regressed


@pytest.mark.parametrize("field", [{"shape": [2, 2]}, {"dtype": "float16"}, {"device": "cuda"}, {"axis": 2}])
def test_other_work_under_the_same_name_is_not_compared(field):
    comparison = compared(lambda whole: [each.update(field) for each in of_jax(whole)])
    assert {row.backend for row in comparison.rows} == {"numpy", "torch"}
    assert not comparison.regressed
    other = [each for each in comparison.missing if each.status == "other work"]
    assert {(each.backend, each.only) for each in other} == {("jax", "old"), ("jax", "new")}
    assert all(next(iter(field)) in (each.message or "") and "→" in (each.message or "") for each in other)


def test_with_too_few_processes_it_says_how_many_are_needed_instead_of_speaking_of_holm():
    comparison = compared(replicates=2)
    assert "--replicates 4" in "\n".join(comparison.notes) and "Holm" not in "\n".join(comparison.notes)


def test_holm_is_out_of_reach_only_where_no_row_can_reach_it():
    """One workload with one process among others with nine: the others can, and the note must not deny it."""

    def slow(whole: dict[str, Any]) -> None:
        for each in whole["benchmarks"]:
            each["stats"]["data"] = [2 * seconds for seconds in each["stats"]["data"]]
        whole["benchmarks"] = [e for e in whole["benchmarks"] if e["extra_info"]["workload"] == "w"
                               or e["extra_info"]["replicate"] == 0]  # fmt: skip

    comparison = compared(slow, replicates=9)
    assert any(row.family_wise for row in comparison.rows)
    assert "out of reach" not in "\n".join(comparison.notes)
    assert "out of reach" in "\n".join(compared(replicates=5).notes)


def test_a_machine_whose_own_bandwidth_moved_is_shown():
    def slower_memory(whole: dict[str, Any]) -> None:
        whole["conformance"]["peak_bandwidth"] = {"2": {"268435456": {"read": 16e9, "copy": 9.8e9, "exp": 8e9}}}

    (note,) = [note for note in compared(slower_memory).notes if "bandwidths" in note]
    assert "-11" in note
    assert not [note for note in compared().notes if "bandwidths" in note]


@pytest.mark.parametrize(("slower", "notes"), [({"torch": 1.3}, 0), ({"torch": 1.1, "numpy": 1.1, "jax": 1.1}, 1)])
def test_frameworks_that_all_move_together_accuse_the_machine(slower, notes):
    options = {**FEW, "noise": synthetic.Noise(process=0.002, run=0, drift=0, rounds=0.002)}
    old, new = run(seed=1, **options), run(slower=slower, **options)
    assert sum("one direction" in note for note in compare_benchmarks(old, new, BAND).notes) == notes


def test_versions_beneath_a_backend_and_of_python_are_shown():
    def newer(whole: dict[str, Any]) -> None:
        for each in of_jax(whole):
            each["versions"] = {"jax": "1.2.3", "jaxlib": "0.9"}
        whole["conformance"]["environment"]["python"] = "CPython 3.13"

    def older(whole: dict[str, Any]) -> None:
        for each in of_jax(whole):
            each["versions"] = {"jax": "1.2.3", "jaxlib": "0.8"}
        whole["conformance"]["environment"]["python"] = "CPython 3.11"

    notes = "\n".join(compare_benchmarks(run(older, seed=1), run(newer), BAND).notes)
    assert "jaxlib 0.8 → 0.9" in notes and "python CPython 3.11 → CPython 3.13" in notes


def test_the_band_says_when_its_figures_are_of_other_conditions():
    def noted(**fields: Any) -> str:
        return "\n".join(compared(band=DeadBand(**{"width": 0.05, "comparisons": 40} | fields)).notes)

    assert "15 processes a side, and here there are 5: intervals are wider" in noted(replicates=15)
    rates = [Rate(processes=count, comparisons=40, false_calls=count, injected=20, found=9) for count in (3, 4, 6)]
    listed = noted(replicates=15, fewer=tuple(rates))
    assert "with 4 processes a side, 4 of 40 A/A comparisons were called, and 9 of 20 slowdowns found" in listed
    assert "another machine" in noted(machine=Machine(cpu="another", cores=2))
    assert "1 threads" in noted(machine=Machine(cpu="Example CPU @ 2.0 GHz", cores=2, threads=1))
    assert "dead band" not in noted(machine=BAND.machine, replicates=5)


def test_a_band_without_an_aa_run_is_not_called_the_machines_default():
    shown = DeadBand(width=0.07).summary()
    assert "default" not in shown and "not known" in shown and "conformance.reports.benchmarks.band" in shown


def test_an_estimate_and_its_interval_are_in_one_unit():
    assert percent_changes(1.9, 1.8, 2.1) == ["×1.90", "×1.80", "×2.10"]
    assert percent_changes(1.1, 1.05, 1.2) == ["+10.0 %", "+5.0 %", "+20.0 %"]


def invoked(*arguments: object) -> Any:
    return CliRunner().invoke(diff.command, [*map(str, arguments)], standalone_mode=False)


def written(folder: Path, whole: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "benchmarks.json").write_text(json.dumps(whole))
    return folder


def test_runs_without_a_time_in_common_are_an_error_that_says_why(tmp_path):
    old = written(tmp_path / "old", document())
    other = written(tmp_path / "new", document(backends={"optax": synthetic.BACKENDS["optax"]}))
    with pytest.raises(UsageError, match="no time in common"):
        raise invoked(old, other).exception
    half = document(lambda whole: [each["extra_info"].update(dtype="float16") for each in whole["benchmarks"]])
    with pytest.raises(UsageError, match="dtype float32 → float16"):
        raise invoked(old, written(tmp_path / "half", half)).exception
    crashed = document(lambda whole: (without_jax("crash")(whole), whole.update(benchmarks=[])))
    assert invoked(old, written(tmp_path / "crashed", crashed)).return_value == 1


def test_the_run_that_is_at_fault_is_named_and_not_the_other_one(tmp_path):
    timed = written(tmp_path / "timed", document())
    (tmp_path / "empty").mkdir()
    (tmp_path / "judged").mkdir()
    (tmp_path / "judged/outcomes.jsonl").write_text("")
    for name, shown in (("empty", "holds no run"), ("absent", "there is no"), ("judged", "nothing to compare")):
        for pair in ((timed, tmp_path / name), (tmp_path / name, timed)):
            with pytest.raises(UsageError, match=shown) as caught:
                raise invoked(*pair).exception
            assert name in str(caught.value).split("hint")[0]


def test_times_are_compared_where_only_one_run_holds_verdicts_too(tmp_path):
    old, new = (written(tmp_path / name, document(seed=seed)) for seed, name in enumerate(("old", "new")))
    (new / "outcomes.jsonl").write_text("")
    assert invoked(old, new).return_value == 0


def test_nothing_in_a_piped_comparison_steers_a_terminal(tmp_path):
    old = written(tmp_path / "old", document())
    new = written(
        tmp_path / "new",
        document(lambda whole: whole["conformance"]["environment"].update(cpu="a\x1b[31m\n::error::b")),
    )
    shown = invoked(old, new).output
    assert "\x1b" not in shown and "\n::" not in shown and "a\\x1b" in shown


def test_variables_and_settings_that_differ_are_shown():
    def steered(variables: dict[str, str], threads: str) -> Change:
        def change(whole: dict[str, Any]) -> None:
            whole["conformance"]["variables"] = variables | {"XLA_FLAGS": "same"}
            for each in of_jax(whole):
                each["settings"] = {"threads": threads, "x64": "true"}

        return change

    before = run(steered({"MALLOC_TRIM_THRESHOLD_": "1"}, "2"), seed=1)
    after = run(steered({"OMP_WAIT_POLICY": "active"}, "1"))
    notes = " ".join(compare_benchmarks(before, after, BAND).notes)
    assert "MALLOC_TRIM_THRESHOLD_ 1 → unset, OMP_WAIT_POLICY unset → active" in notes and "XLA_FLAGS" not in notes
    assert "Settings differ: jax's threads 2 → 1." in notes


def test_a_run_against_its_own_copy_is_said_to_be_one():
    (note,) = [each for each in compare_benchmarks(run(seed=1), run(seed=1), BAND).notes if "very same rounds" in each]
    assert "one run" in note
