"""What the nightly knows of each framework."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from conformance.backends.discovery import names, profile
from conformance.model.errors import UsageError
from conformance.places import ROOT
from conformance.profiles.load import profile_named
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.frameworks import Framework, read_frameworks, requirements_of
from conformance.reports.nightly.released import cases_of_registers, run_released
from conformance.reports.versions_text import read_histories


def test_every_backend_of_the_suite_is_run_in_its_variants() -> None:
    run = [backend for about in read_frameworks().values() for backend in about.backends]
    assert len({*run}) == len(run) and {backend.partition(":")[0] for backend in run} == {*names()}
    for name in names():
        for variant in profile(name).get("variants", []):
            assert (name if variant == "default" else f"{name}:{variant}") in run, name


def test_a_backend_that_is_run_by_night_on_some_cases_is_run_on_the_same_by_tox() -> None:
    named = {backend: cases for about in read_frameworks().values() for backend, cases in about.cases.items()}
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    commands = tox["testenv:loss_parallel"]["commands"]
    asked = re.findall(r"--cases \{tox_root\}(\S+)", commands)[0].replace("{/}", "/").strip("/")
    assert named == dict.fromkeys(re.findall(r"-b (\S+:2-ranks)", commands), asked) and (ROOT / asked).is_dir()


def test_the_extras_of_a_framework_are_those_of_its_backends() -> None:
    listed = read_frameworks()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name, about in listed.items():
        own = {backend.partition(":")[0] for backend in about.backends} & {*extras}
        assert {*about.extras} == own, name
    assert requirements_of(listed["scipy"], ROOT) == ["scipy", "scikit-learn"]
    assert requirements_of(listed["liger"], ROOT) == ["liger-kernel", "torch", "triton"]
    assert requirements_of(listed["numpy"], ROOT) == ["numpy"]


def test_an_extra_that_the_project_lacks_is_an_error() -> None:
    with pytest.raises(UsageError, match="no extra 'nothing'"):
        requirements_of(Framework(backends=["b"], extras=["nothing"]), ROOT)


def test_every_released_version_pins_what_it_installs_and_is_asked_for_backends_that_there_are() -> None:
    for name, about in read_frameworks().items():
        assert {backend.partition(":")[0] for backend in about.asked} <= {*names()}
        assert len(about.released) != 1 and len(about.versions) == len(about.released), name
        assert all("==" in requirement for requirements in about.released for requirement in requirements), name


def test_the_lower_bounds_of_the_extras_are_released_versions_that_were_run() -> None:
    """Where several were: PyTorch has one, and of optax the arguments count that the adapter gives."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    recorded = {history.backend: history.versions for history in read_histories()}
    for backend in ("jax", "tensorflow", "scipy", "onnx", "onnxruntime"):
        bound = Requirement(project["optional-dependencies"][backend][-1])
        oldest = next(version for version in recorded[backend] if bound.specifier.contains(version))
        assert Version(oldest).release[:2] == Version(str(bound.specifier).removeprefix(">=")).release[:2], backend


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optax: [0.2.4]", "object"),
        ("- optax", "object"),
        ("optax: {backends: []}", "length"),
        ("optax: {backends: [optax], version: 1}", "unknown field"),
        ("optax: {backends: [optax], released: [[optax]]}", "'optax' names no version"),
        ("optax: {backends: [optax], cases: {optax: 1}}", "str"),
        ("optax: {backends: [optax], cases: {'optax:safe': cases/shards}}", "cases of 'optax:safe', which is not run"),
    ],
)
def test_another_form_is_an_error_that_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "listed.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as error:
        read_frameworks(tmp_path / "listed.yaml")
    assert "listed.yaml" in str(error.value.place) and error.value.hint


@pytest.mark.parametrize("name", ["torch", "optax-0.2.9"])
def test_a_version_that_is_not_listed_is_an_error(tmp_path: Path, name: str) -> None:
    listed = {"optax": Framework(backends=["optax"], released=[["optax==0.2.8"]]), "torch": Framework(["torch"])}
    with pytest.raises(UsageError, match=f"no version of {name}") as error:
        run_released(Folder(tmp_path), listed, [name], [])
    assert error.value.hint == "listed are optax"


def test_every_defect_of_a_register_has_cases_that_are_run() -> None:
    asked = {*cases_of_registers(["optax", "optax:safe", "tensorflow"])}
    for entry in (*profile_named("optax").known, *profile_named("tensorflow").known):
        assert any(part in case for case in entry.cases for part in asked), entry.id
