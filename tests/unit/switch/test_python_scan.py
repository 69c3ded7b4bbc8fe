"""Python read by its syntax tree: what is seen, under whatever name it was imported, and what is not guessed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.switch.python_scan import PythonFacts, scan_python
from hybrid.switch.serverless_words import VARIABLES

pytestmark = pytest.mark.unit

BUCKET = "DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_BUCKET"


def scan(text: str) -> PythonFacts:
    return scan_python(text.encode())


@pytest.mark.parametrize(
    "reading",
    [
        "import os\nos.environ['{}']",
        "import os\nos.environ.get('{}', 'x')",
        "import os\nos.getenv('{}')",
        "import os as o\no.getenv('{}')",
        "from os import environ\nenviron['{}']",
        "from os import environ as e, getenv\ne.get('{}')",
        "from os import getenv\ngetenv('{}')",
        "import os\n'{}' in os.environ",
        "import dagster as dg\ndg.EnvVar('{}')",
        "from dagster import EnvVar\nEnvVar('{}').get_value()",
        "import dagster\ndagster.EnvVar.int('{}')",
    ],
)
def test_a_variable_of_serverless_is_seen_however_it_is_read(reading: str) -> None:
    assert scan(reading.format(BUCKET)).variables == ((BUCKET, 2),)
    assert scan(reading.format("DAGSTER_CLOUD_DEPLOYMENT_NAME")).variables == (), "Hybrid agents set it as well"


@pytest.mark.parametrize("name", [*VARIABLES, "DAGSTER_CLOUD_SERVERLESS_OF_TOMORROW"])
def test_each_variable_of_serverless_is_known(name: str) -> None:
    assert scan(f"import os  # dagster\nos.getenv('{name}')").variables == ((name, 2),)


def test_a_variable_in_a_comment_or_a_sentence_is_not_read() -> None:
    assert scan(f'# os.getenv("{BUCKET}")\n"""See {BUCKET}."""\nx = "{BUCKET}"').variables == ()


@pytest.mark.parametrize(
    "line",
    [
        "import dagster_cloud.serverless.io_manager",
        "from dagster_cloud.serverless.io_manager import serverless_io_manager",
        "from dagster_cloud.serverless import io_manager",
        "from dagster_cloud import serverless",
        "def late():\n    from dagster_cloud.serverless import io_manager",
    ],
)
def test_the_library_of_serverless_is_seen(line: str) -> None:
    assert len(scan(line).libraries) == 1
    assert scan("from dagster_cloud.instance import serverless_like\nimport dagster_cloud").libraries == ()


def test_the_tag_of_non_isolated_runs_is_seen_where_it_is_written() -> None:
    assert scan("import dagster\n\nx = {'dagster/isolation': 'disabled'}\n").isolation == (3,)


ASSETS = """
import dagster as dg
from dagster import asset as a, AssetOut

@dg.asset
def plain(): ...

@a(io_manager_key="lake")
def own(): ...

@dg.asset(group_name="x")
async def grouped(): ...

@dg.asset(**common)
def who_knows(): ...

@dg.asset
def nothing() -> None: ...

@dg.asset
def told() -> dg.MaterializeResult[int]: ...

@dg.asset
def quoted() -> "dg.MaterializeResult": ...

@dg.multi_asset(outs={"b": AssetOut(), "c": AssetOut(io_manager_key="lake")})
def several(): ...

@dg.multi_asset(specs=[])
def specified(): ...

@dg.op
def no_asset(): ...

@unrelated.asset
def another_library(): ...
"""


def test_assets_are_told_with_what_they_say_of_their_io_manager() -> None:
    found = {asset.name: (asset.stored_by, asset.stores) for asset in scan(ASSETS).assets}
    assert found == {
        "plain": ("default", True),
        "own": ("own", True),
        "grouped": ("default", True),
        "who_knows": ("unknown", True),
        "nothing": ("default", False),
        "told": ("default", False),
        "quoted": ("default", False),
        "several": ("default", True),
        "specified": ("unknown", True),
    }


@pytest.mark.parametrize(
    ("resources", "stored_by"),
    [
        ("", "default"),
        ("resources=None", "default"),
        ("resources={}", "default"),
        ("resources={'warehouse': 1}", "default"),
        ("resources={'io_manager': lake}", "own"),
        ("resources={**shared, 'io_manager': lake}", "own"),
        ("resources={**shared}", "unknown"),
        ("resources={NAME: lake}", "unknown"),
        ("resources=dict(io_manager=lake)", "own"),
        ("resources=dict(**shared)", "unknown"),
        ("resources=dict(warehouse=1)", "default"),
        ("resources=make_resources()", "unknown"),
        ("**everything", "unknown"),
    ],
)
def test_resources_of_definitions_say_whether_the_default_is_used_or_nothing(resources: str, stored_by: str) -> None:
    (one,) = scan(f"import dagster as dg\ndefs = dg.Definitions({resources})").definitions
    assert (one.line, one.io_manager) == (2, stored_by)


def test_with_resources_counts_as_definitions_do() -> None:
    text = (
        "from dagster import with_resources\nwith_resources(x, {'io_manager': y})\nwith_resources(x, resource_defs={})"
    )
    assert [each.io_manager for each in scan(text).definitions] == ["own", "default"]


@pytest.mark.parametrize(
    "content",
    [
        b"import dagster\nprint 'python 2'",
        b"import dagster\n\x00",
        b"# dagster\nx = '\xff'",
        b"# dagster\nx = " + b"(" * 5000 + b")" * 5000,
        b"# dagster\nx = " + b"-" * 50_000 + b"1",
        b"# -*- coding: nonsense -*-\nimport dagster",
    ],
    ids=["old", "nul", "encoding", "parentheses", "minus", "cookie"],
)
def test_what_is_no_python_is_said_and_ends_nothing(content: bytes) -> None:
    with pytest.raises(ValueError, match="not Python of this version"):
        scan_python(content)


def test_a_declared_encoding_is_honoured() -> None:
    assert scan_python(
        "# -*- coding: latin-1 -*-\nimport os # dagster é\nos.getenv('VENVS_ROOT')".encode("latin-1")
    ).variables


@given(st.binary(max_size=200).map(lambda more: b"dagster " + more))
def test_no_bytes_end_it_in_another_way(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        scan_python(content)


def test_nothing_of_it_is_run(tmp_path) -> None:
    mark = tmp_path / "run"
    scan(f"import dagster\nopen({str(mark)!r}, 'w')")
    assert not mark.exists()
