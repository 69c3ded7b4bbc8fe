"""Flat build files against the tools that read them: dagster-cloud's reader of dagster_cloud.yaml, dg's readers of
build.yaml, container_context.yaml and [tool.dg.project], and the agent's own schema.

It does not prove that these tools deploy them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster_cloud.workspace.config_schema import validate_workspace_location
from dagster_cloud_cli.config.merger import DagsterCloudConfigDefaultsMerger
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml
from dagster_dg_core.config import merge_build_configs, merge_container_context_configs, validate_dg_file_config
from dagster_dg_core.context import DgContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hybrid.delivery.catalog import find_code_locations
from hybrid.delivery.convert import to_build
from hybrid.delivery.document import location_document, schema_errors
from hybrid.delivery.environment import merged
from hybrid.delivery.render import flat_files
from hybrid.delivery.sources import Source

pytestmark = pytest.mark.contracts

WORDS = some.text(alphabet="abc=:/?.#-'\"@ {}%0é", max_size=12)
CONTEXT = some.fixed_dictionaries(
    {},
    optional={
        "docker": some.fixed_dictionaries(
            {}, optional={"env_vars": WORDS.map(lambda word: [f"A={word}"]), "networks": some.lists(WORDS, max_size=2)}
        ),
        "ecs": some.fixed_dictionaries(
            {},
            optional={
                "env_vars": WORDS.map(lambda word: [f"B={word}"]),
                "run_resources": some.just({"cpu": "1024", "memory": "4096"}),
                "secrets": some.just([{"name": "S", "valueFrom": "arn:aws:x"}]),
            },
        ),
    },
)


def checkout(root: Path, base: dict[str, Any], over: dict[str, Any]) -> Path:
    folder = root / "locations" / "hello"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "hello"\nagent_queue = "gpu"\n')
    (folder / "build.yaml").write_text("registry: r.example/base\n")
    (folder / "build.prod.yaml").write_text("registry: r.example/hello\n")
    (folder / "container_context.yaml").write_text(yaml.safe_dump(base))
    (folder / "container_context.prod.yaml").write_text(yaml.safe_dump(over))
    return folder


def rendered(root: Path) -> dict[str, str]:
    locations = find_code_locations(root, environment="prod")
    files = flat_files("prod", locations, root=root, images={"hello": "r.example/hello@sha256:" + "0" * 64})
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=CONTEXT, over=CONTEXT)
def test_dagster_cloud_and_the_agent_take_what_is_rendered(
    tmp_path: Path, base: dict[str, Any], over: dict[str, Any]
) -> None:
    checkout(tmp_path, base, over)
    file = load_dagster_cloud_yaml(rendered(tmp_path)[".build/prod/dagster_cloud.yaml"])
    (location,) = file.locations
    document = location.model_dump(exclude_none=True)
    assert document["build"] == {"registry": "r.example/hello", "directory": "../../locations/hello"}
    assert document.get("container_context", {}) == merged(base, over)
    assert not validate_workspace_location({key: value for key, value in document.items() if key != "build"})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=CONTEXT, over=CONTEXT)
def test_dg_reads_what_is_rendered_as_it_was_meant(tmp_path: Path, base: dict[str, Any], over: dict[str, Any]) -> None:
    folder = checkout(tmp_path, base, over)
    rendered(tmp_path)
    project = tmp_path / ".build" / "prod" / "hello"
    (project / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "hello"\n'
    )
    context = DgContext.from_file_discovery_and_command_line_config(project, {})
    build = merge_build_configs(None, context.build_config)
    assert build == {"registry": "r.example/hello", "directory": str(folder)}, "relative to the file it stands in"
    assert merge_container_context_configs(None, context.container_context_config) == merged(base, over)


@pytest.mark.parametrize("kind", ["module_name", "package_name", "python_file", "autoload_defs_module_name"])
def test_the_agent_takes_what_a_dagster_cloud_yaml_says(tmp_path: Path, kind: str) -> None:
    text = (
        "locations:\n"
        f"  - location_name: orders\n    code_source: {{{kind}: orders}}\n"
        "    working_directory: /opt/orders\n    executable_path: /opt/python\n    attribute: defs\n"
        "    agent_queue: gpu\n    image: r.example/orders\n"
        "    container_context: {docker: {env_vars: [A=b=c]}}\n"
    )
    (tmp_path / "locations" / "orders").mkdir(parents=True)
    (tmp_path / "locations" / "orders" / "dagster_cloud.yaml").write_text(text)
    (stock,) = load_dagster_cloud_yaml(text).locations
    (location,) = find_code_locations(tmp_path)
    document = location_document(location)
    assert document == stock.model_dump(exclude_none=True), "nothing is lost, nothing is added"
    assert schema_errors(document) == ()


def test_dg_takes_the_project_that_a_dagster_cloud_yaml_is_converted_to(tmp_path: Path) -> None:
    source = Source(
        "dagster_cloud.yaml",
        "locations:\n"
        "  - location_name: orders-eu\n"
        "    code_source: {module_name: orders.prod}\n"
        "    agent_queue: gpu\n"
        "    image: r.example/orders@sha256:00\n"
        "    build: {directory: ./orders, registry: r.example/orders}\n",
    )
    conversion = to_build(source)
    for path, text in {**conversion.files, **conversion.tables}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    result = validate_dg_file_config(tmp_path / "orders" / "pyproject.toml")
    assert not result.has_errors, result.message
    context = DgContext.from_file_discovery_and_command_line_config(tmp_path / "orders", {})
    assert context.code_location_name == "orders-eu"
    assert context.target_args == {"module_name": "orders.prod"}
    assert context.build_config == {"registry": "r.example/orders"}
    assert context.config.project is not None
    assert (context.config.project.agent_queue, context.config.project.image) == ("gpu", "r.example/orders@sha256:00")


def test_upstream_s_own_merges_still_have_the_faults_that_ours_is_for() -> None:
    base, over = {"ecs": {"env_vars": ["STAGE=dev"]}}, {"ecs": {"env_vars": ["STAGE=prod"]}}
    upstream = merge_container_context_configs(base, over)
    assert upstream["ecs"]["env_vars"] == ["STAGE=dev", "STAGE=prod"], (
        "when this changes, say so in docs/build-files.md"
    )
    assert merged(base, over)["ecs"]["env_vars"] == ["STAGE=prod"]
    url = {"container_context": {"ecs": {"env_vars": ["URL=postgres://h?sslmode=require"]}}}
    with pytest.raises(ValueError, match="Invalid key-value pair"):
        DagsterCloudConfigDefaultsMerger().merge(url, url)
    assert merged(url, url) == url
