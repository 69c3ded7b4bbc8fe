"""Bases and overlays made into one environment: the merge by properties, the files by examples."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.environment import IDENTITIES, environment_of, merged, overlay, repeated, without_nulls
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

WORDS = some.text(alphabet="ab=:/?.1 ", max_size=8)
VARIABLES = some.dictionaries(some.sampled_from("ABCD"), WORDS, max_size=4).map(
    lambda values: [f"{name}={value}" for name, value in values.items()]
)


def named(key: str) -> some.SearchStrategy[list[dict[str, str]]]:
    return some.dictionaries(some.sampled_from("abcd"), WORDS, max_size=3).map(
        lambda values: [{key: name, "value": value} for name, value in values.items()]
    )


# each key always holds the same kind of value, as a schema would have it
PLATFORM = some.fixed_dictionaries(
    {},
    optional={
        "env_vars": VARIABLES,
        "secrets": named("name"),
        "run_ecs_tags": named("key"),
        "mount_points": named("containerPath"),
        "volume_mounts": named("mount_path"),
        "secrets_tags": some.lists(WORDS, max_size=3),
        "namespace": WORDS,
        "run_resources": some.dictionaries(some.sampled_from(["cpu", "memory"]), WORDS),
    },
)
CONTEXTS = some.dictionaries(some.sampled_from(["docker", "ecs", "k8s"]), PLATFORM)


@given(CONTEXTS)
def test_an_empty_overlay_changes_nothing_and_nothing_under_an_overlay_is_the_overlay(context: dict[str, Any]) -> None:
    assert merged(context, {}) == context
    assert merged({}, context) == context


@given(CONTEXTS, CONTEXTS)
def test_an_overlay_that_is_laid_twice_is_there_once(base: dict[str, Any], over: dict[str, Any]) -> None:
    once = merged(base, over)
    assert merged(once, over) == once


@given(CONTEXTS, CONTEXTS, CONTEXTS)
def test_it_does_not_matter_which_two_of_three_layers_are_merged_first(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert merged(merged(one, two), three) == merged(one, merged(two, three))


@given(CONTEXTS, CONTEXTS)
def test_every_value_of_the_overlay_is_there_and_no_name_twice(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = deepcopy((base, over))
    result = merged(base, over)
    assert list(repeated(result)) == [], "a container would get one of the two, nobody says which"
    for platform, values in over.items():
        for key, value in values.items():
            present = result[platform][key]
            if key in IDENTITIES:
                assert all(item in present for item in value)
            elif isinstance(value, dict):
                assert present == {**base.get(platform, {}).get(key, {}), **value}
            else:
                assert present == value, "other lists are one value"
    assert (base, over) == before, "what was given is somebody's file"


@given(CONTEXTS, CONTEXTS)
def test_a_null_removes_a_key_and_stays_removed_under_another_empty_layer(
    base: dict[str, Any], other: dict[str, Any]
) -> None:
    over = {platform: dict.fromkeys(values) for platform, values in other.items()}
    result = without_nulls(merged(base, over))
    for platform, values in over.items():
        assert not set(result[platform]) & set(values)
    assert without_nulls(merged(merged(base, over), {})) == result


def test_a_value_with_equal_signs_stays_whole() -> None:
    base = {"ecs": {"env_vars": ["URL=postgres://h?sslmode=require", "STAGE=dev", "FROM_AGENT"]}}
    over = {"ecs": {"env_vars": ["STAGE=prod", "URL=postgres://g?sslmode=require&a=b", "FROM_AGENT=1"]}}
    assert merged(base, over)["ecs"]["env_vars"] == [
        "URL=postgres://g?sslmode=require&a=b",
        "STAGE=prod",
        "FROM_AGENT=1",
    ]


def test_a_list_whose_items_have_no_name_is_one_value() -> None:
    base = {"docker": {"container_kwargs": {"volumes": ["a:/a", "b:/b"]}}}
    over = {"docker": {"container_kwargs": {"volumes": ["c:/c"]}}}
    assert merged(base, over) == over


def test_files_are_known_by_the_environment_in_their_name() -> None:
    assert overlay("build", "prod") == "build.prod.yaml"
    assert [
        environment_of(name) for name in ("build.prod.yaml", "container_context.eu-1.yml", "build.yaml", "x.y.yaml")
    ] == [
        "prod",
        "eu-1",
        None,
        None,
    ]
    for name in ("", "../up", "a.b", "a b", "x" * 41):
        with pytest.raises(SettingsError, match="cannot be an environment's name"):
            overlay("build", name)


def location(root: Path, **files: str) -> Path:
    folder = root / "locations" / "hello"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "hello"\n')
    for name, text in files.items():
        (folder / name.replace("__", ".").replace("context", "container_context")).with_suffix(".yaml").write_text(text)
    return folder


def test_an_environment_is_its_overlays_over_the_base(tmp_path: Path) -> None:
    folder = location(
        tmp_path,
        build="registry: registry.example/base\ndirectory: .\n",
        context="ecs: {env_vars: [A=1, STAGE=dev], task_role_arn: x}\n",
    )
    (folder / "image").mkdir()
    (folder / "build.prod.yaml").write_text("registry: registry.example/prod\ndirectory: image\n")
    (folder / "container_context.prod.yaml").write_text("ecs: {env_vars: [STAGE=prod], task_role_arn: null}\n")
    (base,) = find_code_locations(tmp_path)
    (prod,) = find_code_locations(tmp_path, environment="prod")
    (staging,) = find_code_locations(tmp_path, environment="staging")
    assert base.build == staging.build, "an environment without overlays is the base"
    assert (base.build.registry, base.build.directory) == ("registry.example/base", folder)
    assert (prod.build.registry, prod.build.directory) == ("registry.example/prod", folder / "image")
    assert prod.container_context == {"ecs": {"env_vars": ["A=1", "STAGE=prod"]}}
    assert "locations/hello/container_context.prod.yaml" in prod.files


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("build.prod.yaml", "registry: x\nqueue: y", "build.prod.yaml, line 2: there is no key `queue`"),
        ("build.prod.yaml", "\ndirectory: ..", "build.prod.yaml, line 2: `directory` is not a folder inside"),
        ("container_context.prod.yaml", "ecss: {}", "container_context.prod.yaml, line 1: `ecss` is no platform"),
        (
            "container_context.prod.yaml",
            "ecs:\n  env_vars:\n    - A=1\n    - B=1\n    - A=2\n",
            "container_context.prod.yaml, line 5: 'A' is in ecs.env_vars twice",
        ),
        (
            "container_context.yaml",
            "ecs:\n  secrets:\n    - {name: a, valueFrom: x}\n    - {name: a, valueFrom: y}\n",
            "container_context.yaml, line 4: 'a' is in ecs.secrets twice",
        ),
        (
            "container_context.yaml",
            "docker: &d\n  env_vars: [A, A]\necs:\n  <<: *d\n",
            "container_context.yaml, line 2: 'A' is in docker.env_vars twice",
        ),
    ],
)
def test_a_wrong_overlay_is_refused_with_its_line(tmp_path: Path, file: str, text: str, said: str) -> None:
    (location(tmp_path) / file).write_text(text)
    with pytest.raises(SettingsError) as caught:
        find_code_locations(tmp_path, environment="prod")
    assert said in caught.value.sentence()
