"""A real subscription, which ``HYBRID_LIVE_AZURE_SUBSCRIPTION`` names, by the login that Azure's tools have. It only
reads.

It shows what nothing here can: that Azure has the operations that the stack's roles name, and answers the questions
that are asked before an update. Nobody has run it yet.
"""

from __future__ import annotations

import os

import pytest

from agent.azure_names import STACK_TAG
from agent.azure_roles import agent_rights
from hybrid.azure.ground import Wanted, problems
from hybrid.azure.session import Azure
from tests.live.azure.conftest import SUBSCRIPTION

pytestmark = pytest.mark.live

_OPERATIONS = "2022-04-01"


@pytest.fixture(scope="module")
def azure() -> Azure:
    return Azure(os.environ[SUBSCRIPTION])


def test_azure_has_every_operation_that_the_roles_name(azure: Azure) -> None:
    known: set[str] = set()
    for namespace in {right.action.partition("/")[0] for right in agent_rights(isolated=False)}:
        path = f"/providers/Microsoft.Authorization/providerOperations/{namespace}?$expand=resourceTypes"
        said = azure.get(path, _OPERATIONS, doing=f"list the operations of {namespace}")
        listed = [*(said.get("operations") or ())]
        for kind in said.get("resourceTypes") or ():
            listed += kind.get("operations") or ()
        known |= {str(each["name"]).lower() for each in listed}
    lacking = [right.action for right in agent_rights(isolated=False) if right.action.lower() not in known]
    assert lacking == [], "a role with them could not be made"


def test_the_questions_before_an_update_are_answered(azure: Azure) -> None:
    name = "hybrid-live-nothing-is-made"
    problems(azure, Wanted(name, True, "westeurope", name, name, STACK_TAG))
