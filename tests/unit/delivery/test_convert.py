"""``dagster_cloud.yaml`` to the files of dg and back: round trips by properties, what is not said by examples."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from hybrid.delivery.convert import Conversion, ProjectFiles, same_values, to_build, to_legacy, with_tables
from hybrid.delivery.legacy import LegacyFile, LegacyLocation
from hybrid.delivery.project import DgProject
from hybrid.delivery.sources import Source
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

NAMES = some.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
MODULES = some.from_regex(r"[a-z_][a-zé_]{0,3}(\.[a-z_]{1,4}){0,2}|[a-z]{1,3}\.definitions", fullmatch=True)
CONTEXTS = some.fixed_dictionaries(
    {},
    optional={
        "ecs": some.fixed_dictionaries(
            {}, optional={"env_vars": some.just(["U=p://h?m=x", "1=on"]), "run_resources": some.just({"cpu": "256"})}
        ),
        "docker": some.just({"networks": ["a", "b: c", "yes", "1e3", "#x"]}),
    },
)
SOURCES = some.one_of(
    some.builds(lambda module: {"module_name": module}, MODULES),
    some.builds(lambda module: {"package_name": module}, MODULES),
    some.builds(lambda module: {"autoload_defs_module_name": module}, MODULES),
    some.just({"python_file": "src/repo.py"}),
)
BUILDS = some.fixed_dictionaries(
    {},
    optional={
        "registry": some.just("registry.example/x"),
        "directory": some.sampled_from([".", "a", "./b", "c/d", "../up", "/abs"]),
    },
)
LOCATIONS = some.fixed_dictionaries(
    {"location_name": NAMES, "code_source": SOURCES},
    optional={
        "build": BUILDS,
        "image": some.just("registry.example/x@sha256:00"),
        "working_directory": some.just("/opt/x"),
        "executable_path": some.just("/usr/bin/python"),
        "attribute": some.just("defs"),
        "agent_queue": some.just("gpu"),
        "container_context": CONTEXTS,
    },
)
FILES = some.fixed_dictionaries(
    {"locations": some.lists(LOCATIONS, max_size=4, unique_by=lambda location: location["location_name"])},
    optional={"defaults": some.fixed_dictionaries({}, optional={"agent_queue": some.just("q"), "build": BUILDS})},
)


def source(name: str, value: Any) -> Source:
    return Source(name, value if isinstance(value, str) else yaml.safe_dump(value))


def projects(conversion: Conversion) -> list[ProjectFiles]:
    """The files of a conversion as they would be read again."""

    def file(folder: str, name: str) -> Source | None:
        path = f"{folder}/{name}" if folder else name
        return Source(path, conversion.files[path]) if path in conversion.files else None

    found = []
    for path, tables in conversion.tables.items():
        folder = path.removesuffix("pyproject.toml").rstrip("/")
        found.append(
            ProjectFiles(
                folder=folder,
                name=folder.rpartition("/")[2] or "top",
                pyproject=Source(path, tables),
                dg_toml=None,
                build=file(folder, "build.yaml"),
                container_context=file(folder, "container_context.yaml"),
            )
        )
    return found


def normal(location: LegacyLocation) -> LegacyLocation:
    directory = (location.directory or ".").removeprefix("./")
    return replace(location, directory=None if directory == "." else directory, line=1)


def differing(one: LegacyLocation, two: LegacyLocation) -> set[str]:
    return {field.name for field in fields(one) if getattr(one, field.name) != getattr(two, field.name)}


WORDS = {
    "directory_in_image": "working_directory",
    "executable_path": "executable_path",
    "attribute": "attribute",
    "code_source": "package_name",
}


@given(FILES)
def test_to_the_files_of_dg_and_back_loses_only_what_was_listed(file: dict[str, Any]) -> None:
    given_file = source("dagster_cloud.yaml", file)
    before = {location.name: normal(location) for location in LegacyFile.parse(given_file).locations}
    there = to_build(given_file)
    back = to_legacy(projects(there)).files["dagster_cloud.yaml"]
    after = {location.name: normal(location) for location in LegacyFile.parse(Source("back", back)).locations}
    listed: dict[str, set[str]] = {}
    for unsaid in there.unsaid:
        listed.setdefault(unsaid.location, set()).add(unsaid.key)
    for name, location in before.items():
        if "the whole location" in listed.get(name, ()):
            assert name not in after
            continue
        lost = differing(location, after[name])
        assert {WORDS[key] for key in lost} == listed.get(name, set()), f"{name}: what differs is what was listed"
    assert set(after) <= set(before)


PROJECTS = some.builds(
    lambda folder, table, build, context: (folder, table, build, context),
    some.sampled_from(["", "one", "two/deep"]),
    some.fixed_dictionaries(
        {"root_module": some.sampled_from(["hello", "shop"])},
        optional={
            "code_location_name": some.just("orders"),
            "code_location_target_module": MODULES,
            "defs_module": some.just("hello.defs"),
            "registry_modules": some.just(["hello.components"]),
            "agent_queue": some.just("gpu"),
            "image": some.just('registry.example/x"\\:1'),
        },
    ),
    some.none()
    | some.fixed_dictionaries(
        {}, optional={"registry": some.just("r.example/x"), "directory": some.sampled_from([".", "img"])}
    ),
    some.none() | CONTEXTS,
)


@given(PROJECTS)
def test_to_the_older_file_and_back_loses_only_what_was_listed(
    project: tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any] | None],
) -> None:
    folder, table, build, context = project
    text = "[tool.dg.project]\n" + "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in table.items())
    files = ProjectFiles(
        folder=folder,
        name="named",
        pyproject=Source("pyproject.toml", text),
        dg_toml=None,
        build=source("build.yaml", build) if build is not None else None,
        container_context=source("container_context.yaml", context) if context is not None else None,
    )
    there = to_legacy([files])
    (back,) = projects(to_build(Source("dagster_cloud.yaml", there.files["dagster_cloud.yaml"])))
    before, after = DgProject.parse(files.pyproject, None), DgProject.parse(back.pyproject, None)
    lost = set(before.further)
    lost |= {"root_module"} if before.root_module != after.root_module else set()
    lost |= {"the project's folder"} if folder != back.folder else set()
    assert lost == {unsaid.key for unsaid in there.unsaid}, "what differs is what was listed"
    assert replace(before, further={}, root_module="", name=before.name or "named") == replace(after, root_module="")
    assert (yaml.safe_load(back.build.text)["registry"] if back.build else None) == (build or {}).get("registry")
    assert (yaml.safe_load(back.container_context.text) if back.container_context else {}) == (context or {})


def test_what_cannot_be_said_is_listed_with_its_value() -> None:
    conversion = to_build(
        source(
            "dagster_cloud.yaml",
            "# ours\n"
            "defaults: {agent_queue: q}\n"
            "locations:\n"
            "  - {location_name: a, code_source: {module_name: a}, executable_path: /usr/bin/python, attribute: defs}\n"
            "  - {location_name: b, code_source: {module_name: b.definitions}}\n"
            "  - {location_name: c, code_source: {python_file: c.py}, working_directory: /opt/c}\n",
        )
    )
    said = [unsaid.sentence() for unsaid in conversion.unsaid]
    assert "a: executable_path: a dg project has no word for it; it was /usr/bin/python" in said
    assert "a: attribute: a dg project has no word for it; it was defs" in said
    assert any(line.startswith("defaults: ") for line in said)
    assert any(line.startswith("comments: ") for line in said)
    (whole,) = [line for line in said if line.startswith("b: ")]
    assert "it is built from the folder of 'a', and a folder is one location" in whole
    (file,) = [line for line in said if line.startswith("c: ")]
    assert "agent_queue: q" in file, "a default is part of what it says"
    assert "working_directory: /opt/c" in file
    assert list(conversion.tables) == ["pyproject.toml"]
    assert 'agent_queue = "q"' in conversion.tables["pyproject.toml"]


def test_overlays_and_comments_of_a_project_are_listed() -> None:
    files = ProjectFiles(
        folder="",
        name="hello",
        pyproject=Source("pyproject.toml", '[tool.dg.project]\nroot_module = "hello"\n'),
        dg_toml=None,
        build=Source("hello/build.yaml", "registry: r.example/x # ours\n"),
        container_context=None,
        overlays=("build.prod.yaml",),
    )
    assert [unsaid.key for unsaid in to_legacy([files]).unsaid] == ["comments", "build.prod.yaml"]


def test_two_projects_of_one_name_are_refused() -> None:
    files = ProjectFiles("", "x", Source("p", '[tool.dg.project]\nroot_module = "x"\n'), None, None, None)
    with pytest.raises(SettingsError, match="Two folders are the code location 'x'"):
        to_legacy([files, replace(files, folder="other")])


TABLES = '[tool.dg]\ndirectory_type = "project"\n\n[tool.dg.project]\nroot_module = "x"\n'


def test_tables_are_added_below_what_is_there() -> None:
    present = '# ours\n[project]\nname = "x"\n'
    assert with_tables(Source("p", present), TABLES, shown="p") == f"{present}\n{TABLES}"
    assert with_tables(None, TABLES, shown="p") == TABLES
    assert with_tables(Source("p", TABLES), TABLES, shown="p") == TABLES, "nothing is added twice"
    assert with_tables(Source("p", TABLES.replace('"x"', '"y"')), TABLES, shown="p") is None, "it says something else"


def test_tables_that_would_break_the_file_are_refused() -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        with_tables(Source("p", 'tool = {dagster = {module_name = "x"}}\n'), TABLES, shown="p")


def test_files_are_compared_by_what_they_say() -> None:
    assert same_values(Source("a", "registry: x # ours\n"), Source("b", "{registry: x}"))
    assert not same_values(Source("a", "registry: x"), Source("b", "registry: y"))
