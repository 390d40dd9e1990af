"""Files and folders to a suite, and every mistake named with file, line, key and hint."""

from __future__ import annotations

import cProfile
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.cases import load
from conformance.cases.load import case_files, load_suite, workload_folders
from conformance.model.errors import CaseError, CaseErrors
from tests.support.case_files import EXAMPLE, entry, write


def test_a_case_is_read_with_its_theme_and_place(tmp_path: Path) -> None:
    file = write(tmp_path, EXAMPLE)
    suite = load_suite([file])
    (only,) = suite.entries
    assert (only.case.id, only.theme, only.file, only.index) == ("probabilities-are-logits", "worked", file, 0)
    assert suite.line(only) == 3
    assert suite.notes is None
    assert pickle.loads(pickle.dumps(only)).case == only.case


def test_folders_are_searched_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("b/two.yaml", "a/one.yml", "benchmarks/big.yaml", ".hidden/x.yaml", "z.yaml"):
        write(tmp_path, EXAMPLE.replace("probabilities", name[0] if name[0] != "." else "h"), name)
    write(tmp_path, "flags: {}", "notes.yaml")
    write(tmp_path, "{}", "schema.json")
    suite = load_suite([tmp_path, tmp_path / "z.yaml"])
    assert [found.file.relative_to(tmp_path).as_posix() for found in suite.entries] == [
        "a/one.yml",
        "b/two.yaml",
        "z.yaml",
    ]
    assert suite.notes is not None


@pytest.mark.parametrize(
    ("name", "problem"), [("none.yaml", "no such file"), ("notes.yaml", "not a case file"), ("x", "no case file")]
)
def test_paths_that_hold_no_cases(tmp_path: Path, name: str, problem: str) -> None:
    write(tmp_path, "flags: {}", "notes.yaml")
    (tmp_path / "x").mkdir()
    with pytest.raises(CaseError, match=problem):
        load_suite([tmp_path / name])


def test_hexadecimal_floats_are_numbers(tmp_path: Path) -> None:
    found = entry(tmp_path, 'logits: [[0x1.8p+1, "-0X1p-1074"]]\ntargets: [0]\nlabel_smoothing: "0x1p-3"')
    assert found.case.logits == [[3.0, -5e-324]]
    assert found.case.label_smoothing == 0.125


