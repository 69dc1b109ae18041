"""The wheel alone, with what its lock pins and no development package, does what the README promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import OUTER_ENVIRONMENT

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the packages of run.lock; its folder of programs."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = subprocess.run(
        [*pip, "--require-hashes", "-r", str(ROOT / "requirements/run.lock")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=dict(OUTER_ENVIRONMENT),
    )
    if locked.returncode != 0 and not OUTER_ENVIRONMENT.get("CI"):
        pytest.skip(f"pip could not install run.lock; without network? {locked.stderr.strip()[-200:]}")
    assert locked.returncode == 0, locked.stderr
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    return folder / "bin"


def fleet(installed: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command in a folder that holds nothing of the source; its standard output."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    finished = subprocess.run(
        [str(installed / "fleet"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_it_carries_every_script_and_nothing_of_the_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    scripts = {
        path.relative_to(ROOT / "scripts").as_posix()
        for path in (ROOT / "scripts").rglob("*")
        if path.is_file()
    }
    assert {f"fleet/_scripts/{name}" for name in scripts} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"fleet"}


def test_it_has_no_development_package_beside_it(installed: Path) -> None:
    listing = subprocess.run(
        [str(installed / "python"), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=dict(OUTER_ENVIRONMENT),
    )
    names = {package["name"].lower() for package in json.loads(listing.stdout)}
    assert names & {"pytest", "hypothesis", "mypy", "ruff", "hatchling"} == set()
    assert "fleet-remediation" in names


def test_it_lists_its_snippets(installed: Path, tmp_path: Path) -> None:
    assert "restart-waagent" in fleet(installed, tmp_path, "list")


def test_it_shows_what_it_would_send(installed: Path, tmp_path: Path) -> None:
    shown = fleet(installed, tmp_path, "show", "restart-waagent", "--rendered", "linux")
    assert "fleet_frame()" in shown


def test_its_demo_finds_and_mends_the_planted_faults(installed: Path, tmp_path: Path) -> None:
    fleet(installed, tmp_path, "demo", "--folder", str(tmp_path / "demo"))
    assert (tmp_path / "demo/inventory.yaml").exists()


def test_it_writes_a_report_as_a_page(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "here.yaml").write_text(
        "all: {hosts: {here: {ansible_connection: local, ansible_host: localhost}}}\n"
    )
    fleet(installed, tmp_path, "ping", "-i", "here.yaml", "-o", "r.html")
    assert "Content-Security-Policy" in (tmp_path / "r.html").read_text()
