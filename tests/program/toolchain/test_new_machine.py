"""What a new machine goes through, for real: Pulumi built from Go modules, and the environment made once. Both need
package registries (or full caches); neither proves that Pulumi's own download works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid.toolchain import ensure_pulumi, find_pulumi
from hybrid.toolchain.build import ENGINE_VERSION, go_refusal
from hybrid.toolchain.machine import Machine

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(2400)]

ROOT = Path(__file__).resolve().parents[3]


def _machine(tools: Path) -> Machine:
    """This machine, were Pulumi neither on it nor within its reach."""
    environ = dict(os.environ)
    folders = environ["PATH"].split(os.pathsep)
    environ["PATH"] = os.pathsep.join(folder for folder in folders if not (Path(folder) / "pulumi").exists())
    return Machine(environ=environ, tools=tools, unreachable=lambda _url, _seconds: "left out by the test")


def test_pulumi_is_built_from_its_pinned_modules_and_works(tmp_path: Path) -> None:
    machine = _machine(tmp_path / "tools")
    refusal = go_refusal(machine)
    if refusal:
        pytest.skip(f"no build without Go: {refusal}")
    reports: list[str] = []
    pulumi = ensure_pulumi(reports.append, machine)
    said = subprocess.run([str(pulumi.executable), "version"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"v{ENGINE_VERSION}", "the engine names the release that it was built from"
    assert find_pulumi(machine) == pulumi, "the next command finds it"
    _answers_projects_in_python(pulumi.bin_folder, tmp_path / "project")
    again: list[str] = []
    ensure_pulumi(again.append, machine)
    assert again == [], "nothing is built twice"


def _answers_projects_in_python(tools: Path, project: Path) -> None:
    """A preview of an empty program: engine, language host and its helper work together."""
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (project / "__main__.py").write_text("import pulumi\npulumi.export('answer', 42)\n")
    environ = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(tools), os.defpath]),
        "PULUMI_HOME": str(project / "home"),
        "PULUMI_BACKEND_URL": project.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    for arguments in (["stack", "init", "dev"], ["preview", "--non-interactive", "--stack", "dev"]):
        answer = subprocess.run(
            [str(tools / "pulumi"), *arguments],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "answer" in answer.stdout, "the program ran"


def _make_setup(checkout: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "setup"],
        cwd=checkout,
        env={**os.environ, "PATH": path, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_makes_the_environment_once_and_again_when_the_lock_changes(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for package in ("agent", "hybrid", "infra", "stacks"):
        (checkout / package).mkdir(parents=True)
        (checkout / package / "__init__.py").touch()
    for name in ("Makefile", "bootstrap.sh", "requirements.lock", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    first = _make_setup(checkout, os.environ["PATH"])
    assert first.returncode == 0, first.stdout + first.stderr
    compiled = list((checkout / ".venv").glob("lib/python3.*/site-packages/dagster/__pycache__/__init__.*.pyc"))
    assert compiled, "every process of Dagster would compile it anew"
    made = {path: path.stat().st_mtime_ns for path in (checkout / ".venv").rglob("*")}

    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("make", "sh", "cat", "cksum", "dirname"):
        (bare / tool).symlink_to(shutil.which(tool) or tool)
    second = _make_setup(checkout, str(bare))
    assert (second.returncode, second.stdout, second.stderr) == (0, "", ""), "with nothing to do no tool is needed"
    assert made == {path: path.stat().st_mtime_ns for path in (checkout / ".venv").rglob("*")}, "and nothing is touched"

    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    third = _make_setup(checkout, os.environ["PATH"])
    assert third.returncode == 0, third.stdout + third.stderr
    assert "done" in third.stderr, "a changed lock is taken up"
