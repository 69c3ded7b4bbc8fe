"""``dagster_cloud.yaml`` read into code locations, and how a wrong one is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.document import location_document
from hybrid.delivery.legacy import LegacyFile
from hybrid.delivery.sources import Source
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

ONE = "locations:\n  - location_name: orders\n    code_source: {package_name: orders}\n"


def write(root: Path, text: str, **files: str) -> Path:
    folder = root / "locations" / "first"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster_cloud.yaml").write_text(text)
    for name, content in files.items():
        stem, ending = name.rsplit("_", 1)
        (folder / f"{stem}.{ending}").write_text(content)
    return folder


def refusal(root: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        find_code_locations(root)
    return caught.value.sentence()


def by_name(root: Path, environment: str | None = None) -> dict[str, CodeLocationFolder]:
    return {location.name: location for location in find_code_locations(root, environment=environment)}


def test_everything_the_file_says_is_in_the_document(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        """
locations:
  - location_name: orders
    code_source: {python_file: repo.py}
    build: {directory: ., registry: registry.example/orders}
    working_directory: /opt/app
    executable_path: /opt/venv/bin/python
    attribute: defs
    image: registry.example/orders:1
    agent_queue: gpu
    container_context:
      ecs: {env_vars: ["URL=postgres://h?sslmode=require"]}
""",
        pyproject_toml='[project]\nname = "orders"\ndependencies = ["dagster", "dagster-cloud"]\n',
    )
    (location,) = find_code_locations(tmp_path)
    assert location.build.registry == "registry.example/orders"
    assert location.requirements == ("dagster", "dagster-cloud")
    assert location_document(location) == {
        "location_name": "orders",
        "code_source": {"python_file": "repo.py"},
        "image": "registry.example/orders:1",
        "executable_path": "/opt/venv/bin/python",
        "attribute": "defs",
        "working_directory": "/opt/app",
        "agent_queue": "gpu",
        "container_context": {"ecs": {"env_vars": ["URL=postgres://h?sslmode=require"]}},
    }
    assert location.folder == folder


def test_defaults_count_for_every_location_and_its_own_word_more(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
defaults:
  agent_queue: q-default
  build: {registry: registry.example/all}
  container_context:
    ecs: {env_vars: [A=1, STAGE=dev], run_resources: {cpu: "256"}}
locations:
  - {location_name: one, code_source: {module_name: one}}
  - location_name: two
    code_source: {module_name: two}
    agent_queue: gpu
    container_context:
      ecs: {env_vars: [STAGE=prod], run_resources: {memory: "512"}}
""",
    )
    found = by_name(tmp_path)
    assert (found["one"].agent_queue, found["two"].agent_queue) == ("q-default", "gpu")
    assert found["one"].container_context["ecs"]["env_vars"] == ["A=1", "STAGE=dev"]
    assert found["two"].container_context["ecs"] == {
        "env_vars": ["A=1", "STAGE=prod"],
        "run_resources": {"cpu": "256", "memory": "512"},
    }
    assert found["one"].shares_folder
    assert found["two"].shares_folder


def test_each_location_lies_in_its_build_directory_with_overlays_of_its_own(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "locations:\n"
        "  - {location_name: one, code_source: {module_name: one}, build: {directory: ./a, registry: r.example/one}}\n"
        "  - {location_name: two, code_source: {module_name: two}, build: {directory: b}}\n",
    )
    for name in ("a", "b"):
        (folder / name).mkdir()
    (folder / "a" / "build.prod.yaml").write_text("registry: r.example/prod/one\n")
    (folder / "a" / "container_context.prod.yaml").write_text("docker: {env_vars: [A=1]}\n")
    found = by_name(tmp_path, "prod")
    assert (found["one"].folder, found["one"].origin) == (folder / "a", "locations/first/a")
    assert found["one"].build.directory == folder / "a"
    assert found["one"].build.registry == "r.example/prod/one"
    assert found["one"].container_context == {"docker": {"env_vars": ["A=1"]}}
    assert not found["one"].shares_folder
    assert by_name(tmp_path)["one"].build.registry == "r.example/one"


