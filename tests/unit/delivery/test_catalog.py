"""Folders under ``locations/`` read into code locations, and how each wrong one is refused.

The files here are written by hand; tests/contracts/test_locations.py reads the house's own and asks Dagster about them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.delivery.catalog import CodeLocationFolder, find_code_locations
from hybrid.delivery.project import Project
from hybrid.delivery.sources import MAX_BYTES, Source, YamlMapping
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

DG = '[tool.dg]\ndirectory_type = "project"\n\n[tool.dg.project]\nroot_module = "hello"\n'


def write(root: Path, name: str, **files: str | bytes) -> Path:
    """A folder with ``files``; the first underscore of a file's name stands for its dot."""
    folder = root / "locations" / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, content in files.items():
        stem, ending = key.rsplit("_", 1)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{stem}.{ending}").write_bytes(data)
    return folder


def only(root: Path) -> CodeLocationFolder:
    (location,) = find_code_locations(root)
    return location


def refusal(root: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        find_code_locations(root)
    assert caught.value.next_step, "an error ends with what to do"
    return caught.value.sentence()


def test_a_checkout_without_locations_has_none(tmp_path: Path) -> None:
    assert find_code_locations(tmp_path) == ()


def test_a_dg_project_is_called_as_its_folder_and_loads_its_definitions(tmp_path: Path) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG)
    location = only(tmp_path)
    assert (location.name, location.folder) == ("first", folder)
    assert location.code_source.document() == {"module_name": "hello.definitions"}
    assert location.working_directory == folder
    assert (location.requirements, location.lock, location.agent_queue, location.image) == ((), None, None, None)
    assert (location.build.registry, location.build.directory) == (None, folder)


def test_everything_a_dg_project_says_is_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "first",
        pyproject_toml='[project]\nrequires-python = ">=3.11"\n'
        + 'dependencies = ["dagster==1.13.27", "httpx[http2]>=0.28"]\n'
        + DG
        + 'code_location_name = "orders"\ncode_location_target_module = "hello.prod"\n'
        'agent_queue = "gpu"\nimage = "registry.example/hello@sha256:00"\n',
        build_yaml="registry: registry.example/hello\ndirectory: ./src\n",
        container_context_yaml="ecs: {env_vars: [A=b=c]}\n",
        requirements_lock="dagster==1.13.27 --hash=sha256:00\n",
    )
    (folder / "src").mkdir()
    location = only(tmp_path)
    assert (location.name, location.agent_queue, location.image) == (
        "orders",
        "gpu",
        "registry.example/hello@sha256:00",
    )
    assert location.code_source.document() == {"module_name": "hello.prod"}
    assert location.working_directory == folder / "src"
    assert location.requirements == ("dagster==1.13.27", "httpx[http2]>=0.28")
    assert location.requires_python == ">=3.11"
    assert location.lock == folder / "requirements.lock"
    assert (location.build.registry, location.build.directory) == ("registry.example/hello", folder / "src")
    assert location.container_context == {"ecs": {"env_vars": ["A=b=c"]}}


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        (DG + "autoload_defs = true", {"autoload_defs_module_name": "hello.defs"}),
        (DG + 'autoload_defs = true\ndefs_module = "hello.all"', {"autoload_defs_module_name": "hello.all"}),
        ('[tool.dagster]\nmodule_name = "old.repository"', {"module_name": "old.repository"}),
        (DG + '[tool.dagster]\nmodule_name = "hello.definitions"', {"module_name": "hello.definitions"}),
    ],
    ids=["autoload", "autoload a module", "tool.dagster", "both alike"],
)
def test_what_is_loaded_follows_dagsters_own_rules(tmp_path: Path, settings: str, source: dict[str, str]) -> None:
    write(tmp_path, "first", pyproject_toml=settings)
    assert only(tmp_path).code_source.document() == source


def test_requirements_without_hashes_are_no_lock(tmp_path: Path) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG, requirements_txt="dagster\n")
    assert only(tmp_path).lock is None
    (folder / "requirements.txt").write_text("dagster==1.13.27 \\\n  --hash=sha256:00\n")
    assert only(tmp_path).lock == folder / "requirements.txt"


