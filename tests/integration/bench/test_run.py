"""``conformance bench`` on small workloads: what the file holds, and that other tools read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.bench.launch import BenchSettings, launch
from conformance.bench.machine import most_memory, usable_cores
from conformance.bench.record import Record

pytestmark = pytest.mark.slow

SMALL = """\
workloads:
  - {id: plain, why: small, shape: [6, 5], contracts: [forward, forward+grad, forward-saving]}
  - {id: half, why: small, shape: [6, 5], dtype: bfloat16, contracts: [forward+grad]}
  - {id: axis, why: small, shape: [2, 5, 3, 4], axis: 1, contracts: [forward+grad]}
  - {id: soft, why: small, shape: [6, 5], targets: probabilities, contracts: [forward+grad]}
  - {id: rich, why: small, shape: [700, 5], weight: true, ignored: 0.5, label_smoothing: 0.1, contracts: [forward+grad]}
  - {id: wide, why: measurable, shape: [1024, 2048], contracts: [forward+grad]}
  - {id: cold, why: small, shape: [6, 5], caches: [cold], contracts: [forward, forward+grad]}
series:
  - {id: curve, why: small, over: classes, elements: 24, extents: [2, 12]}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of one run for all tests of what it holds."""
    folder = tmp_path_factory.mktemp("bench")
    file = folder / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    settings = BenchSettings(
        backends=("numpy", "torch"),
        paths=(file,),
        replicates=2,
        threads=1,
        budget=0.002,
        seed=5,
        output=folder,
        quiet=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conformance.bench.launch.evict_bytes", lambda cores: 1 << 16)
        return launch(settings).path


@pytest.fixture
def document(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return found


@pytest.mark.framework
def test_the_file(document: dict[str, Any]) -> None:
    entries = document["benchmarks"]
    infos = [msgspec.convert(each["extra_info"], Record, strict=True) for each in entries]
    refused = [msgspec.convert(each, Record, strict=True) for each in document["not_timed"]]
    # 11 entries on two backends in two replicates, but for what NumPy has not, which is not tried again.
    assert len(entries) == 2 * 2 * 11 - 2 and [(each.backend, each.status) for each in refused] == [
        ("numpy", "unsupported")
    ]
    names = {each["name"] for each in entries}
    assert names >= {"plain[torch|forward-saving|warm|r1]", "cold[numpy|forward+grad|cold|r0]"}
    assert len(names) == len(entries)
    assert {each["group"] for each in entries} >= {"plain|forward|warm", "curve-2x12|forward+grad|warm"}
    for entry, info in zip(entries, infos, strict=True):
        data = entry["stats"]["data"]
        assert len(data) == entry["stats"]["rounds"] >= 3 and min(data) > 0
        assert info.calls == entry["stats"]["rounds"] * entry["stats"]["iterations"]
        assert info.bytes_per_second == pytest.approx(info.floor_bytes / entry["stats"]["median"])
        assert info.peak_bandwidth is not None and info.bandwidth_fraction is not None and info.bandwidth_fraction > 0
        assert info.first_call_seconds and info.import_seconds and info.gc and info.minor_faults is not None
        assert info.gc["collections"] == [0, 0, 0]
        assert info.seed == 5 and info.pid > 0 and info.allocator and info.version and info.wrapper_seconds
        assert info.compile_cache == ("fresh" if info.replicate == 0 else "kept")
        assert (info.evicted_bytes is not None) == (info.cache == "cold")
        assert info.accuracy is not None and info.accuracy.verdict == "pass" and info.accuracy.declared
        assert (info.peak_bytes is not None) == (info.cache == "warm")
        if info.workload == "wide":  # a gradient, and temporaries of the logits' size
            assert info.peak_multiple is not None and 2 < info.peak_multiple < 8
        else:
            assert info.peak_multiple is None
    assert {info.accuracy.quantity for info in infos if info.accuracy and info.contract == "forward"} == {"value"}
    assert next(each for each in infos if each.workload == "rich").accuracy.positions in (256, 700)
    assert [each["order"] for each in (entry["extra_info"] for entry in entries)] == sorted(
        info.order for info in infos
    )


@pytest.mark.framework
def test_every_replicate_is_a_process_of_its_own_with_the_same_pools(document: dict[str, Any]) -> None:
    infos = [each["extra_info"] for each in document["benchmarks"]]
    processes = {(each["backend"], each["replicate"]): each["pid"] for each in infos}
    assert len(set(processes.values())) == len(processes) == 4
    assert {each["threads"] for each in infos} == {document["conformance"]["threads"]} == {1}
    torch = [each["settings"] for each in infos if each["backend"] == "torch"]
    assert {(each["threads"], each["interop threads"]) for each in torch} == {("1", "1")}


@pytest.mark.framework
def test_the_head_of_the_file(document: dict[str, Any]) -> None:
    head = document["conformance"]
    assert head["schema"] == 2 and head["seed"] == 5 and head["replicates"] == 2 and not head["interrupted"]
    assert len(head["peak_bandwidth_tries"]) == 3  # before each block, and after the last
    assert "MALLOC_ARENA_MAX" in head["variables"]
    (sizes,), (ranges,) = head["peak_bandwidth"].values(), head["peak_bandwidth_range"].values()
    assert all(low <= sizes[size]["read"] <= high for size, (low, high) in ((s, ranges[s]["read"]) for s in sizes))
    assert all(kinds["read"] > 0 and kinds["copy"] > 0 and kinds["exp"] > 0 for kinds in sizes.values())
    assert document["machine_info"]["node"] == "" and document["commit_info"]["id"]


@pytest.mark.framework
def test_pytest_benchmark_compares_it(written: Path) -> None:
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(written)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=written.parent)
    assert ran.returncode == 0 and "plain[torch|forward|warm|r0]" in ran.stdout + ran.stderr


def test_the_table_and_its_json(bench: Any) -> None:
    arguments = ("-b", "numpy", "--workloads", bench.workloads(), "--replicates", 1)
    assert bench(*arguments) == 0
    assert "bandwidth" in bench.out and "three" in bench.out and f"times: {bench.path}" in bench.out
    assert bench(*arguments, "-k", "two", "--format", "json") == 0
    (row,) = msgspec.json.decode(bench.out)
    assert row["workload"] == "two" and row["verdict"] == "pass" and row["seconds"] > 0


def test_one_thread_on_one_core(bench: Any) -> None:
    assert (
        bench(
            "-b",
            bench.faulty("Threads"),
            "--workloads",
            bench.workloads(),
            "-k",
            "two",
            "--replicates",
            1,
            "--threads",
            1,
        )
        == 0
    )
    settings = bench.document["benchmarks"][0]["extra_info"]["settings"]
    assert settings.pop("cores") == str([usable_cores()[0]]) and set(settings.values()) == {"1"}


def test_the_users_variables_neither_choose_cores_nor_bring_old_kernels(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "of another tool")
    for name, value in {"OMP_NUM_THREADS": "7", "GOMP_CPU_AFFINITY": "0", "XLA_FLAGS": "--a=b", "MINE": "x"}.items():
        monkeypatch.setenv(name, value)
    arguments = ("--workloads", bench.workloads(), "-k", "two", "--replicates", 1, "--threads", 1, "--no-accuracy")
    assert bench("-b", bench.faulty("Variables"), *arguments) == 0
    settings = bench.document["benchmarks"][0]["extra_info"]["settings"]
    assert settings.pop("OMP_NUM_THREADS") == "1" and settings.pop("MINE") == "x" and not any(settings.values())
    recorded = bench.document["conformance"]["variables"]
    assert (
        recorded["XLA_FLAGS"] == "--a=b"
        and not {"MINE", "TF_CLI_CONFIG_FILE"} & {*recorded}
        and "GOMP_CPU_AFFINITY" not in recorded
    )


@pytest.mark.framework
def test_a_platform_that_the_user_left_out_is_named(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    assert bench("-b", "jax", "--workloads", bench.workloads(), "-k", "two", "--replicates", 1) == 3
    assert "JAX_PLATFORMS=tpu leaves out cpu" in bench.document["not_timed"][0]["message"]


def test_two_kernels_of_one_name_are_not_taken_for_one(bench: Any) -> None:
    for folder in ("old", "new"):
        (bench.folder / folder).mkdir()
        (bench.folder / folder / "kernel.py").write_text(
            "from conformance.backends.numpy import Numpy\nclass Mine(Numpy): ...\n"
        )
    old, new = (bench.folder / folder / "kernel.py" for folder in ("old", "new"))
    arguments = ("--workloads", bench.workloads(), "-k", "two", "--replicates", 1, "--no-accuracy")
    assert bench("-b", old, "-b", new, *arguments) == 2
    assert "are both called kernel" in bench.err and "rename one" in bench.err
    assert bench("-b", old, "-b", old, *arguments) == 0
    assert len(bench.document["benchmarks"]) == 1


def test_a_call_that_was_made_before_has_the_first_calls_time(bench: Any) -> None:
    text = """\
