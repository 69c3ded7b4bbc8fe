"""The rotation of an `AgentToken` on the real engine against the embedded Dagster+: that there is no moment without a
good token, and that a rotation which did not end is finished by the next update.

No agent runs here, and so no run is waited for; an unusable bound stands for whatever keeps the former token from being
revoked. Which runs hold it is in tests/unit/provider/test_token_rotation.py.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.program

TOKEN = """
AgentToken("token", AgentTokenArgs(connection=DAGSTER_PLUS, description="hybrid: test", {rotation}
           grants=AgentGrants(deployments=["prod"])), AFTER)
"""


def good(plus) -> set[str]:
    with plus() as client:
        return {token.description for token in client.agent_tokens() if not token.revoked}


def test_an_unfinished_rotation_leaves_both_tokens_good_and_the_next_update_finishes_it(project, emulator, plus):
    project.declare(emulator + TOKEN.format(rotation=""))
    project.up()
    first = project.outputs("token")["tokenId"]
    assert good(plus) >= {"hybrid: test"}

    project.declare(emulator + TOKEN.format(rotation="rotation=1,"))
    project.environment["HYBRID_ROTATION_SECONDS"] = "soon"
    said = project.pulumi("up", "--yes", "--skip-preview", succeeds=False)
    assert "HYBRID_ROTATION_SECONDS" in said
    assert good(plus) >= {"hybrid: test", "hybrid: test, rotation 1"}, "runs may still need the former one"
    assert project.outputs("token")["tokenId"] != first, "the state has the new one already"

    del project.environment["HYBRID_ROTATION_SECONDS"]
    project.up()
    assert "hybrid: test" not in good(plus), "the former one is revoked by the update that comes next"
    assert "hybrid: test, rotation 1" in good(plus), "and the new one stays"
    assert "created" not in project.up(), "a further update changes nothing"