def test_a_user_s_first_paste_is_answered_with_the_text_to_paste(tmp_path: Path) -> None:
    write(
        tmp_path,
        "locations:\n"
        "  - location_name: my_dagster_project\n"
        "    code_source:\n"
        "      module_name: my_dagster_project\n"
        "      package_name: my_dagster_project\n",
    )
    said = refusal(tmp_path)
    assert "locations/first/dagster_cloud.yaml, line 5: " in said
    assert "a location loads exactly one" in said
    fixed = said.partition("write it as:\n")[2]
    write(tmp_path, fixed)
    (location,) = find_code_locations(tmp_path)
    assert location.code_source.document() == {"module_name": "my_dagster_project"}, "what is shown can be pasted"


def test_the_table_that_guides_show_beside_it_must_say_the_same(tmp_path: Path) -> None:
    table = '[tool.dagster.code_locations.orders]\nmodule_name = "orders"\n'
    write(tmp_path, ONE, pyproject_toml=table)
    assert by_name(tmp_path)["orders"].code_source.kind == "package_name", "dagster_cloud.yaml is what Dagster+ reads"
    write(tmp_path, ONE, pyproject_toml=table.replace('"orders"', '"shop"'))
    assert "name different locations or modules" in refusal(tmp_path)


def test_a_dg_project_beside_it_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ONE, pyproject_toml='[tool.dg.project]\nroot_module = "orders"\n')
    assert "stands beside [tool.dg.project]" in refusal(tmp_path)


def test_base_build_files_beside_it_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ONE, build_yaml="registry: r.example/x\n")
    assert "both describe the location 'orders'" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("locations: {}", "line 1: there is no list `locations`"),
        ("{}", "line 1: there is no list `locations`"),
        ("default: {}\nlocations: []", "line 1: there is no key `default`"),
        ("defaults: []\n" + ONE, "line 1: `defaults` is not a mapping"),
        ("defaults: {attribute: x}\n" + ONE, "line 1: there is no key `attribute`"),
        ("locations: [x]", "line 1: a location is not a mapping"),
        (ONE + "    queue: x", "line 4: there is no key `queue`"),
        (ONE + "    agent_queue: a b", "line 4: `agent_queue` is not a queue's name"),
        (ONE + "    build: x", "line 4: `build` is not a mapping"),
        (ONE + "    build: {file: x}", "line 4: `build` has no key `file`"),
        (ONE + "    build: {registry: 'https://x y'}", "line 4: `registry` is not a repository"),
        (ONE + "    build: {directory: ../up}", "line 2: `directory` of 'orders' is not a folder inside"),
        (ONE + "    build: {directory: none}", "line 2: `directory` of 'orders' is not a folder inside"),
        (ONE + "    container_context: {local: {}}", "line 4: `local` is no platform"),
        (ONE + "    container_context:\n      ecs:\n        env_vars: [A, A]", "line 6: 'A' is in ecs.env_vars twice"),
        (ONE + ONE.partition("\n")[2], "line 4: 'orders' is there twice"),
        (ONE.replace("orders}", "no-module}"), "line 3: `package_name` is not a Python module's name"),
        (ONE.replace("package_name", "package"), "line 3: `code_source` has no key `package`"),
        (ONE.replace("{package_name: orders}", "orders"), "line 3: the code location 'orders' has no mapping"),
        (ONE.replace("{package_name: orders}", "{}"), "has nothing in its `code_source`"),
        (ONE.replace("location_name: orders", "image: x"), "line 2: a location has no `location_name`"),
        (ONE.replace("name: orders\n", "name: ../up\n"), "line 2: `location_name` is not a name of"),
        (ONE.replace("- location", "-\tlocation"), "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    assert said in refusal(tmp_path)


def test_all_that_is_wrong_in_the_file_is_said_at_once(tmp_path: Path) -> None:
    write(tmp_path, "locations:\n  - {location_name: a, queue: x}\n  - {location_name: b, code_source: {module: b}}\n")
    said = refusal(tmp_path)
    assert "line 2: there is no key `queue`" in said
    assert "line 3: `code_source` has no key `module`" in said


def test_a_folder_behind_a_link_is_no_build_directory(tmp_path: Path) -> None:
    folder = write(tmp_path, ONE + "    build: {directory: out}")
    (folder / "out").symlink_to(tmp_path)
    assert "is not a folder inside" in refusal(tmp_path)


@given(some.text(alphabet="{}[]:,-&*!a'\"\n \t#|>0.<", max_size=80) | some.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    for prefix in ("", ONE, "defaults: ", "locations:\n- "):
        with suppress(SettingsError):  # any other exception would be a traceback at a user
            LegacyFile.parse(Source("dagster_cloud.yaml", prefix + text))
