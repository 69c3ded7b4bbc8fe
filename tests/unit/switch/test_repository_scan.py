"""Repositories looked through: as git sees them, hostile ones, large ones."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from hybrid.errors import SettingsError, UsageError
from hybrid.switch.repository import RepositoryState
from hybrid.switch.repository_files import MOST_BYTES, RepositoryFiles
from hybrid.switch.repository_scan import scan_repository

pytestmark = pytest.mark.unit

LEGACY = """\
defaults:
  executable_path: /venvs/a/bin/python
locations:
  - location_name: quick
    code_source:
      module_name: quick.definitions
    build:
      directory: ./quick
  - location_name: docker
    code_source:
      package_name: docker
    build:
      directory: docker
      registry: registry.example/docker
"""
DG = '[project]\nname = "plain"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["dagster-cloud"]\n'


def git(root: Path, *arguments: str) -> None:
    mail = ("-c", "user.email=a@example.com", "-c", "user.name=a")
    subprocess.run(["git", *mail, *arguments], cwd=root, check=True, capture_output=True)


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def scanned(root: Path, files: dict[str, str | bytes]) -> RepositoryState:
    return scan_repository(write(root, files))


def test_locations_are_told_with_what_their_build_needs(root: Path) -> None:
    found = scanned(
        root,
        {
            "dagster_cloud.yaml": LEGACY,
            "quick/setup.py": "from setuptools import setup\nsetup(install_requires=['dagster-cloud[serverless]>=1'])",
            "docker/Dockerfile": "FROM python",
            "docker/dagster_cloud_pre_install.sh": "apt-get update",
            "docker/dagster_cloud_post_install.sh": "true",
            "docker/requirements.txt": "dagster  # the framework\n-r more.txt\n",
            "deep/plain/pyproject.toml": f'{DG}[tool.dg.project]\nroot_module = "plain"\n',
            "deep/plain/build.yaml": "registry: registry.example/plain\n",
            "library/pyproject.toml": '[project]\nname = "library"\nversion = "1"\n',
        },
    )
    docker, plain, quick = found.locations
    assert (docker.name, docker.folder, docker.registry) == ("docker", "docker", "registry.example/docker")
    assert (docker.dockerfile, docker.has_hooks) == ("docker/Dockerfile", True)
    assert docker.pre_hook == "docker/dagster_cloud_pre_install.sh"
    assert docker.executable_path == "/venvs/a/bin/python", "defaults count"
    assert (docker.requirements, docker.names_dagster_cloud) == (["docker/requirements.txt"], None), "-r names more"
    assert (plain.file, plain.line, plain.is_legacy) == ("deep/plain/pyproject.toml", 6, False)
    assert (plain.registry, plain.requires_python) == ("registry.example/plain", ">=3.11")
    assert plain.names_dagster_cloud is True
    assert (quick.file, quick.line, quick.source_kind) == ("dagster_cloud.yaml", 4, "module_name")
    assert (quick.names_dagster_cloud, quick.names_serverless_extra) == (True, True)
    assert found.unread == []
    assert found.legacy_files == ["dagster_cloud.yaml"]


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("requirements.txt", "dagster\nDagster_Cloud==1.13 --hash=sha256:a\n", True),
        ("requirements.txt", "dagster\n", False),
        ("requirements.txt", "dagster\n.\n", None),
        ("requirements.txt", "dagster\n-e .\n", None),
        ("requirements.txt", "# dagster-cloud\ndagster-cloud-cli\n", False),
        ("requirements.lock", "dagster-cloud==1.13.27 \\\n    --hash=sha256:a\n", True),
        ("pyproject.toml", DG, True),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["dagster"]\n', False),
        ("pyproject.toml", '[project]\nname = "x"\ndynamic = ["dependencies"]\n', None),
        ("pyproject.toml", "not toml", None),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=['dagster'])", False),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=['dagster', *more])", None),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=read())", None),
        ("setup.py", "setup(", None),
        ("setup.cfg", "[options]\ninstall_requires =\n  dagster\n", None),
    ],
)
def test_whether_requirements_name_dagster_cloud_is_told_or_said_not_to_be_known(
    root: Path, file: str, text: str, named: bool | None
) -> None:
    legacy = "locations:\n  - location_name: quick\n    code_source: {module_name: quick}\n"
    (quick,) = scanned(root, {"dagster_cloud.yaml": legacy, file: text}).locations
    assert quick.names_dagster_cloud is named


def test_without_requirements_nothing_is_known_of_them(root: Path) -> None:
    (quick,) = scanned(root, {"dagster_cloud.yaml": LEGACY.split("  - location_name: docker")[0]}).locations
    assert (quick.requirements, quick.names_dagster_cloud) == ([], None)


def test_what_git_ignores_is_not_looked_at_and_what_is_new_is(root: Path) -> None:
    write(root, {".gitignore": "ignored/\n", "tracked.py": "import dagster_cloud.serverless"})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    found = scanned(
        root,
        {
            "new.py": "\nimport dagster_cloud.serverless",
            "ignored/dagster_cloud.yaml": LEGACY,
            "ignored/a.py": "dagster(",
        },
    )
    assert [(spot.file, spot.line) for spot in found.libraries] == [("new.py", 2), ("tracked.py", 1)]
    assert (found.locations, found.unread) == ([], [])
    assert len(found.commit or "") == 40
    (root / "tracked.py").unlink()
    assert len(scan_repository(root).libraries) == 1, "git still lists a file that was removed"


def test_without_git_environments_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    code = "import dagster_cloud.serverless"
    found = scanned(
        tmp_path,
        {
            "a.py": code,
            ".venv/b.py": code,
            "env/pyvenv.cfg": "",
            "env/lib/c.py": code,
            "node_modules/d.py": code,
            ".github/workflows/x.yml": "run: dagster-cloud serverless deploy",
        },
    )
    assert [spot.file for spot in found.libraries] == ["a.py"]
    assert [each.file for each in found.workflows] == [".github/workflows/x.yml"]
    assert found.commit is None


def test_a_link_out_of_the_repository_is_not_followed(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"outside.py": "import dagster_cloud.serverless", "folder/dagster_cloud.yaml": LEGACY})
    (root / "a.py").symlink_to(tmp_path / "outside.py")
    (root / "dagster_cloud.yaml").symlink_to(tmp_path / "folder/dagster_cloud.yaml")
    (root / "folder").symlink_to(tmp_path / "folder")
    (root / "circle.py").symlink_to(root / "circle.py")
    (root / "gone.py").symlink_to(root / "absent")
    found = scan_repository(root)
    assert (found.libraries, found.locations) == ([], []), "what lies outside is not this repository's"
    assert {each.file for each in found.unread} >= {"a.py", "dagster_cloud.yaml"}
    assert all("outside.py" not in each.why for each in found.unread if each.file != "a.py")


def test_a_directory_that_leads_out_is_refused_with_its_line(root: Path) -> None:
    text = LEGACY.replace("./quick", "../../elsewhere")
    found = scanned(root, {"dagster_cloud.yaml": text})
    (unread,) = found.unread
    assert "line 4" in unread.why
    assert "leads out" in unread.why


HOSTILE: dict[str, str | bytes] = {
    "huge/dagster_cloud.yaml": b"locations: []\n#" + b"x" * 300_000,
    "aliases/dagster_cloud.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "binary/dagster_cloud.yaml": b"\x00\xff\xfe\x01",
    "latin/dagster_cloud.yaml": "locations: [é]".encode("latin-1"),
    "object/dagster_cloud.yaml": "locations: !!python/object/apply:os.system ['touch harm']\n",
    "wrong/pyproject.toml": "[tool.dg.project]\nroot_module = 3\n",
    "deep/dagster_cloud.yaml": "[" * 20_000,
    "code/large.py": b"# dagster\n" + b"x = 1\n" * (MOST_BYTES // 6 + 10),
    "code/old.py": "import dagster\nprint 'x'\n",
    "code/bytes.py": b"# dagster\n\xff\xfe",
    "code/fine.py": "import dagster_cloud.serverless\n",
    ".github/workflows/bytes.yml": b"\xff\xfe run: dagster-cloud serverless deploy",
}


@pytest.mark.timeout(30)
def test_each_hostile_file_is_told_and_keeps_no_other_from_being_read(root: Path) -> None:
    found = scanned(root, HOSTILE)
    fine = {"code/fine.py", ".github/workflows/bytes.yml"}
    assert {each.file for each in found.unread} == set(HOSTILE) - fine
    assert [spot.file for spot in found.libraries] == ["code/fine.py"]
    assert [each.file for each in found.workflows] == [".github/workflows/bytes.yml"]
    assert not (root / "harm").exists()
    assert all(len(each.why) < 2000 for each in found.unread)


def test_pipes_and_folders_with_the_names_of_files_do_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "dagster_cloud.yaml").mkdir()
    assert scan_repository(tmp_path).unread == []


def test_a_program_that_the_repository_names_to_git_is_not_run(root: Path, tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    git(root, "config", "core.fsmonitor", f"touch {harm}; false")
    scanned(root, {"a.py": "x"})
    assert not harm.exists(), "a repository's configuration is not ours to carry out"


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        scan_repository(tmp_path / "absent")


def test_too_many_files_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybrid.switch.repository_files.MOST_FILES", 2)
    write(root, {"a": "", "b": "", "c": ""})
    with pytest.raises(UsageError, match="more than 2 files"):
        RepositoryFiles.of(root)


def test_a_file_that_cannot_be_read_is_refused_with_its_reason(root: Path) -> None:
    files = RepositoryFiles.of(write(root, {"a.py": b"x" * (MOST_BYTES + 1)}))
    with pytest.raises(SettingsError, match="larger than"):
        files.content("a.py")
    assert files.content("absent.py") is None


@pytest.mark.slow
def test_ten_thousand_files_take_seconds(root: Path) -> None:
    code = "import dagster as dg\n\n@dg.asset\ndef a{0}():\n    return [{1}]\n"
    numbers = ", ".join(map(str, range(50)))
    for number in range(10_000):
        folder = root / f"p{number % 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"m{number}.py").write_text(code.format(number, numbers))
    write(root, {"dagster_cloud.yaml": LEGACY.replace("./quick", "p1")})
    begun = time.process_time()
    found = scan_repository(root)
    assert time.process_time() - begun < 20, "of this process's time; about 2 s without anything beside it"
    assert found.files == 10_001
    assert [each.by_default for each in found.assets if each.folder == "p1"] == [100]


def test_assets_are_counted_for_the_deepest_folder(root: Path) -> None:
    asset = "import dagster as dg\n@dg.asset\ndef a(): ...\n"
    top = LEGACY.replace("./quick", ".")
    files = {"dagster_cloud.yaml": top, "docker/d.py": asset, "a.py": asset, "b.py": f"{asset}x = dg.Definitions()"}
    found = {each.folder: (each.by_default, each.definitions) for each in scanned(root, files).assets}
    assert found == {".": (2, "default"), "docker": (1, "none")}


def test_shell_scripts_are_read_for_variables_but_not_their_comments(root: Path) -> None:
    text = "# $VENVS_ROOT\necho ${DAGSTER_CLOUD_SERVERLESS_REGION:-x} $DAGSTER_CLOUD_SERVERLESS_REGION\n"
    (spot,) = scanned(root, {"hook.sh": text}).variables
    assert (spot.line, spot.what) == (2, "DAGSTER_CLOUD_SERVERLESS_REGION")