def test_files_hidden_folders_and_leftover_bytecode_are_no_locations(tmp_path: Path) -> None:
    write(tmp_path, "first", pyproject_toml=DG)
    write(tmp_path, ".cache", pyproject_toml="not toml at all")
    write(tmp_path, "gone/__pycache__", module_pyc=b"\0")
    (tmp_path / "locations" / "README.md").write_text("")
    assert only(tmp_path).name == "first"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pyproject_toml": DG + "image = 7"}, "pyproject.toml, line 6: `image` of [tool.dg.project]"),
        ({"pyproject_toml": DG + 'code_location_name = "../up"'}, "line 6: `code_location_name`"),
        ({"pyproject_toml": DG + 'code_location_nam = "x"'}, "line 6: [tool.dg.project] has no key"),
        ({"pyproject_toml": DG + 'agent_queue = "a b"'}, "line 6: `agent_queue`"),
        ({"pyproject_toml": '[tool.dg.project]\ndefs_module = "x"'}, "line 1: [tool.dg.project] lacks `root_module`"),
        ({"pyproject_toml": '[tool.dg.project]\nroot_module = "no-module"'}, "line 2: `root_module`"),
        ({"pyproject_toml": "\n[tool.dg.project\n"}, "pyproject.toml, line 2: not TOML"),
        ({"pyproject_toml": "a = " + "[" * 5000}, "not TOML"),
        ({"pyproject_toml": "a = " + "9" * 5000}, "not TOML"),
        ({"pyproject_toml": b"# caf\xe9\n"}, "line 1: not UTF-8"),
        ({"pyproject_toml": "#" * (MAX_BYTES + 1)}, "larger than 256 KiB"),
        ({"pyproject_toml": "tool = 3"}, "line 1: `tool` is not a table"),
        ({"pyproject_toml": '[project]\nname = "x"\n'}, "[tool.dg.project] (`root_module`)"),
        (
            {"pyproject_toml": DG + '[project]\ndependencies = [\n  "dagster",\n  "--index-url x",\n]'},
            "line 9: '--index-url x' in `dependencies` is not a requirement",
        ),
        ({"pyproject_toml": DG + "[project]\ndependencies = [7]"}, "`dependencies` is not a requirement"),
        ({"pyproject_toml": DG + '[project]\ndependencies = "dagster"'}, "line 7: `dependencies` of [project]"),
        ({"pyproject_toml": DG + '[project]\ndynamic = ["dependencies"]'}, "line 7: `dependencies` are dynamic"),
        ({"pyproject_toml": DG + '[project]\nrequires-python = "3.x"'}, "line 7: '3.x' in `requires-python`"),
        (
            {"pyproject_toml": DG + '[tool.dagster]\nmodule_name = "other"'},
            "line 6: [tool.dagster] and [tool.dg.project]",
        ),
        ({"pyproject_toml": '[tool.dagster]\nmodules = [{type = "module", name = "a"}]'}, "line 2: `modules`"),
        ({"dagster_cloud_yaml": "locations: []"}, "dagster_cloud.yaml: it lists no location"),
        (
            {"pyproject_toml": DG, "dg_toml": '[project]\nroot_module = "hello"'},
            "dg.toml, line 1: the project is described here and in pyproject.toml",
        ),
        ({"dg_toml": '[project]\nroot = "hello"'}, "dg.toml, line 2: [project] has no key `root`"),
        ({"pyproject_toml": DG, "build_yaml": "- registry"}, "build.yaml, line 1: not a mapping"),
        ({"pyproject_toml": DG, "build_yaml": "registry: x\nagent_queue: q"}, "line 2: there is no key `agent_queue`"),
        ({"pyproject_toml": DG, "build_yaml": "registry: x\nregistry: y"}, "line 2: `registry` is there twice"),
        ({"pyproject_toml": DG, "build_yaml": "registry: 7"}, "line 1: `registry` is not a text"),
        ({"pyproject_toml": DG, "build_yaml": "registry: https://x y"}, "line 1: `registry` is not a repository"),
        ({"pyproject_toml": DG, "build_yaml": "\ndirectory: ../other"}, "line 2: `directory` is not a folder inside"),
        ({"pyproject_toml": DG, "build_yaml": "directory: /"}, "line 1: `directory` is not a folder inside"),
        ({"pyproject_toml": DG, "container_context_yaml": "local: {}"}, "line 1: `local` is no platform"),
        ({"pyproject_toml": DG, "container_context_yaml": "ecs: [1]"}, "line 1: `ecs` is not a mapping"),
        (
            {"pyproject_toml": DG, "container_context_yaml": "ecs:\n  a: 2026-01-01"},
            "line 2: a value of the kind timestamp",
        ),
        (
            {"pyproject_toml": DG, "container_context_yaml": "ecs: {a: 2026-13-40}"},
            "line 1: a value of the kind timestamp",
        ),
        ({"pyproject_toml": DG, "container_context_yaml": "ecs: {a: .nan}"}, "line 1: a value of the kind float"),
        ({"pyproject_toml": DG, "container_context_yaml": "ecs:\n  a: [\n"}, "line 3: not YAML"),
        (
            {"pyproject_toml": DG, "container_context_yaml": "a: !!python/name:os.system x"},
            "line 1: a value of the kind",
        ),
        ({"pyproject_toml": DG, "container_context_yaml": "!!set {ecs}"}, "line 1: a value of the kind set"),
        (
            {"pyproject_toml": DG, "container_context_yaml": "ecs: {a: !!bool maybe}"},
            "line 1: a value of the kind bool",
        ),
        ({"pyproject_toml": DG, "container_context_yaml": "ecs: {on: 1}"}, "line 1: a key is not a text"),
        ({"pyproject_toml": DG, "container_context_yaml": "ecs: {[1]: 2}"}, "line 1: a key is not a text"),
        ({"pyproject_toml": DG, "container_context_yaml": "a: " + "[" * 5000}, "not YAML: nested too deep"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, files: dict[str, str | bytes], said: str) -> None:
    write(tmp_path, "first", **files)
    assert said in refusal(tmp_path)


