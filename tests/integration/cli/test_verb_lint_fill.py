"""``conformance lint`` finds what is wrong and says what to write; ``conformance fill`` writes what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.cli import CASES, ROOT, Run, process, write

PROFILES = ROOT / "backends" / "profiles"


class TestCases:
    def test_nothing_to_correct(self, conformance: Run, tmp_path: Path) -> None:
        ran = conformance("lint", write(tmp_path / "small.yaml"))
        assert ran == (0, "", "no problem found in 2 cases\n")

    def test_a_wrong_value_and_an_unknown_key(self, conformance: Run, tmp_path: Path) -> None:
        text = CASES.replace(
            "targets: [1]", "targets: [1]\n    expected: {mean: 1.5306784602098738}\n    wieght: [1, 1, 1]"
        )
        assert conformance("lint", write(tmp_path / "small.yaml", text)).out.startswith(
            f"{tmp_path}/small.yaml:10: cases[0].wieght: unknown key 'wieght'\n  hint: did you mean 'weight'? "
        )
        ran = conformance(
            "lint", "--cases", write(tmp_path / "small.yaml", text.replace("    wieght: [1, 1, 1]\n", ""))
        )
        assert ran.code == 2 and ran.err == "1 to correct\n"
        assert ran.out == (
            f"{tmp_path}/small.yaml:9: cases[0].expected.mean: 1.5306784602098738 is not the true value\n"
            "  hint: write 1.5306784602098737\n"
        )

    def test_as_json(self, conformance: Run, tmp_path: Path) -> None:
        file = write(tmp_path / "small.yaml", CASES.replace("[1]", "[1, 2]"))
        ran = conformance("lint", file, "--format", "json")
        assert ran.code == 2 and ran.err == ""
        (found,) = ran.json
        assert (found["file"], found["line"], found["key"]) == (str(file), 8, "cases[0].targets")
        assert found["problem"].startswith("class indices of shape (2,)") and found["hint"].startswith(
            "give them shape (1,)"
        )
        assert conformance("lint", write(tmp_path / "small.yaml"), "--format", "json").json == []

    def test_broken_files(self, conformance: Run, tmp_path: Path) -> None:
        ran = conformance("lint", write(tmp_path / "small.yaml", "theme: [small\n"))
        assert ran.code == 2 and "small.yaml:2: theme" in ran.out and "Traceback" not in ran.out + ran.err

    def test_a_path_that_is_not_there(self, conformance: Run, tmp_path: Path) -> None:
        ran = conformance("lint", tmp_path / "nowhere.yaml")
        assert (ran.code, ran.out) == (2, "") and "no such file or folder" in ran.err


class TestProfiles:
    """Each change to a sound profile must be found, at its line."""

    @pytest.fixture
    def profiles(self, tmp_path: Path) -> Path:
        folder = tmp_path / "profiles"
        folder.mkdir()
        shutil.copy(PROFILES / "numpy.yaml", folder)
        return folder

    def lint(self, conformance: Run, profiles: Path, old: str, new: str) -> list[dict[str, object]]:
        file = profiles / "numpy.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        cases = write(profiles.parent / "small.yaml")
        ran = conformance("lint", cases, "--profiles", profiles, "--format", "json")
        assert ran.code == (2 if ran.json else 0)
        found: list[dict[str, object]] = ran.json
        return found

    def test_a_sound_one(self, conformance: Run, profiles: Path) -> None:
        assert self.lint(conformance, profiles, "backend: numpy", "backend: numpy") == []

    def test_profiles_are_counted_and_cases_only_where_they_are_named(
        self, conformance: Run, profiles: Path, tmp_path: Path
    ) -> None:
        assert conformance("lint", "--profiles", profiles) == (0, "", "no problem found in 1 profile\n")
        cases = write(tmp_path / "small.yaml")
        ran = conformance("lint", cases, "--profiles", profiles)
        assert ran == (0, "", "no problem found in 2 cases and 1 profile\n")

    def test_a_run_refuses_with_the_same_words(self, conformance: Run, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(
            "from conformance.backends.adapters.numpy import Numpy\n\n\nclass Mine(Numpy):\n    pass\n",
            encoding="utf-8",
        )
        (tmp_path / "mine.profile.yaml").write_text(
            "backend: mine\npolicies:\n  mean-of-all-ignored: {value: nil, documentation: undocumented}\n", "utf-8"
        )
        linted = conformance("lint", "--profiles", tmp_path)
        ran = conformance("run", "-b", tmp_path / "mine.py", "--cases", write(tmp_path / "small.yaml"))
        assert (linted.code, ran.code) == (2, 2) and "mine.profile.yaml:3: policies.mean-of-all-ignored" in linted.out
        assert linted.out.strip() in ran.err

    @pytest.mark.parametrize(
        ("old", "new", "key", "problem"),
        [
            ("  mean-denominator:", "  mean-denomination:", "policies.mean-denomination", "there is no policy"),
            ("value: sum-of-weights", "value: sum-of-wieghts", "policies.mean-denominator.value", "not a value"),
            ("log_softmax: 1, nll", "log_softmax: 2, nll", "policies.default-axis.value", "not a value"),
            ("log_softmax: 1, nll", "log_sofmax: 1, nll", "policies.default-axis.value.log_sofmax", "no operation"),
            ("  nll_loss: {support", "  nl_loss: {support", "operations.nl_loss", "there is no operation 'nl_loss'"),
            ("  nll_loss: {float16: B", "  nl_loss: {float16: B", "classes.nl_loss", "there is no operation 'nl_loss'"),
            ("documentation: undocumented, note: 0 for", "documentation: see the manual, note: 0 for",
             "policies.default-axis.documentation", "'see the manual' is not a link"),
            ("backend: numpy", "backend: nympy", "backend", "the profile of 'nympy'"),
            ("backend: numpy", "backends: numpy", "backends", "unknown key 'backends'"),
            ("support: composed,", "support: native-ish,", "operations.softmax.support", "unknown word 'native-ish'"),
        ],
    )  # fmt: skip
    def test_each_mistake(self, conformance: Run, profiles: Path, old: str, new: str, key: str, problem: str) -> None:
        found = self.lint(conformance, profiles, old, new)
        assert any(
            each["key"] == key and problem in str(each["problem"]) and each["hint"] and each["line"] for each in found
        ), found

    ENTRY = (
        "known:\n  - id: one\n    cases: [{cases}]\n    checks: [{checks}]\n    ops: [{ops}]\n"
        "    versions: '{versions}'\n"
        "    {seen}\n    title: It is wrong\n    why: because\n    issue: '{issue}'\n    date: 2026-01-01\n"
    )
    SOUND: ClassVar = {
        "cases": "pla*", "checks": "value", "ops": "cross_entropy", "versions": ">=2",
        "seen": "reached: [C]", "issue": "numpy#1",
    }  # fmt: skip

    def test_a_sound_entry_of_the_register(self, conformance: Run, profiles: Path) -> None:
        assert self.lint(conformance, profiles, "known: []", self.ENTRY.format(**self.SOUND)) == []

    @pytest.mark.parametrize(
        ("change", "key", "problem"),
        [
            ({"cases": "plane"}, "known[0].cases[0]", "no case matches 'plane'"),
            ({"checks": "vallue"}, "known[0].checks[0]", "there is no check 'vallue'"),
            ({"ops": "soft_max"}, "known[0].ops[0]", "there is no operation 'soft_max'"),
            ({"versions": "2 to 3"}, "known[0].versions", "'2 to 3' is not a range of versions"),
            ({"seen": "modes: [eager]"}, "known[0]", "does not say what is seen"),
            ({"issue": "ask me"}, "known[0].issue", "'ask me' is not an issue"),
        ],
    )
    def test_a_wrong_entry(
        self, conformance: Run, profiles: Path, change: dict[str, str], key: str, problem: str
    ) -> None:
        (found,) = self.lint(conformance, profiles, "known: []", self.ENTRY.format(**{**self.SOUND, **change}))
        assert found["key"] == key and problem in str(found["problem"]) and found["line"]

    def test_a_folder_that_is_not_there_or_holds_no_profile(self, conformance: Run, tmp_path: Path) -> None:
        small = write(tmp_path / "small.yaml")
        (tmp_path / "empty").mkdir()
        for folder, said in (("nowhere", "no such folder"), ("empty", "no profile in this folder")):
            ran = conformance("lint", small, "--profiles", tmp_path / folder)
            assert ran.code == 2 and said in ran.err


class TestFill:
    def test_fills_what_is_missing_and_nothing_else(self, conformance: Run, tmp_path: Path) -> None:
        file = write(tmp_path / "small.yaml")
        ran = conformance("fill", file)
        assert ran == (0, f"{file}: filled plain, rows\n", "2 cases filled in 1 file\n")
        text = file.read_text(encoding="utf-8")
        assert "    expected: {none: [1.5306784602098737], sum: 1.5306784602098737, mean: 1.5306784602098737}\n" in text
        assert (
            "{value: [[0.50000000000000000, 0.50000000000000000], [0.95257412682243322, 0.047425873177566781]]}\n"
            in text
        )
        assert "".join(line for line in text.splitlines(keepends=True) if "expected" not in line) == CASES
        assert conformance("lint", file).code == 0
        assert conformance("fill", file) == (0, "", "0 cases filled in 0 files\n")

    def test_every_id_is_named_however_many(self, conformance: Run, tmp_path: Path) -> None:
        ids = [f"{'long-' * 20}name-{number}" for number in range(100)]
        cases = "".join(f"  - {{id: {name}, why: w, op: softmax, logits: [1]}}\n" for name in ids)
        ran = conformance("fill", "--check", write(tmp_path / "many.yaml", f"theme: many\ncases:\n{cases}"))
        assert ran.out == f"{tmp_path}/many.yaml: would fill {', '.join(ids)}\n"

    def test_check_only_reports(self, conformance: Run, tmp_path: Path) -> None:
        file = write(tmp_path / "small.yaml")
        ran = conformance("fill", "--check", "--cases", file)
        assert ran == (0, f"{file}: would fill plain, rows\n", "2 cases would be filled in 1 file\n")
        assert file.read_text(encoding="utf-8") == CASES

    def test_a_wrong_file_is_left_alone(self, conformance: Run, tmp_path: Path) -> None:
        file = write(tmp_path / "small.yaml", CASES.replace("op: softmax", "op: soft"))
        before = file.read_text(encoding="utf-8")
        ran = conformance("fill", file)
        assert ran.code == 2 and "small.yaml:12: cases[1].op" in ran.err and file.read_text(encoding="utf-8") == before


def test_findings_and_the_count_go_to_separate_streams(tmp_path: Path) -> None:
    write(tmp_path / "small.yaml", CASES.replace("why: softmax by rows", "because: of rows"))
    ran = process("lint", "small.yaml", folder=tmp_path)
    assert ran.code == 2 and ran.err == "2 to correct\n"
    first, *_, third, _ = ran.out.splitlines()
    assert first == "small.yaml:10: cases[1]: key 'why' is missing"
    assert third == "small.yaml:11: cases[1].because: unknown key 'because'"
