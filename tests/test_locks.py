"""The locks hold what pyproject.toml asks for, by hash, and say nothing of where it was found."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("build", "dev", "run")
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text("utf-8")


def entries(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Every pinned requirement of a lock with its hashes."""
    for line in lock_text(name).replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield Requirement(line.split(" --hash")[0].strip()), re.findall(r"--hash=(\S+)", line)


def pinned(name: str) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for requirement, _ in entries(name):
        versions.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return versions


def asked_for(name: str) -> list[Requirement]:
    """What pyproject.toml asks for and this lock has to answer."""
    groups = PROJECT["dependency-groups"]
    build = [Requirement(text) for text in groups["build"]]
    run = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    dev = [Requirement(text) for text in groups["dev"] if isinstance(text, str)]
    return {"build": build, "run": run, "dev": build + run + dev}[name]


@pytest.mark.parametrize("name", LOCKS)
class TestEachLock:
    def test_answers_every_requirement_of_the_project(self, name: str) -> None:
        locked = pinned(name)
        for requirement in asked_for(name):
            versions = locked.get(canonicalize_name(requirement.name))
            assert versions, f"{requirement.name} is not in requirements/{name}.lock: run ./dev lock"
            for version in versions:
                assert requirement.specifier.contains(version.removeprefix("==")), (
                    f"requirements/{name}.lock has {requirement.name}{version}: run ./dev lock"
                )

    def test_pins_one_version_by_hash_each(self, name: str) -> None:
        for requirement, hashes in entries(name):
            assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), str(requirement)
            assert hashes, str(requirement)
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), str(requirement)

    def test_names_no_address(self, name: str) -> None:
        text = lock_text(name)
        for word in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ "):
            assert word not in text

    def test_holds_nothing_that_the_development_lock_pins_otherwise(self, name: str) -> None:
        everything = pinned("dev")
        for package, versions in pinned(name).items():
            assert everything.get(package) == versions, (
                f"{package} differs from requirements/dev.lock: run ./dev lock"
            )


def test_every_package_of_the_run_lock_is_there_because_something_needs_it() -> None:
    """The comments name who asked; a package that nobody asks for any more would stay for ever."""
    direct = {canonicalize_name(requirement.name) for requirement in asked_for("run")}
    blocks = re.split(r"\n(?=\S)", lock_text("run").strip())
    for block in blocks:
        package = canonicalize_name(re.split(r"[=\s]", block)[0])
        askers = {
            canonicalize_name(word)
            for word in re.findall(r"^    #\s+(?:via\s+)?([\w.-]+)", block, re.MULTILINE)
        } - {"via"}
        from_project = "fleet-remediation (pyproject.toml)" in block
        assert from_project == (package in direct), f"{package}: run ./dev lock"
        assert askers, package


def test_the_build_group_is_what_the_build_system_requires() -> None:
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]


def test_binary_packages_are_locked_for_every_common_platform() -> None:
    """One lock serves all: a package that is compiled brings the hashes of its many files."""
    for requirement, hashes in entries("run"):
        if canonicalize_name(requirement.name) in {
            "cryptography",
            "pydantic-core",
            "pynacl",
            "pyyaml",
            "cffi",
        }:
            assert len(hashes) > 15, str(requirement)
