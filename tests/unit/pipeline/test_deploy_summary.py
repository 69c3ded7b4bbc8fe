"""What the page of a CI run shows of a deploy."""

from __future__ import annotations

import pytest

from hybrid.pipeline.deploy_summary import deploy_summary
from hybrid.pipeline.deployment import DeployStopped, StackResult

pytestmark = pytest.mark.unit


def test_it_has_a_row_for_each_stack_and_what_ended_it() -> None:
    stopped = StackResult(
        "prod",
        "stopped",
        actions=("delete Bucket data", "update Bucket b"),
        reviewed_by=("#12",),
        further=("delete Bucket data",),
        error=DeployStopped("The deploy of 'prod' stopped.", next_step="hybrid deploy --stack prod --accept abc"),
    )
    done = StackResult("staging", "deployed", changes={"update": 2}, reviewed_by=("#12",))
    text = deploy_summary([done, stopped, StackResult("dev")])
    assert "| <code>staging</code> | deployed | 2 update | #&#8203;12 | - |" in text
    assert "--accept abc" in text, "the way on"
    assert "delete Bucket data\nupdate Bucket b" in text, "the whole set, not only what is further"
    assert "| <code>dev</code> | not reached |" in text


def test_words_of_others_do_nothing_and_secrets_are_masked() -> None:
    token = "agent:acme:" + "q" * 32
    error = DeployStopped(f"```\n</details> {token}")
    text = deploy_summary([StackResult("prod", "failed", error=error)])
    assert token not in text
    assert "\n````\n" in text, "a fence longer than any in the text"