def test_two_code_sources_are_answered_with_the_one_to_keep(tmp_path: Path) -> None:
    write(
        tmp_path,
        "first",
        pyproject_toml='[tool.dagster]\nmodule_name = "my_dagster_project"\npackage_name = "my_dagster_project"\n',
    )
    said = refusal(tmp_path)
    assert "line 3: [tool.dagster] has both `module_name` and `package_name`" in said
    assert 'keep: module_name = "my_dagster_project"' in said


GUIDED = "[tool.dagster.code_locations.mine]\n"


def test_the_table_that_guides_show_is_read_where_it_can_mean_one_thing(tmp_path: Path) -> None:
    write(tmp_path, "first", pyproject_toml=GUIDED + 'module_name = "mine"\ncode_location = "mine"\n')
    location = only(tmp_path)
    assert (location.name, location.code_source.document()) == ("mine", {"module_name": "mine"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GUIDED + 'code_location = "mine"', "line 1: [tool.dagster.code_locations.mine] has no `module_name`"),
        (GUIDED + 'module_name = "a"\ncode_location = "b"', "line 3: [tool.dagster.code_locations.mine] has a"),
        (GUIDED + 'module_name = "a"\ncode_location = []', "line 3: [tool.dagster.code_locations.mine] has a"),
        (GUIDED + 'module_name = "a"\npackage_name = "a"', "line 3: [tool.dagster.code_locations.mine] has both"),
        (GUIDED + 'module = "a"', "line 2: [tool.dagster.code_locations.mine] has `module`"),
        (GUIDED + 'module_name = "a"\n' + GUIDED.replace("mine", "two"), "line 3: [tool.dagster.code_locations] names"),
        (GUIDED + 'module_name = "a"\n' + DG, "line 1: [tool.dagster.code_locations.mine] and [tool.dg.project]"),
        ('[tool.dagster.code_locations."a b"]\nmodule_name = "a"', "'a b' is not a name of"),
    ],
)
def test_the_table_that_guides_show_is_refused_where_it_cannot(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, "first", pyproject_toml=text)
    assert said in refusal(tmp_path)


def test_the_refusal_of_that_table_shows_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, "first", pyproject_toml=GUIDED + 'package_name = "shop"')
    assert '[tool.dagster]\nmodule_name = "shop"\ncode_location_name = "mine"' in refusal(tmp_path)


def test_a_dg_toml_describes_a_project_as_a_pyproject_does(tmp_path: Path) -> None:
    write(
        tmp_path,
        "first",
        dg_toml='directory_type = "project"\n[project]\nroot_module = "hello"\nagent_queue = "gpu"\n',
        pyproject_toml='[project]\nname = "x"\ndependencies = ["dagster"]\n',
    )
    location = only(tmp_path)
    assert (location.agent_queue, location.requirements) == ("gpu", ("dagster",))
    assert location.code_source.document() == {"module_name": "hello.definitions"}


WORKSPACE = '[tool.dg]\ndirectory_type = "workspace"\n'


def test_a_dg_workspace_is_its_projects_with_its_context_below_theirs(tmp_path: Path) -> None:
    projects = "".join(f'[[tool.dg.workspace.projects]]\npath = "{name}"\n' for name in ("one", "two"))
    write(
        tmp_path, "all", pyproject_toml=WORKSPACE + projects, container_context_yaml="ecs: {env_vars: [A=1, STAGE=dev]}"
    )
    write(tmp_path, "all/one", pyproject_toml=DG, container_context_yaml="ecs: {env_vars: [STAGE=prod]}")
    write(tmp_path, "all/two", pyproject_toml=DG)
    one, two = find_code_locations(tmp_path)
    assert (one.name, one.origin, two.name) == ("one", "locations/all/one", "two")
    assert one.container_context == {"ecs": {"env_vars": ["A=1", "STAGE=prod"]}}, "the project's own word counts"
    assert two.container_context == {"ecs": {"env_vars": ["A=1", "STAGE=dev"]}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[tool.dg.workspace.projects]]\npath = "../out"', "has no `path` of a folder in it"),
        ('[[tool.dg.workspace.projects]]\npath = "none"', "the project none, which is no folder in it"),
        ('[tool.dg.workspace]\nprojects = "one"', "line 4: a project of the workspace"),
    ],
)
def test_a_workspace_whose_projects_are_not_in_it_is_refused(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, "all", pyproject_toml=WORKSPACE + text)
    assert said in refusal(tmp_path)


