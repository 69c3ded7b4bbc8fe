"""What a change of roles and bindings grants or withdraws, in a cluster and in Azure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.engine.events import UNKNOWN, ResourceName, StepEnded
from hybrid.review.foreseen import Foreseen
from hybrid.review.rights import _READERS, rights_change

pytestmark = pytest.mark.unit

ROLE, BINDING = "kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
DEFINITION, ASSIGNMENT = "azure-native:authorization:RoleDefinition", "azure-native:authorization:RoleAssignment"
GROUP = "/subscriptions/s/resourceGroups/g"


def role(*rules: dict[str, Any], namespace: Any = "hybrid-prod") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "rules": list(rules)}


def rule(verbs: list[str], resources: list[str], groups: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"apiGroups": groups or [""], "resources": resources, "verbs": verbs, **more}


def told(type_: str, old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], list[str]]:
    change = rights_change("x", type_, old, new, unknown=UNKNOWN)
    assert change is not None
    assert change.unknown is None

    def said(each: Any) -> str:
        to = f" to {each.principal}" if each.principal else ""
        return f"{each.action} on {each.resource}{to}{f' if {each.condition}' if each.condition else ''}"

    return [said(each) for each in change.added], [said(each) for each in change.removed]


def test_a_rule_more_and_a_verb_less_are_told_one_by_one() -> None:
    old = role(rule(["get", "delete"], ["pods"]))
    new = role(rule(["get"], ["pods"]), rule(["create"], ["jobs"], ["batch"], resourceNames=["a"]))
    assert told(ROLE, old, new) == (
        ['create jobs.batch on the namespace hybrid-prod if {"names":["a"]}'],
        ["delete pods on the namespace hybrid-prod"],
    )
    assert rights_change("x", ROLE, old, role(rule(["delete"], ["pods"]), rule(["get"], ["pods"])), unknown="?") is None


def test_a_binding_says_who_gets_which_role_where() -> None:
    binding = {
        "metadata": {"namespace": "data"},
        "roleRef": {"kind": "Role", "name": "agent"},
        "subjects": [{"kind": "ServiceAccount", "name": "agent", "namespace": "hybrid-prod"}],
    }
    said = "all that the Role agent grants on the namespace data to ServiceAccount hybrid-prod/agent"
    assert told(BINDING, {}, binding) == ([said], [])
    assert told(BINDING, binding, {}) == ([], [said])
    whole = {**binding, "metadata": {}}
    assert told("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", {}, whole)[0][0].count("the cluster") == 1


def test_a_role_of_azure_is_told_action_by_action_with_what_it_excepts() -> None:
    old = {"permissions": [{"actions": ["a/read"], "notActions": []}], "assignableScopes": [GROUP]}
    new = {
        "permissions": [{"actions": ["a/read", "a/*"], "notActions": ["a/delete"], "dataActions": ["d/read"]}],
        "assignableScopes": [GROUP],
    }
    added, removed = told(DEFINITION, old, new)
    assert added == [
        f'a/* on {GROUP} if {{"except":["a/delete"]}}',
        f'a/read on {GROUP} if {{"except":["a/delete"]}}',
        f"d/read on {GROUP}",
    ]
    assert removed == [f"a/read on {GROUP}"]


def test_an_assignment_of_azure_whose_identity_is_not_made_yet_is_told_all_the_same() -> None:
    new = {"roleDefinitionId": "/x/roleDefinitions/contributor", "scope": GROUP, "principalId": UNKNOWN}
    assert told(ASSIGNMENT, {}, new) == (
        [f"all that the role contributor grants on {GROUP} to (known after the update)"],
        [],
    )


@pytest.mark.parametrize(
    ("type_", "new"),
    [
        (ROLE, role(rule(["get"], [UNKNOWN]))),
        (ROLE, {"metadata": {}, "aggregationRule": {"clusterRoleSelectors": []}}),
        (ROLE, {"metadata": {}, "rules": "*"}),
        (ROLE, role({"verbs": "*", "resources": ["pods"]})),
        (BINDING, {"metadata": {}, "subjects": []}),
        (DEFINITION, {"permissions": UNKNOWN}),
        (DEFINITION, {"permissions": [{"actions": [str(number) for number in range(3000)]}]}),
        (ASSIGNMENT, {"scope": GROUP}),
    ],
)
def test_what_cannot_be_read_is_said_to_be_unknown_and_never_to_be_nothing(type_: str, new: dict[str, Any]) -> None:
    change = rights_change("x", type_, role(rule(["get"], ["pods"])) if type_ == ROLE else {}, new, unknown=UNKNOWN)
    assert change is not None
    assert change.unknown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("rules", "roleRef", "subjects", "metadata", "permissions", "roleDefinitionId", "scope", "principalId", "verbs")


@given(
    kind=st.sampled_from(sorted(_READERS)),
    old=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
    new=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
)
def test_nothing_that_a_program_says_ends_a_review(
    kind: tuple[str, str, str], old: dict[str, Any], new: dict[str, Any]
) -> None:
    package, module, name = kind
    rights_change("x", f"{package}:{module}/v1:{name}", old, new, unknown=UNKNOWN)


def test_a_preview_tells_rights_that_go_with_their_resource_and_keeps_silent_of_those_that_stay() -> None:
    urn = f"urn:pulumi:prod::hybrid::dagsterhybrid:agent:KubernetesGround${ROLE}::ground-role"
    state = {"inputs": role(rule(["get"], ["secrets"])), "outputs": {}}

    def heard(operation: str) -> Foreseen:
        seen = Foreseen()
        seen(StepEnded(ResourceName.from_urn(urn), operation, False, (), urn, state, state))  # type: ignore[arg-type]
        return seen

    (change,) = heard("delete").iam
    assert (change.resource, [each.action for each in change.removed]) == ("Role ground-role", ["get secrets"])
    assert heard("keep").iam == []