@pytest.mark.parametrize(
    ("body", "line", "key", "problem", "hint"),
    [
        ("logits: [[1]]\ntargets: [0]\naxs: 1", 8, "axs", "unknown key", "did you mean 'axis'"),
        ("logits: [[1]]\ntargets: {distribution: lables}", 7, "targets.distribution", "unknown word", "'labels'"),
        ("logits: [[1]]\ntargets: [0]\ndtypes: [float23]", 8, "dtypes[0]", "unknown word", "'float32'"),
        ("logits: [[1]]\ntargets: [0]\naxis: 1.5", 8, "axis", "expected an integer", "or one of default"),
        ("logits: [[1, 2], [3]]\ntargets: [0]", 6, "logits[1]", "shape", "same length"),
        ("logits: [[1, yes]]\ntargets: [0]", 6, "logits[0][1]", "'yes' is not a number", "1e4"),
        ("logits: [[1, true]]\ntargets: [0]", 6, "logits[0][1]", "true is not a number", "1 or 0"),
        ("logits: [[1, null]]\ntargets: [0]", 6, "logits[0][1]", "null is not a number", "number"),
        ("logits: [[1, [2]]]\ntargets: [0]", 6, "logits[0][1]", "list next to numbers", "depth"),
        (f"logits: [[1{'0' * 30}]]\ntargets: [0]", 6, "logits[0][0]", "beyond 64 bits", "float"),
        (
            f"logits: [[1]]\ntargets_as: python\ntargets: [x, {{a: [1{'0' * 20}]}}]\nexpect: {{error: no}}",
            8,
            "targets",
            "beyond 64 bits",
            "1e20",
        ),
        ("logits: [[[[[[[[[1]]]]]]]]]\ntargets: [0]", 6, "logits[0][0][0][0][0][0][0][0]", "rank 8", "brackets"),
        ('logits: [["0x1p+5000"]]\ntargets: [0]', 6, "logits[0][0]", "beyond the range", ".inf"),
        ("targets: [0]", 3, "", "'logits' is missing", "logits"),
        ("logits: [[1]]", 3, "", "'targets' is missing", "targets"),
        ("log_probabilities: [[1]]\nlogits: [[1]]\ntargets: [0]", 6, "log_probabilities", "takes logits", "rename"),
        ("logits: {distribution: uniform}\ntargets: [0]", 6, "logits", "'shape' is missing", "shape"),
        (
            "logits: {distribution: uniform, shape: [65536, 65536]}\ntargets: [0]",
            6,
            "logits.shape",
            "elements",
            "2**31",
        ),
        (
            "logits: [[1]]\ntargets: [0]\nweight: {distribution: uniform, shape: [46341, 46341]}",
            6,
            "logits",
            "elements in all tensors",
            "2**31",
        ),
        (
            "logits: {distribution: uniform, shape: [0, 2147483648]}\ntargets: {distribution: labels}",
            6,
            "logits.shape",
            "4294967296 elements",
            "2**31",
        ),
        (
            "logits: {distribution: uniform, shape: [4096, 4096]}\ntargets: {distribution: labels}",
            6,
            "logits.shape",
            "no budget of that size",
            "budget: {memory: 268435456}",
        ),
        (
            "logits: {distribution: ramp, shape: [1024, 1024]}\ntargets: {distribution: labels}\nexpected: {mean: 1}",
            8,
            "expected",
            "expected values of a case of 2097152 elements",
            "1048576",
        ),
        ("logits: [[1]]\ntargets: [0]\nexpected: {means: 1}", 8, "expected.means", "unknown key", "'mean'"),
        ("logits: [[1]]\ntargets: [0]\nexpected: {mean: abc}", 8, "expected.mean", "not a number", "decimal"),
        ("logits: [[1]]\ntargets: [0]\nexpect: {}", 8, "expect", "nothing", "error"),
        ("logits: [[1]]\ntargets: [0]\nreductions: []", 8, "reductions", "empty", "default"),
        ("logits: [[1]]\ntargets: [0]\ndtypes: [float32, float32]", 8, "dtypes[1]", "twice", "one of the two"),
        ("logits: [[1]]\ntargets: [0]\ntarget_dtype: int23", 8, "target_dtype", "unknown dtype", "'int32'"),
        ("logits: [[1]]\ntargets: [0]\nlabel_smoothing: 1.5", 8, "label_smoothing", "within", "expect"),
        (
            "logits: [[1, 2]]\ntargets: [0]\nwhere: [[1, 0]]\ntransforms: [forward-mode]",
            9,
            "transforms",
            "mask",
            "remove",
        ),
        ("logits: [[1]]\ntargets: [0]\nwhere: [[1]]\nlabel_smoothing: 0.5", 8, "where", "smoothing", "remove"),
        ("logits: [[1]]\ntargets: [0]\nwhere: [[true]]", 8, "where[0][0]", "true", "write 1 where"),
        ("logits: [[1]]\ntargets: [0]\npolicy: integer-logits", 8, "policy", "without `logits_dtype`", "add that"),
        ("logits: [[1]]\ntargets: [0]\npolicy: masked-target", 8, "policy", "without `where`", "add that"),
        (
            "logits: [[1]]\ntargets: [0]\nreductions: [mean, MEAN]\nexpect: {error: no}",
            8,
            "reductions",
            "MEAN beside",
            "a case of its own",
        ),
        ("logits: [[1]]\ntargets: [0]\nlogits_dtype: int64", 8, "logits_dtype", "logits of int64", "expect"),
        ("logits: [[1]]\ntargets: [0]\nreductions: [unknown]", 8, "reductions[0]", "called unknown", "expect"),
        ("logits: [[1]]\ntargets: [0]\nbudget: {memory: -1}", 8, "budget.memory", ">= 0", "a number >= 0"),
        (
            "logits: {distribution: uniform, shape: [3000000000]}\ntargets: [0]",
            6,
            "logits.shape[0]",
            "expected an integer <=",
            "a number <= 2147483648",
        ),
        (
            "logits: {distribution: normal, shape: [2, 2], scale: 1e308}\ntargets: [0, 1]",
            6,
            "logits.scale",
            "beyond the range of float64",
            "smaller",
        ),
        (
            "logits: [[1], [2]]\ntargets: [0, 0]\nreductions: [none]\nspacing: 9\nbudget: {memory: 79}",
            9,
            "spacing",
            "10 logits, and no budget",
            "write `budget: {memory: 80}`",
        ),
        (
            "logits: [[1], [2]]\ntargets: [0, 0]\nspacing: 9\nbudget: {memory: 80}",
            8,
            "spacing",
            "next to a reduction",
            "[none]",
        ),
        ("logits: [[1]]\ntargets: [0]\nspacing: 9", 8, "spacing", "no positions along axis 0", "two positions"),
        (
            "logits: [[1], [2]]\ntargets: [0, 0]\nreductions: [none]\nlayouts: [cut]\nspacing: 9\nbudget: {memory: 80}",
            10,
            "spacing",
            "next to layouts",
            "remove one",
        ),
    ],
)
def test_a_mistake_names_line_key_and_hint(
    tmp_path: Path, body: str, line: int, key: str, problem: str, hint: str
) -> None:
    with pytest.raises(CaseErrors, match=problem) as raised:
        entry(tmp_path, body)
    (error,) = raised.value.errors
    assert error.place is not None
    assert error.place.line == line
    assert error.place.key == f"cases[0]{'.' if key else ''}{key}"
    assert hint in (error.hint or "")


