"""A document's findings: which key, where it stands, what was meant. The judge is the installed agent's schema; that
every refusal of it becomes a finding is the contract tests' to show."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.places import Places
from hybrid.delivery.gate.schema import check_document

pytestmark = pytest.mark.unit


def document(context):
    return {"location_name": "hello", "code_source": {"module_name": "hello"}, "container_context": context}


@pytest.fixture
def check(folder):
    """Findings of a container_context.yaml with this text, and of the overlay after it."""
    import yaml

    def found(text, platform="docker", overlay=None, context=None):
        (folder / "container_context.yaml").write_text(text)
        (folder / "container_context.prod.yaml").write_text(overlay or "{}\n")
        places = Places.of([folder / "container_context.yaml", folder / "container_context.prod.yaml"])
        return check_document(document(context or yaml.safe_load(text)), platform, places)

    return found


def test_what_the_schema_takes_has_no_finding(check):
    assert check("docker:\n  env_vars: [STAGE=prod, 'URL=postgres://h?sslmode=require']\n  networks: [a]\n") == []


def test_a_misspelt_key_is_named_with_its_line_and_the_key_that_was_meant(check):
    (found,) = check("# ours\necs:\n  task_role_arn: arn:aws:iam::123456789012:role/a\n  envvars: [A=1]\n", "ecs")

    assert found.severity == "error", "the agent would refuse the document"
    assert found.where == "locations/hello/container_context.yaml, line 4"
    assert "`envvars`" in found.what
    assert found.next_step == "write `env_vars`."


def test_a_key_of_another_platform_is_said_to_belong_there(check):
    (found,) = check("docker:\n  task_role_arn: arn:aws:iam::1:role/x\n")

    assert found.what == "`docker` has no key `task_role_arn`; it belongs to ecs."
    assert "below `ecs:`" in found.next_step


def test_a_key_that_is_like_none_is_answered_with_all_that_there_are(check):
    (found,) = check("docker:\n  zzz: 1\n")

    assert found.next_step == "it has: container_kwargs, env_vars, networks."


@pytest.mark.parametrize(("written", "quoted"), [("256", '"256"'), ("0.5", '"0.5"'), ("true", '"true"')])
def test_a_number_where_text_is_wanted_shows_the_quoted_text(check, written, quoted):
    (found,) = check(f"ecs:\n  server_resources:\n    cpu: {written}\n", "ecs")

    assert found.where == "locations/hello/container_context.yaml, line 3"
    assert quoted in found.next_step, "people copy what is shown"


def test_a_key_among_free_ones_that_nearly_has_a_meaning_is_a_warning(check):
    (found,) = check("ecs:\n  run_resources: {memmory: '512', own: 1}\n", "ecs")

    assert found.severity == "warning", "the schema takes any key there"
    assert "`memory`" in found.what
    assert "own" not in found.what, "a key of one's own is no fault"


@pytest.mark.parametrize("platform", ["docker", "local", None])
def test_a_context_of_another_platform_is_a_warning_at_most(check, platform):
    found = check("ecs:\n  envvars: [A=1]\n  server_resources: {cpu: 1}\nk8s: {env_vars: ['A B=1']}\n", platform)

    assert len(found) == 3
    assert {finding.severity for finding in found} == {"warning"}, "a folder's files serve several stacks"


def test_a_platform_that_there_is_not_is_an_error_on_every_stack(check):
    (found,) = check("dockr:\n  env_vars: [A=1]\n", "ecs")

    assert found.severity == "error"
    assert found.next_step == "write `docker`."


def test_what_is_wrong_in_an_overlay_is_found_there(check):
    text, overlay = "ecs:\n  env_vars: [A=1]\n", "ecs:\n  env_vars:\n    - B=1\n    - 'C D=1'\n  cpus: 1\n"
    merged = {"ecs": {"env_vars": ["A=1", "B=1", "C D=1"], "cpus": 1}}

    found = {finding.what.split("`")[1]: finding.where for finding in check(text, "ecs", overlay, merged)}

    overlaid = "locations/hello/container_context.prod.yaml"
    assert found == {"ecs": f"{overlaid}, line 5", "ecs.env_vars[2]": f"{overlaid}, line 4"}, (
        "indexes of a merged list are of no file"
    )


def test_a_document_that_is_wrong_outside_of_the_context_is_an_error(folder):
    wrong = {"location_name": "hello", "code_source": {"module": "x"}, "imge": "x"}

    found = check_document(wrong, "docker", Places())

    assert {finding.severity for finding in found} == {"error"}
    assert "write `image`." in {finding.next_step for finding in found}
    assert all(finding.where is None for finding in found)


def test_no_value_of_a_file_is_in_a_finding(check):
    text = "docker:\n  env_vars: {A: swordfish}\n  networks: swordfish\n  container_kwargs: swordfish\n"

    found = check(text)

    assert len(found) == 3
    assert "swordfish" not in repr(found), "it may be a secret at the wrong place"


def test_aliases_that_stand_for_billions_cost_nothing(check, folder):
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    text = "\n".join([*lines, "docker:", "  zzz: *a39", ""])

    (found,) = check(text, context={"docker": {"zzz": 1}})

    assert found.where == f"locations/hello/container_context.yaml, line {len(lines) + 2}"


def test_a_file_that_is_no_yaml_gives_no_lines_and_no_fault(check):
    (found,) = check("docker: [\n", context={"docker": {"zzz": 1}})

    assert found.where is None
