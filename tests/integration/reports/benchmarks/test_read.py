"""Benchmarks files that are cut off, damaged or hostile: described in words, with file and key."""

from __future__ import annotations

import contextlib
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.errors import UsageError
from conformance.reports.benchmarks.read import parse_benchmarks, read_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from tests.support import benchmarks as synthetic

SMALL = {"backends": {"numpy": synthetic.BACKENDS["numpy"]}, "workloads": {"w-1": (4, 8)}, "replicates": 2}


def complaint(change) -> str:
    whole = synthetic.document(**SMALL)
    change(whole)
    with pytest.raises(UsageError) as caught:
        parse_benchmarks(json.dumps(whole).encode(), "run/benchmarks.json")
    assert "hint" in str(caught.value)
    return str(caught.value)


def set_data(value):
    def change(whole):
        whole["benchmarks"][1]["stats"]["data"] = value

    return change


@pytest.mark.parametrize("data", [[], [0.0], [-1.0], [1e-300], [1e300], [1.0, "2"], None])
def test_durations_that_are_none_name_their_entry(data):
    assert "run/benchmarks.json: benchmarks[1].stats" in complaint(set_data(data))


def test_a_missing_field_names_its_entry():
    assert "benchmarks[0].extra_info" in complaint(lambda whole: whole["benchmarks"][0]["extra_info"].pop("backend"))


def test_a_field_of_the_wrong_type_names_its_key():
    shown = complaint(lambda whole: whole["benchmarks"][0]["extra_info"]["accuracy"].update(declared=[1]))
    assert "benchmarks[0].extra_info.accuracy.declared" in shown


def test_a_replicate_twice_is_refused():
    assert "replicate" in complaint(lambda whole: whole["benchmarks"].append(whole["benchmarks"][0]))


def test_a_published_file_is_read_as_it_is(tmp_path):
    text = json.dumps(synthetic.document(**SMALL)).encode()
    (tmp_path / "benchmarks.json.gz").write_bytes(gzip.compress(text))
    assert read_benchmarks(tmp_path).timings == parse_benchmarks(text, "x").timings
    for cut in (gzip.compress(text)[:-20], b"no gzip", b""):
        (tmp_path / "benchmarks.json.gz").write_bytes(cut)
        with pytest.raises(UsageError, match=r"benchmarks\.json\.gz.*gzip|cut off|empty"):
            read_benchmarks(tmp_path)


@given(st.binary(min_size=1, max_size=4), st.integers(0, 10**6))
def test_bytes_written_over_a_file_raise_nothing_but_a_usage_error(junk, where):
    text = json.dumps(synthetic.document(rounds=2, **SMALL)).encode()
    where %= len(text)
    found = None
    with contextlib.suppress(UsageError):
        found = parse_benchmarks(text[:where] + junk + text[where + len(junk) :], "x.json")
    assert found is None or isinstance(found, Benchmarks)


@pytest.mark.parametrize("schema", [0, -5])
def test_a_schema_that_never_was_is_refused(schema):
    assert "conformance.schema" in complaint(lambda whole: whole["conformance"].update(schema=schema))


def test_a_file_in_another_encoding_is_said_to_be():
    text = json.dumps(synthetic.document(**SMALL)).encode().replace(b"Example", b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        parse_benchmarks(text, "x.json")


def test_a_newer_schema_is_refused():
    assert "newer suite" in complaint(lambda whole: whole["conformance"].update(schema=99))


@pytest.mark.parametrize(
    "text", [b"", b"  \n", b"[]", b"null", b"\xff\xfe", b"{} {}", b'{"benchmarks": 3}', b"[" * 9999]
)
def test_what_is_not_a_benchmarks_file_is_refused(text):
    with pytest.raises(UsageError, match="hint"):
        parse_benchmarks(text, "x.json")


@given(st.integers(min_value=0))
def test_a_file_that_is_cut_off_anywhere_is_refused_in_words(where):
    text = json.dumps(synthetic.document(rounds=2, **SMALL), indent=1).encode()
    with pytest.raises(UsageError, match=r"cut off|empty|not JSON"):
        parse_benchmarks(text[: where % len(text)], "x.json")


def test_a_folder_without_benchmarks_says_which_verb_writes_them(tmp_path):
    with pytest.raises(UsageError, match="conformance bench"):
        read_benchmarks(tmp_path)


def test_what_pytest_benchmark_writes_besides_and_unknown_fields_are_let_be():
    whole = synthetic.document(**SMALL)
    whole["benchmarks"][0]["extra_info"]["new_field"] = {"a": [1]}
    whole["benchmarks"][0]["stats"] |= {"min": 1.0, "outliers": "0;1", "iqr": 0.1}
    whole["benchmarks"][0]["options"] = {"disable_gc": False}
    run = parse_benchmarks(json.dumps(whole).encode(), "x.json")
    assert len(run.timings) == 4
    assert str(run.machine) == "Example CPU @ 2.0 GHz, 2 cores, 2 threads"


def test_every_raw_round_is_kept_and_the_median_is_the_sample():
    run = synthetic.benchmarks(**SMALL, rounds=7)
    assert all(len(timing.data) == 7 and timing.median == sorted(timing.data)[3] for timing in run.timings)


def test_infinite_and_undefined_errors_are_read_back():
    whole = synthetic.document(**SMALL)
    for entry, ratio in zip(whole["benchmarks"], ("inf", "nan", None, 0), strict=True):
        entry["extra_info"]["accuracy"]["ratio"] = ratio
    errors = [timing.accuracy.error for timing in parse_benchmarks(json.dumps(whole).encode(), "x").timings]
    assert errors[0] == float("inf") and errors[1] != errors[1] and errors[2] is None and errors[3] == 0