def test_softmax_takes_no_targets(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="softmax takes no targets"):
        entry(tmp_path, "logits: [1]\ntargets: [0]", op="softmax")


@pytest.mark.parametrize("given", ["", "logits: [[1]]\nlog_probabilities: [[1]]"])
def test_nll_loss_takes_one_input(tmp_path: Path, given: str) -> None:
    with pytest.raises(CaseError, match="exactly one of them"):
        entry(tmp_path, f"{given}\ntargets: [0]", op="nll_loss")
    assert entry(tmp_path, "logits: [[-1, -2]]\ntargets: [0]", op="nll_loss").case.logits == [[-1, -2]]


def test_everything_wrong_in_all_files_is_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path, EXAMPLE + EXAMPLE.split("cases:\n")[1].replace("op:", "oops: 1\n    op:") + "  - 5\n", "a.yaml")
    write(tmp_path, EXAMPLE, "b.yaml")
    write(tmp_path, "theme: [", "c.yaml")
    with pytest.raises(CaseErrors) as raised:
        load_suite([tmp_path])
    text = str(raised.value)
    assert [error.place.line for error in raised.value.errors if error.place] == [10, 14, 3, 1]
    assert "a.yaml:10: cases[1].oops: unknown key 'oops'" in text
    assert "b.yaml:3: cases[0].id: id 'probabilities-are-logits' is taken" in text
    assert "4 errors in case files" in text
    assert str(pickle.loads(pickle.dumps(raised.value))) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a mapping, got null"),
        ("theme: x\ncases: []", "no cases"),
        ("[1]", "a list"),
        ("theme: x", "'cases' is missing"),
        ("theme: x\ncases: 5", "expected a list"),
    ],
)
def test_files_without_cases(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(CaseErrors, match=problem):
        load_suite([write(tmp_path, text)])


def test_flags_are_those_of_the_nearest_notes(tmp_path: Path) -> None:
    write(tmp_path, "flags:\n  double-softmax: {bug_class: b, effect: e}", "notes.yaml")
    flagged = EXAMPLE + "    flags: [double-softmx]\n"
    file = write(tmp_path, flagged, "deep/er/a.yaml")
    with pytest.raises(CaseErrors, match="(?s)flag 'double-softmx' .*did you mean 'double-softmax'. or define it"):
        load_suite([file])
    write(tmp_path, flagged.replace("softmx", "softmax"), "deep/er/a.yaml")
    notes = load_suite([file]).notes
    assert notes is not None
    assert notes.flags["double-softmax"].effect == "e"


def test_flags_of_a_folder_without_notes_are_those_of_the_suite(tmp_path: Path) -> None:
    flagged = EXAMPLE + "    flags: [double-softmax]\n"
    suite = load_suite([write(tmp_path, flagged)])
    assert suite.entries[0].case.flags == ("double-softmax",) and suite.notes is None
    with pytest.raises(
        CaseErrors, match="(?s)flag 'my-bug' is not defined\n  hint: define it in notes.yaml: `flags: {my-bug: {"
    ):
        load_suite([write(tmp_path, flagged.replace("double-softmax", "my-bug"))])


@pytest.mark.parametrize("op", ["nll_loss", "nll_loss_of_log_softmax"])
@pytest.mark.parametrize(
    "targets",
    [
        "targets: [0.5, 0.5]",
        "targets: [[0.5, 0.5], [1, 0]]",
        "targets: [[0, 1], [1, 0]]",
        "targets: {distribution: simplex}",
        "targets: [0.5, 0.5]\nweight: [1, 2]",
        "targets: [0, 1]\ntargets_as: probabilities",
    ],
)
def test_nll_loss_takes_no_class_probabilities(tmp_path: Path, op: str, targets: str) -> None:
    body = f"logits: [[-1, -2], [-1, -2]]\n{targets}"
    with pytest.raises(CaseErrors, match=f"targets: class probabilities, which {op} does not take"):
        entry(tmp_path, body, op=op)
    assert entry(tmp_path, body + "\nexpect: {error: class probabilities}", op=op).case.op == op


def test_names_end_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(CaseErrors, match="id: 'a\\\\n' is not an identifier"):
        load_suite([write(tmp_path, EXAMPLE.replace("probabilities-are-logits", '"a\\n"'))])
    with pytest.raises(CaseErrors, match="theme: 'worked\\\\n' is not an identifier"):
        load_suite([write(tmp_path, EXAMPLE.replace("worked", '"worked\\n"'))])
    with pytest.raises(CaseErrors, match="is not a number"):
        entry(tmp_path, 'logits: [["0x1p+1\\n"]]\ntargets: [0]')


def test_the_tensors_of_a_file_are_limited(tmp_path: Path) -> None:
    body = EXAMPLE.split("cases:\n")[1].replace("[[0.2, 0.7, 0.1]]", "{distribution: ramp, shape: [511, 4096]}")
    body = body.replace("[1]", "{distribution: labels}")
    cases = "".join(body.replace("probabilities-are", f"case-{number}-are") for number in range(17))
    with pytest.raises(CaseErrors, match=r"cases\[16\]: more than 67108864 numbers in the tensors of one file"):
        load_suite([write(tmp_path, "theme: worked\ncases:\n" + cases)])


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    wrong = "  - {id: a, why: w, op: softmax, logits: [[1, 2]], axs: 1}\n"
    for text in (wrong * 2_000, f"  - {{id: a, why: w, op: softmax, logits: [[1]], flags: [{'ab, ' * 20_000}]}}\n"):
        with pytest.raises(CaseErrors, match="200 problems or more: the rest of the file was not looked at") as raised:
            load_suite([write(tmp_path, "theme: worked\ncases:\n" + text)])
        assert len(raised.value.errors) == 201


def test_a_search_of_very_much_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_BELOW", 11)
    files = [write(tmp_path, EXAMPLE, f"folder/{number}.yaml") for number in range(8)]
    assert len(case_files([tmp_path, *files[:1]])) == 8  # looked at: two paths, a folder, and what is in it
    searches: list[Callable[[], list[Path]]] = [
        lambda: case_files([tmp_path, *files[:2]]),
        lambda: case_files([tmp_path / "folder", tmp_path]),
        lambda: workload_folders([tmp_path, tmp_path / "folder"]),
    ]
    write(tmp_path, "", "folder/.hidden/x")
    for name in ("x", "y"):
        write(tmp_path, "", f"folder/other/{name}")
    for search in searches:
        with pytest.raises(CaseError, match="more than 11 files and folders to look at") as refused:
            search()
        assert refused.value.hint


def test_a_folder_in_which_every_file_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_WRONG", 3)
    for number in range(9):
        write(tmp_path, "wrong: file\n", f"{number}.yaml")
    with pytest.raises(CaseErrors) as raised:
        load_suite([tmp_path])
    last = raised.value.errors[-1]
    assert {Path(error.place.file).name for error in raised.value.errors[:-1] if error.place} == {
        "0.yaml",
        "1.yaml",
        "2.yaml",
    }
    assert "3 files are wrong" in str(last) and "3.yaml" in str(last) and last.hint


def test_what_is_quoted_of_a_file_is_cut(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    with pytest.raises(CaseErrors) as raised:
        load_suite(
            [write(tmp_path, EXAMPLE + f"    {long}: 1\n    op: '{long}'\n    flags: [{long}]\n".replace("op:", "oq:"))]
        )
    assert len(str(raised.value)) < 20_000


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "round.yaml").symlink_to("round.yaml")
    write(tmp_path, EXAMPLE, "folder.yaml/inner.yaml")
    with pytest.raises(CaseErrors) as raised:
        load_suite([tmp_path])
    assert sorted(error.problem for error in raised.value.errors) == [
        "cannot be read: Too many levels of symbolic links",
        "not a regular file",
    ]
    for name, problem in (("pipe.yaml", "not a case file"), ("round.yaml", "not a case file")):
        with pytest.raises(CaseError, match=problem):
            load_suite([tmp_path / name])
    assert len(load_suite([tmp_path / "folder.yaml"]).entries) == 1


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.cases.yaml12.MOST_BYTES", 20)
    with pytest.raises(CaseErrors, match="larger than"):
        load_suite([write(tmp_path, EXAMPLE)])


def test_every_wrong_entry_of_a_list_is_named(tmp_path: Path) -> None:
    body = "logits: [[1]]\ntargets: [0]\ndtypes: [float23, 1]\nexpected: {mean: {a: 1}, sum: {b: 2}}"
    with pytest.raises(CaseErrors) as caught:
        entry(tmp_path, body)
    keys = [error.place.key for error in caught.value.errors if error.place]
    assert keys == ["cases[0].dtypes[0]", "cases[0].dtypes[1]", "cases[0].expected.mean", "cases[0].expected.sum"]


def test_a_mistake_in_the_notes_names_the_flag(tmp_path: Path) -> None:
    write(tmp_path, "flags:\n  one: {bug_class: b, effct: e}", "notes.yaml")
    with pytest.raises(CaseErrors, match=r"notes\.yaml:2: flags\.one\.effct: unknown key"):
        load_suite([write(tmp_path, EXAMPLE)])


def test_the_work_of_reading_grows_with_the_number_of_cases(tmp_path: Path) -> None:
    calls = {}
    for count in (200, 2000):
        body = EXAMPLE.split("cases:\n")[1]
        cases = "".join(body.replace("logits\n", f"logits-{number}\n") for number in range(count))
        file = write(tmp_path, f"theme: many\ncases:\n{cases}")
        profile = cProfile.Profile()
        assert len(profile.runcall(load_suite, [file]).entries) == count
        calls[count] = sum(each.callcount for each in profile.getstats())
    # Calls are counted, and not time, which depends on what else the machine does.
    assert (calls[2000] - calls[200]) / 1800 < 300
    assert calls[2000] < 10 * calls[200]
