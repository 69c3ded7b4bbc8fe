"""Findings of policy packs in the engine's event log, in outcomes and in errors. Shapes are those that Pulumi 3.259
wrote; tests/program/test_policies.py reads real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybrid.engine import events, policies
from hybrid.engine.engine import Outcome
from hybrid.errors import EngineError

pytestmark = pytest.mark.unit

URN = "urn:pulumi:prod::hybrid::dagsterhybrid:infra:Bucket$aws:s3/bucket:Bucket::storage-bucket"
STACK = "urn:pulumi:prod::hybrid::pulumi:pulumi:Stack::hybrid-prod"


def event(**changed: Any) -> str:
    said = {
        "resourceUrn": URN,
        "message": "<{%reset%}>Why it is there.\nWhat is wrong.\nNext: do it.\n<{%reset%}>",
        "color": "never",
        "policyName": "bucket-versioning",
        "policyPackName": "dagster-hybrid",
        "policyPackVersion": "0.1.0",
        "enforcementLevel": "mandatory",
        **changed,
    }
    return json.dumps({"sequence": 1, "timestamp": 1, "policyEvent": said})


def finding(**changed: Any) -> events.PolicyFinding:
    parsed = events.parse(event(**changed))
    assert isinstance(parsed, events.PolicyFinding)
    return parsed


def test_a_finding_is_read_with_its_resource_and_without_marks_of_colour() -> None:
    assert finding() == events.PolicyFinding(
        policy="bucket-versioning",
        pack="dagster-hybrid",
        level="mandatory",
        message="Why it is there.\nWhat is wrong.\nNext: do it.",
        resource=events.ResourceName("Bucket", "storage-bucket"),
    )
    assert finding().what == "What is wrong.", "an error has one line for each"
    assert finding(message="Just this.").what == "Just this.", "packs of others may say less"


@pytest.mark.parametrize("level", ["advisory", "remediate", "disabled", None])
def test_only_a_mandatory_finding_is_one(level: str | None) -> None:
    assert finding(enforcementLevel=level).level == "advisory", "the engine goes on after it"


@pytest.mark.parametrize("urn", [STACK, "", None])
def test_a_finding_about_the_whole_stack_has_no_resource(urn: str | None) -> None:
    assert finding(resourceUrn=urn).resource is None
    assert finding(resourceUrn=urn).document()["resource"] == "", "in JSON an empty text"


def test_a_stack_of_cloudformation_is_a_resource_like_others() -> None:
    urn = "urn:pulumi:prod::hybrid::aws:cloudformation/stack:Stack::other"
    assert finding(resourceUrn=urn).resource == events.ResourceName("Stack", "other")


def test_no_token_is_in_a_finding() -> None:
    planted = "agent:acme:" + "b1" * 16
    assert "b1b1b1" not in finding(message=f"bad {planted}").message, "messages go into comments of pull requests"


def test_an_outcome_has_each_finding_once_and_knows_what_is_refused() -> None:
    outcome = Outcome()
    for each in (finding(), finding(), finding(enforcementLevel="advisory", policyName="other")):
        outcome.take(each)
    assert [each.policy for each in outcome.policies] == ["bucket-versioning", "other"]
    assert [each.policy for each in outcome.refused] == ["bucket-versioning"], "advice refuses nothing"
    assert outcome.changes == {}, "a finding is no change"


def test_the_error_names_each_finding_and_what_to_run_then() -> None:
    error = policies.refused([finding(), finding(policyName="other")], "hybrid up prod --policies")
    assert isinstance(error, EngineError), "who catches those of the engine catches it too"
    assert error.exit_code == 11, "docs/cli.md"
    assert "bucket-versioning: What is wrong.\nother: What is wrong." in str(error)
    assert "`hybrid up prod --policies`" in str(error)


def test_a_pack_is_started_by_its_own_program_where_it_has_one(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert policies.startable(other) == other, "Pulumi starts it by its runtime"
    own = Path(__file__).resolve().parents[3] / "policies"
    started = policies.startable(own)
    assert started == own / "pulumi-analyzer-dagster-hybrid"
    assert started.stat().st_mode & 0o111, "or the engine could not start it"
    assert policies.startable(started) == started, "the program itself may be named too"


NOT_STARTED = """Previewing update (prod):
Loading policy packs...: starting
    pulumi:pulumi:Stack hybrid-prod  The exceptions are wrong:
Diagnostics:
  pulumi:pulumi:Stack (hybrid-prod):
    The exceptions are wrong:
      1. 'x' is no rule
    Next: mend them.

error: policy pack "/x/policies" failed to start: could not read plugin [/x/policies]: exit status 1
"""


def test_what_a_pack_says_that_does_not_start_is_all_that_is_said() -> None:
    error = policies.not_started(NOT_STARTED)
    assert error is not None
    assert error.why == "The exceptions are wrong:\n  1. 'x' is no rule\nNext: mend them.", "not the CLI's frame"
    assert error.next_step is None, "the pack has said what next"


def test_a_pack_that_says_nothing_has_the_cli_s_words() -> None:
    error = policies.not_started('x\nerror: failed to load Pulumi policy project located at "/x": no such file\n')
    assert error is not None
    assert error.why == 'failed to load Pulumi policy project located at "/x": no such file'
    assert error.next_step, "somebody has to do something"
    assert policies.not_started("error: preview failed\n") is None, "other errors have nothing to do with it"
