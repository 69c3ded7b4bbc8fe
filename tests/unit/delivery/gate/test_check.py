"""All checks of a location together."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.check import LocationToCheck, check_location
from hybrid.delivery.gate.findings import Finding, refusal
from hybrid.delivery.gate.given import GivenByStack

pytestmark = pytest.mark.unit

DOCUMENT = {"location_name": "hello", "code_source": {"module_name": "hello"}}


def test_what_is_wrong_everywhere_is_found_at_once(code, installed, logged, folder):
    installed(dagster="1.13.27", dagster_cloud="1.13.28")
    logged("Validation failed for code location hello:\n\nValueError: no")
    (folder / "container_context.yaml").write_text("docker:\n  envvars: []\n")
    (folder / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.12'\n")
    document = {**DOCUMENT, "container_context": {"docker": {"envvars": []}}}

    found = check_location(LocationToCheck(code, document, "1.13.27", "docker", python_image="python:3.10"))

    said = "\n".join(finding.sentence() for finding in found)
    for text in ("container_context.yaml, line 2", "not of one release", "newer than", "ValueError", "Python 3.10"):
        assert text in said, "one run shows all there is to mend"
    assert said.count("Python 3.11.7") == 1
    assert found == sorted(found, key=lambda finding: finding.severity), "what stops comes first"


def test_an_own_dockerfile_that_does_not_take_the_stack_s_base_is_not_held_against_it(code, installed, logged, folder):
    installed(dagster="1.13.27", dagster_cloud="1.13.27")
    logged("All code locations passed validation.", code=0)
    (folder / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.11'\n")
    location = LocationToCheck(code, DOCUMENT, "1.13.27", "docker", python_image="python:3.10")

    assert len(check_location(location)) == 1
    (folder / "Dockerfile").write_text("FROM acme/base\n")
    assert check_location(location) == []
    (folder / "Dockerfile").write_text("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\n")
    assert len(check_location(location)) == 1


def test_without_dagster_nothing_is_run(code, dagster, tmp_path):
    dagster(f"touch {tmp_path}/ran")

    found = check_location(LocationToCheck(code, DOCUMENT))

    assert [finding.what.partition(" ")[0] for finding in found] == ["dagster", "dagster-cloud"]
    assert not (tmp_path / "ran").exists(), "its failure would only say the same in other words"


def test_a_refusal_has_all_errors_and_no_warning():
    findings = [Finding("hello", "error", None, f"error {n}", "mend") for n in (1, 2)]
    warning = Finding("hello", "warning", None, "a warning", "look")

    error = refusal("hello", [warning, *findings])

    assert error is not None
    assert error.exit_code == 3
    assert "error 1" in error.sentence()
    assert "error 2" in error.sentence()
    assert "a warning" not in error.sentence()
    assert refusal("hello", [warning]) is None


def test_findings_are_printed_without_secrets():
    finding = Finding("hello", "error", "x, line 1", "token=abcdefgh12345678", "use postgres://me:swordfish@h")

    for text in (finding.sentence(), str(finding.document())):
        assert "12345678" not in text
        assert "swordfish" not in text


def test_what_the_stack_gives_and_needs_is_part_of_what_is_checked(code, installed, logged):
    installed(dagster="1.13.27", dagster_cloud="1.13.27")
    logged("All code locations passed validation.", code=0)
    document = {**DOCUMENT, "container_context": {"ecs": {"run_ecs_tags": [{"key": "team", "value": "a"}]}}}
    given = GivenByStack({"dagster-aws": "by it runs write"}, tags=("team",))
    location = LocationToCheck(code, document, "1.13.27", "ecs", given=given)

    said = [finding.what for finding in check_location(location)]

    assert [text.partition(" ")[0] for text in said] == ["`ecs.run_ecs_tags`", "dagster-aws"]
    without = LocationToCheck(code, document, "1.13.27", "ecs")
    assert check_location(without) == []
    assert location.digest() != without.digest(), "it is checked again when the stack gives something else"