workloads:
  - {id: one, why: small, shape: [4, 3], contracts: [forward], caches: [warm, cold]}
  - {id: same, why: small, shape: [4, 3], contracts: [forward], seed: 4}
  - {id: other, why: small, shape: [5, 3], contracts: [forward]}
"""
    arguments = ("--workloads", bench.workloads(text), "--replicates", 1)
    assert bench("-b", bench.faulty("SlowAtFirst"), *arguments) == 0
    infos = [each["extra_info"] for each in bench.document["benchmarks"]]
    assert len(infos) == 4 and all(each["first_call_seconds"] > 0.2 for each in infos)
    assert len({each["first_call_seconds"] for each in infos}) == 2  # a call on either shape


def test_with_a_pytest_around_it_and_without_accuracy(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--benchmark-disable")
    monkeypatch.setenv("PYTEST_PLUGINS", "there_is_no_such_plugin")
    assert bench("-b", "numpy", "--workloads", bench.workloads(), "-k", "two", "--replicates", 1, "--no-accuracy") == 0
    assert bench.document["benchmarks"][0]["extra_info"]["accuracy"] is None


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("-k", "nowhere"), "no workload is selected", "loosen -k"),
        (("-k", "and"), "a word is missing", "-k 'softmax"),
        (("-b", "torhc"), "no backend 'torhc'", "did you mean torch?"),
        (("--contract", "forward-saving"), "none of the selected workloads", "--contract"),
        (("--workloads", "missing.yaml"), "no such file or folder", "name a .yaml file"),
        (("--threads", "999"), "--threads 999", "write at most"),
        (("--budget", "inf"), "inf is not in the range", "--budget"),
        (("--start-timeout", "nan"), "nan is not a finite number", "--start-timeout"),
    ],
)
def test_wrong_usage(bench: Any, arguments: tuple[str, ...], problem: str, hint: str) -> None:
    usual = () if "--workloads" in arguments else ("--workloads", bench.workloads())
    assert bench("-b", "numpy", *usual, *arguments) == 2
    assert problem in bench.err and hint in bench.err and not bench.out and not bench.path.exists()


def test_a_peak_bandwidth_that_cannot_be_measured_is_explained(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.bench.launch.SIZES", (1 << 60,))
    assert bench("-b", "numpy", "--workloads", bench.workloads(), "-k", "two", "--replicates", 1) == 0
    assert "MemoryError" in bench.document["conformance"]["peak_bandwidth_tries"][0]["message"]
    assert bench.document["benchmarks"][0]["extra_info"]["peak_bandwidth"] is None


def test_a_workload_that_no_memory_can_hold(bench: Any) -> None:
    text = "workloads: [{id: vast, why: b, shape: [120000, 140000], dtype: float32}]"
    if (most_memory() or 0) > 130 << 30:
        pytest.skip("this machine can hold it")
    assert bench("-b", "numpy", "--workloads", bench.workloads(text)) == 2
    assert "vast needs more than 125.2 GiB of memory" in bench.err and "smaller extents" in bench.err


def test_inputs_that_cannot_be_written(bench: Any) -> None:
    import resource

    arguments = ("-b", "numpy", "--workloads", bench.workloads("workloads: [{id: a, why: b, shape: [500, 1000]}]"))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, old[1]))
    try:
        assert bench(*arguments) == 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "the inputs of a cannot be written" in bench.err and "set TMPDIR" in bench.err


def test_an_output_that_cannot_be_written(bench: Any) -> None:
    (bench.folder / "taken").write_text("")
    arguments = ("-b", "numpy", "--workloads", bench.workloads(), "-k", "two", "--replicates", 1)
    assert bench(*arguments, "--output", bench.folder / "taken") == 2
    assert "taken is not a folder" in bench.err and "hint: " in bench.err