def test_a_registry_for_a_whole_workspace_is_refused(tmp_path: Path) -> None:
    text = WORKSPACE + '[[tool.dg.workspace.projects]]\npath = "one"'
    write(tmp_path, "all", pyproject_toml=text, build_yaml="registry: registry.example/all")
    write(tmp_path, "all/one", pyproject_toml=DG)
    assert "of all projects one repository" in refusal(tmp_path), "the last image pushed would be taken for each"


def test_the_context_beside_the_locations_is_common_to_them(tmp_path: Path) -> None:
    write(tmp_path, "first", pyproject_toml=DG, container_context_yaml="docker: {networks: [own]}")
    (tmp_path / "locations" / "container_context.yaml").write_text("docker: {env_vars: [A=1], networks: [common]}")
    (tmp_path / "locations" / "container_context.prod.yaml").write_text("docker: {env_vars: [A=2]}")
    assert only(tmp_path).container_context == {"docker": {"env_vars": ["A=1"], "networks": ["own"]}}
    (location,) = find_code_locations(tmp_path, environment="prod")
    assert location.container_context["docker"]["env_vars"] == ["A=2"]


def test_a_few_lines_of_aliases_that_stand_for_billions_are_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(SettingsError, match="more than 20000 values"):
        YamlMapping(Source("file", "\n".join(lines)))


def test_an_alias_of_itself_is_refused() -> None:
    with pytest.raises(SettingsError, match="more than 20000 values"):
        YamlMapping(Source("file", "ecs: &a [*a]"))


def test_aliases_for_brevity_are_fine() -> None:
    file = YamlMapping(Source("file", "docker: &env {env_vars: [A=1]}\necs: *env\n"))
    assert file.values["ecs"] == {"env_vars": ["A=1"]}


def test_two_locations_of_one_name_are_refused_with_both_folders(tmp_path: Path) -> None:
    write(tmp_path, "one", pyproject_toml=DG + 'code_location_name = "same"')
    write(tmp_path, "same", pyproject_toml=DG)
    said = refusal(tmp_path)
    assert "locations/one" in said
    assert "locations/same" in said


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    write(tmp_path, "one", pyproject_toml="=")
    write(tmp_path, "two", pyproject_toml=DG, build_yaml="[]")
    said = refusal(tmp_path)
    assert "locations/one/pyproject.toml, line 1" in said
    assert "locations/two/build.yaml, line 1" in said


@pytest.mark.parametrize("file", ["pyproject.toml", "build.yaml", "container_context.yaml", "requirements.lock"])
def test_a_file_that_leads_out_of_the_folder_is_refused(tmp_path: Path, file: str) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG)
    secret = tmp_path / "secret"
    secret.write_text("registry: x")
    (folder / file).unlink(missing_ok=True)
    (folder / file).symlink_to(secret)
    assert f"locations/first/{file} leads out of its folder" in refusal(tmp_path)


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG)
    (folder / "build.yaml").symlink_to(folder / "build.yaml")
    assert "locations/first/build.yaml" in refusal(tmp_path)


def test_a_location_or_its_sources_behind_a_link_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG)
    (folder / "src").symlink_to(tmp_path)
    assert "locations/first/src leads out of its folder" in refusal(tmp_path)
    (folder / "src").unlink()
    (tmp_path / "locations" / "second").symlink_to(folder)
    assert "locations/second is a symbolic link" in refusal(tmp_path)


def test_a_pipe_in_place_of_a_file_does_not_hold_up_the_reader(tmp_path: Path) -> None:
    folder = write(tmp_path, "first", pyproject_toml=DG)
    os.mkfifo(folder / "build.yaml")
    assert "locations/first/build.yaml is not a file" in refusal(tmp_path)


def test_a_folder_whose_name_can_be_no_location_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "two words", pyproject_toml=DG)
    assert "gives its location no possible name" in refusal(tmp_path)


@given(some.text(max_size=200))
def test_no_text_breaks_the_reader_of_a_project(text: str) -> None:
    for prefix in ("", DG, "[tool.dagster]\n", "[project]\ndependencies = "):
        with suppress(SettingsError):  # any other exception would be a traceback at a user
            Project.parse(Source("pyproject.toml", prefix + text))


@given(some.text(alphabet="{}[]:,-&*!a'\"\n \t#|>0.<", max_size=80) | some.text(max_size=80))
def test_no_text_breaks_the_reader_of_yaml(text: str) -> None:
    with suppress(SettingsError):
        YamlMapping(Source("build.yaml", text))
