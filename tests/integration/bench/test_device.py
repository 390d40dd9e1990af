"""What is measured on an accelerator's memory, by its own means, and what is reported where these are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

DEVICE = Path(__file__).parents[2] / "support" / "bench" / "device.py"
SMALL = """\
workloads:
  - {id: wide, why: measurable, shape: [512, 1024], contracts: [forward+grad], caches: [warm, cold]}
"""
LOGITS = 4 * 512 * 1024


def run(bench: Any, *names: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The fields of each entry, by its backend's name and its cache."""
    backends = [part for name in names for part in ("-b", f"{DEVICE}:{name}")]
    assert bench(*backends, "--workloads", bench.workloads(SMALL), "--replicates", 1) == 0
    timed = [each["extra_info"] for each in bench.document["benchmarks"]]
    return {(each["backend"].partition(":")[2], each["cache"]): each for each in timed + bench.document["not_timed"]}


Found = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def found(shared_bench: Any) -> Found:
    """One run of three devices."""
    return run(shared_bench, "OnTorch", "OnJax", "Bare")


def test_a_device_is_compared_with_its_own_memory(found: Found, shared_bench: Any) -> None:
    bench, head = shared_bench, shared_bench.document["conformance"]
    assert set(head["peak_bandwidth"]) == {str(head["threads"]), "cpu:0", "elsewhere"}
    assert set(head["devices"]) == {"cpu:0", "elsewhere", "nowhere"} and head["devices"]["elsewhere"] == "cpu"
    assert "Machine: " in bench.out and " with cpu, " in bench.out
    tries = [each for each in head["peak_bandwidth_tries"] if each["device"] != "nowhere"]
    assert sorted(each["device"] for each in tries) == ["cpu", "cpu", "cpu:0", "elsewhere"]
    assert all(each["sizes"] and not each["message"] for each in tries)
    for info in (each for (name, _), each in found.items() if name != "Bare"):
        (peak,) = head["peak_bandwidth"][info["device"]].values()
        assert info["peak_bandwidth"] == peak and min(peak.values()) > 0
        assert info["bandwidth_fraction"] == pytest.approx(info["bytes_per_second"] / peak["copy"])
        assert info["accuracy"]["verdict"] == "pass"
    assert "cpu:0 over" in bench.out and "cpu:0 threads" not in bench.out


def test_a_cold_cache_is_the_devices(found: Found) -> None:
    for name in ("OnTorch", "OnJax"):
        assert found[name, "cold"]["evicted_bytes"] == 1 << 28 and found[name, "warm"]["evicted_bytes"] is None
    refused = found["Bare", "cold"]
    assert refused["status"] == "unsupported" and "empty its device's cache" in refused["message"]
    for cache in ("warm", "cold"):
        assert len(found["OnTorch", cache]["cuda_seconds"]) >= 3
        assert found["OnJax", cache]["cuda_seconds"] is None


def test_the_compiler_states_the_memory_that_an_allocator_does_not(found: Found) -> None:
    peak = found["OnJax", "warm"]["peak_bytes"]
    assert LOGITS < peak < 8 * LOGITS  # the gradient, and temporaries
    assert found["OnJax", "warm"]["peak_multiple"] == pytest.approx(peak / LOGITS)
    assert found["OnTorch", "warm"]["peak_bytes"] is None


def test_a_missing_peak_bandwidth_is_explained(found: Found, shared_bench: Any) -> None:
    require_unknown(found["Bare", "warm"], shared_bench, "Bare has no calls that only move memory")


def test_a_peak_bandwidth_that_fails_is_explained(bench: Any) -> None:
    require_unknown(run(bench, "Breaks")["Breaks", "warm"], bench, "MemoryError: no room")


def require_unknown(info: dict[str, Any], bench: Any, why: str) -> None:
    tries = bench.document["conformance"]["peak_bandwidth_tries"]
    assert [each["message"] for each in tries if each["device"] == "nowhere"] == [why]
    assert info["peak_bandwidth"] is None and info["bandwidth_fraction"] is None


@pytest.mark.framework
def test_the_devices_of_frameworks_are_chosen_by_an_option(bench: Any) -> None:
    arguments = ("--workloads", bench.workloads(SMALL), "--replicates", 1)
    assert bench("-b", "torch", "--device", "cpu", *arguments) == 0
    assert {each["extra_info"]["backend"] for each in bench.document["benchmarks"]} == {"torch"}
    assert bench("--device", "abacus", *arguments) == 2
    assert "no installed framework has it" in bench.err and "cuda" in bench.err
    assert bench("-b", "numpy", "--device", "cuda", *arguments) == 2 and "NumPy has no device 'cuda'" in bench.err
