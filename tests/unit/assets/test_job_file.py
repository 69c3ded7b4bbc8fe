"""The file that gives a location its jobs: that it compiles, says whose credentials it takes, and is never written over
when somebody edited it. That its jobs work is shown by ``tests/unit/asset_values/test_job``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from asset_values import BlobPlace
from hybrid.assets.job_file import JobPlace, job_file, standing
from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

ROLE = JobPlace(
    "s3://acme-values/assets", "eu-central-1", None, "arn:aws:iam::123456789012:role/acme-stored-values", "said-by-us"
)
PLACES = [
    ROLE,
    JobPlace("s3://b-1"),
    JobPlace("s3://b-1/a/b", endpoint="https://minio.example"),
    JobPlace("/srv/vàl'ues"),
]


def location(root: Path, extra: str = "") -> CodeLocationFolder:
    folder = root / "locations" / "quick"
    (folder / "src" / "quick").mkdir(parents=True)
    (folder / "src" / "quick" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "quick"\nversion = "1"\ndependencies = []\n[tool.dg]\ndirectory_type = "project"\n'
        f'[tool.dg.project]\nroot_module = "quick"\n{extra}'
    )
    (found,) = find_code_locations(root)
    return found


def told(location: CodeLocationFolder, place: JobPlace, *, from_serverless: bool) -> str:
    """The docstring of the file, on one line."""
    text = job_file(location, place, from_serverless=from_serverless).text
    return " ".join((ast.get_docstring(ast.parse(text)) or "").split())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.url)
@pytest.mark.parametrize("from_serverless", [True, False])
def test_it_compiles_passes_the_linter_and_names_the_place(
    tmp_path: Path, place: JobPlace, from_serverless: bool
) -> None:
    text = job_file(location(tmp_path), place, from_serverless=from_serverless).text
    strings = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    bucket, _, prefix = place.url.removeprefix("s3://").partition("/")
    expected = {place.url} if place.url.startswith("/") else {bucket, *([prefix] if prefix else [])}
    assert expected | {value for value in (place.role_arn, place.external_id, place.endpoint) if value} <= strings
    file = tmp_path / "copy_stored_values.py"
    file.write_text(text)
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,I", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_it_says_who_reads_and_who_writes(tmp_path: Path) -> None:
    one = location(tmp_path)
    assert "Writes: the role below" in told(one, ROLE, from_serverless=True)
    assert "which the bucket has to let in" in told(one, JobPlace("s3://b-1"), from_serverless=True)
    assert "Writes: the same credentials of the run" in told(one, JobPlace("s3://b-1"), from_serverless=False)


@pytest.mark.parametrize(
    ("extra", "path", "module"),
    [
        ("", "quick/copy_stored_values.py", "quick.copy_stored_values"),
        (
            'code_location_target_module = "quick.app.definitions"\n',
            "quick/app/copy_stored_values.py",
            "quick.app.copy_stored_values",
        ),
    ],
)
def test_it_lies_beside_the_definitions_and_says_what_has_to_import_it(
    tmp_path: Path, extra: str, path: str, module: str
) -> None:
    made = job_file(location(tmp_path, extra), ROLE, from_serverless=True)
    assert (made.path.as_posix(), made.module) == (path, module)


def test_what_somebody_edited_is_known_from_what_is_only_older(tmp_path: Path) -> None:
    one = location(tmp_path)
    old, new = (job_file(one, place, from_serverless=True).text for place in (JobPlace("s3://b-1"), ROLE))
    assert standing(None, new) == "new"
    assert standing(new, new) == "same"
    assert standing(new.replace("\n", "\r\n"), new) == "same", "git changed the ends of lines, nobody the text"
    assert standing(old, new) == "outdated"
    assert standing(old + "# mine\n", new) == "edited"
    assert standing("print('mine')\n", new) == "edited", "it was never written by this"


def test_a_location_of_one_file_has_no_folder_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "locations" / "old"
    folder.mkdir(parents=True)
    (folder / "old.py").write_text("")
    (folder / "dagster_cloud.yaml").write_text(
        "locations:\n  - location_name: old\n    code_source: {python_file: old.py}\n"
    )
    (one,) = find_code_locations(tmp_path)
    with pytest.raises(SettingsError, match="no folder of modules"):
        job_file(one, ROLE, from_serverless=True)


def test_a_container_of_azure_is_named_and_whose_login_writes_there(tmp_path: Path) -> None:
    place = JobPlace("abfss://values@acme.dfs.core.windows.net/assets/prod")
    code = location(tmp_path)
    text = job_file(code, place, from_serverless=True).text
    (call,) = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BlobPlace"
    ]
    given = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    assert BlobPlace(**given).url == place.url
    assert "AZURE_CLIENT_SECRET" in told(code, place, from_serverless=True), "a task on Serverless has no login there"
