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


def test_a_device_is_compared_with_its_own_memory(bench: Any) -> None:
    found = run(bench, "OnTorch", "OnJax")
    head = bench.document["conformance"]
    assert set(head["peak_bandwidth"]) == {str(head["threads"]), "cpu:0", "elsewhere"}
    assert set(head["devices"]) == {"cpu:0", "elsewhere"} and head["devices"]["elsewhere"] == "cpu"
    assert "Machine: " in bench.out and " with cpu, " in bench.out
    tries = head["peak_bandwidth_tries"]
    assert sorted(each["device"] for each in tries) == ["cpu", "cpu", "cpu:0", "elsewhere"]
    assert all(each["sizes"] and not each["message"] for each in tries)
    for info in found.values():
        (peak,) = head["peak_bandwidth"][info["device"]].values()
        assert info["peak_bandwidth"] == peak and min(peak.values()) > 0
        assert info["bandwidth_fraction"] == pytest.approx(info["bytes_per_second"] / peak["copy"])
        assert info["accuracy"]["verdict"] == "pass"
    assert "cpu:0 over" in bench.out and "cpu:0 threads" not in bench.out


def test_a_cold_cache_is_the_devices(bench: Any) -> None:
    found = run(bench, "OnTorch", "OnJax", "Bare")
    for name in ("OnTorch", "OnJax"):
        assert found[name, "cold"]["evicted_bytes"] == 1 << 28 and found[name, "warm"]["evicted_bytes"] is None
    refused = found["Bare", "cold"]
    assert refused["status"] == "unsupported" and "empty its device's cache" in refused["message"]
    for cache in ("warm", "cold"):
        assert len(found["OnTorch", cache]["cuda_seconds"]) >= 3
        assert found["OnJax", cache]["cuda_seconds"] is None


def test_the_compiler_tells_the_memory_that_an_allocator_does_not(bench: Any) -> None:
    found = run(bench, "OnJax", "OnTorch")
    peak = found["OnJax", "warm"]["peak_bytes"]
    assert LOGITS < peak < 8 * LOGITS  # the gradient, and temporaries
    assert found["OnJax", "warm"]["peak_multiple"] == pytest.approx(peak / LOGITS)
    assert found["OnTorch", "warm"]["peak_bytes"] is None


@pytest.mark.parametrize(
    ("name", "why"), [("Bare", "Bare has no calls that only move memory"), ("Breaks", "MemoryError: no room")]
)
def test_a_missing_peak_bandwidth_is_explained(bench: Any, name: str, why: str) -> None:
    found = run(bench, name)
    tries = bench.document["conformance"]["peak_bandwidth_tries"]
    assert [each["message"] for each in tries if each["device"] == "nowhere"] == [why]
    assert found[name, "warm"]["peak_bandwidth"] is None and found[name, "warm"]["bandwidth_fraction"] is None


@pytest.mark.framework
def test_the_devices_of_frameworks_are_chosen_by_an_option(bench: Any) -> None:
    arguments = ("--workloads", bench.workloads(SMALL), "--replicates", 1)
    assert bench("-b", "torch", "--device", "cpu", *arguments) == 0
    assert {each["extra_info"]["backend"] for each in bench.document["benchmarks"]} == {"torch"}
    assert bench("--device", "abacus", *arguments) == 2
    assert "no installed framework has it" in bench.err and "cuda" in bench.err
    assert bench("-b", "numpy", "--device", "cuda", *arguments) == 2 and "'cuda' is not an option of Numpy" in bench.err
