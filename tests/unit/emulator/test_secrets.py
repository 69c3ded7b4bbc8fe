"""Secrets: what is taken, what meets what, who gets which value, and that no value gets out on the way.

What installed clients send is sent as they have it; that Dagster+ itself answers the same is not proven here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from dagster_dg_cli.utils.plus import gql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.emulator.organization import Deployment, Organization
from hybrid.emulator.organization.secrets import (
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST,
    NewSecret,
    NoSuchSecretError,
    Scopes,
    SecretError,
    SecretTakenError,
    TooManySecretsError,
)
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

FULL, LOCAL, BRANCHES = Scopes(full=True), Scopes(local=True), Scopes(all_branches=True)
EVERYWHERE = Scopes(full=True, all_branches=True, local=True)
VALUE = "hunter2-of-the-warehouse"
CREATE = """mutation ($name: String!, $value: String!, $scopes: SecretScopesInput!, $locations: [String]) {
  createSecret(secretName: $name, secretValue: $value, scopes: $scopes, locationNames: $locations) {
    __typename
    ... on CreateOrUpdateSecretSuccess { secret {
      id secretName secretValue locationNames fullDeploymentScope allBranchDeploymentsScope
      specificBranchDeploymentScope localDeploymentScope canViewSecretValue canEditSecret updatedBy { email } } }
    ... on Error { message } } }"""
UPDATE = """mutation ($id: String!, $name: String!, $value: String!, $scopes: SecretScopesInput!) {
  updateSecret(secretId: $id, secretName: $name, secretValue: $value, scopes: $scopes) {
    __typename
    ... on CreateOrUpdateSecretSuccess { secret { id secretName secretValue } } ... on Error { message } } }"""
DELETE = """mutation ($id: String!) { deleteSecret(secretId: $id) {
    __typename ... on DeleteSecretSuccess { secretId } ... on Error { message } } }"""
SYNC = """mutation ($secrets: [SecretInput]!) { syncSecrets(secrets: $secrets) {
    __typename ... on SyncSecretsSuccess { secrets { id secretName } removedSecrets } ... on Error { message } } }"""


@pytest.fixture
def ask(organization: Organization) -> Asking:
    return Asking(organization)


@pytest.fixture
def prod(organization: Organization) -> Deployment:
    return organization.deployment


def branch_of(organization: Organization, name: str = "feature/x") -> Deployment:
    git = {"repoName": "data", "branchName": name}
    return organization.deployments.put_branch(organization.deployment, git, {"commitHash": "1", "timestamp": 1.0})


def secret(name: str = "TOKEN", scopes: Scopes = FULL, *locations: str, value: str = VALUE) -> NewSecret:
    return NewSecret(name, value, scopes, locations)


def values(organization: Organization, deployment: Deployment, location: str | None) -> dict[str, str]:
    parent = organization.deployments.parent(deployment)
    return {one.name: one.value for one in organization.secrets.for_code(deployment, parent, location)}


def test_a_full_deployment_gets_its_own_scope_and_a_branch_deployment_only_those_of_branches(
    organization: Organization, prod: Deployment
) -> None:
    branch, other = branch_of(organization), branch_of(organization, "feature/y")
    for one in (
        secret("A", FULL, value="full"),
        secret("A", BRANCHES, value="branches"),
        secret("A", Scopes(branch=branch.name), value="this branch"),
        secret("B", LOCAL, value="local"),
    ):
        organization.secrets.create(prod, one)
    assert values(organization, prod, "alpha") == {"A": "full"}, "a full deployment gets the full scope alone"
    assert values(organization, branch, "alpha") == {"A": "this branch"}, "one branch's own goes before all branches'"
    assert values(organization, other, "alpha") == {"A": "branches"}, "another branch's own is not for this one"


def test_a_location_gets_what_is_for_all_and_its_own_and_its_own_wins(
    organization: Organization, prod: Deployment
) -> None:
    for one in (
        secret("A", FULL, value="all"),
        secret("A", FULL, "alpha", value="alpha's"),
        secret("B", FULL, "beta", value="beta's"),
    ):
        organization.secrets.create(prod, one)
    assert values(organization, prod, "alpha") == {"A": "alpha's"}
    assert values(organization, prod, "beta") == {"A": "all", "B": "beta's"}
    assert values(organization, prod, None) == {"A": "all"}, "without a location only what is for all is known to fit"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "Ä", "A=B", "A" * (LONGEST_NAME + 1), "\0"])
def test_a_name_that_no_environment_takes_is_refused(organization: Organization, prod: Deployment, name: str) -> None:
    with pytest.raises(SecretError):
        organization.secrets.create(prod, secret(name))
    assert not organization.secrets.all(prod), "what was refused must not be stored"


@pytest.mark.parametrize(
    "wanted",
    [
        secret("DAGSTER_CLOUD_DEPLOYMENT_NAME"),
        secret("DAGSTER_CLOUD_GIT_SHA"),
        secret(value="x" * (LONGEST_VALUE + 1)),
        secret(value="a\0b"),
        secret(scopes=Scopes()),
        secret("A", FULL, ""),
    ],
    ids=["built in", "built in for branches", "value too long", "NUL", "no scope", "location without name"],
)
def test_what_cannot_be_set_is_refused_without_its_value(
    organization: Organization, prod: Deployment, wanted: NewSecret
) -> None:
    with pytest.raises(SecretError) as raised:
        organization.secrets.create(prod, wanted)
    assert wanted.value not in str(raised.value), "an error is shown and logged; a value must not be in it"


def test_the_longest_name_and_value_are_taken(organization: Organization, prod: Deployment) -> None:
    made = organization.secrets.create(prod, secret("_" + "A" * (LONGEST_NAME - 1), value="x" * LONGEST_VALUE))
    assert organization.secrets.all(prod) == [made]


@pytest.mark.parametrize(
    ("other", "meets"),
    [
        (secret("TOKEN", FULL), True),
        (secret("TOKEN", EVERYWHERE), True),
        (secret("TOKEN", BRANCHES), False),
        (secret("OTHER", FULL), False),
        (secret("TOKEN", FULL, "alpha"), False),
    ],
    ids=["same scope", "a scope in common", "another scope", "another name", "one location"],
)
def test_two_of_one_name_must_not_meet(
    organization: Organization, prod: Deployment, other: NewSecret, meets: bool
) -> None:
    organization.secrets.create(prod, secret("TOKEN", FULL))
    if meets:
        with pytest.raises(SecretTakenError):
            organization.secrets.create(prod, other)
    else:
        organization.secrets.create(prod, other)
    assert len(organization.secrets.all(prod)) == (1 if meets else 2)


def test_two_for_several_locations_meet_when_they_share_one(organization: Organization, prod: Deployment) -> None:
    organization.secrets.create(prod, secret("A", FULL, "alpha", "beta"))
    with pytest.raises(SecretTakenError):
        organization.secrets.create(prod, secret("A", FULL, "beta", "gamma"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    asked=st.lists(
        st.tuples(
            st.builds(Scopes, st.booleans(), st.booleans(), st.none(), st.booleans()),
            st.sampled_from(["", "alpha", "beta"]),
        ),
        max_size=8,
    )
)
def test_whatever_is_put_the_last_holds_and_none_meet(
    organization: Organization, prod: Deployment, asked: list[tuple[Scopes, str]]
) -> None:
    organization.secrets.sync(prod, [])
    last: dict[tuple[str, str], str] = {}
    for number, (scopes, location) in enumerate(asked):
        if not scopes:
            continue
        places = (location,) if location else ()
        organization.secrets.put(prod, secret("A", scopes, *places, value=str(number)))
        last |= {
            (location, scope): str(number) for scope in ("full", "all_branches", "local") if getattr(scopes, scope)
        }
    stored = organization.secrets.all(prod)
    assert not any(one.meets(two) for one in stored for two in stored if one.id != two.id), "two of them meet"
    held = {
        ("".join(one.locations), scope): one.value
        for one in stored
        for scope in ("full", "all_branches", "local")
        if getattr(one.scopes, scope)
    }
    assert held == last, "each scope and place has what was put there last"


def test_put_does_not_change_a_secret_of_several_locations_behind_their_back(
    organization: Organization, prod: Deployment
) -> None:
    organization.secrets.create(prod, secret("A", FULL, "alpha", "beta", value="both"))
    with pytest.raises(SecretTakenError, match="alpha, beta"):
        organization.secrets.put(prod, secret("A", FULL, "alpha", value="one"))
    assert values(organization, prod, "alpha") == {"A": "both"}


def test_a_deployment_has_a_limit(organization: Organization, prod: Deployment) -> None:
    organization.secrets.sync(prod, [secret(f"N{number}") for number in range(MOST)])
    with pytest.raises(TooManySecretsError):
        organization.secrets.create(prod, secret("ONE_MORE"))


def test_a_sync_that_is_refused_changes_nothing(organization: Organization, prod: Deployment) -> None:
    kept = organization.secrets.create(prod, secret("KEPT"))
    with pytest.raises(SecretTakenError):
        organization.secrets.sync(prod, [secret("A"), secret("A")])
    assert organization.secrets.all(prod) == [kept], "all or nothing"


def test_secrets_are_found_after_a_restart_and_gone_with_their_deployment(tmp_path: Path) -> None:
    organization = Organization(tmp_path)
    staging = organization.deployments.create("staging")
    organization.secrets.create(staging, secret())
    made = organization.secrets.create(organization.deployment, secret("A", EVERYWHERE, "alpha"), by=1)
    organization.deployments.delete(staging.id)
    assert not organization.secrets.all(staging), "a deployment that is deleted leaves no secrets"
    organization.close()
    again = Organization(tmp_path)
    assert again.secrets.all(again.deployment) == [made]
    again.close()


def test_another_deployment_cannot_reach_a_secret_by_its_id(organization: Organization, prod: Deployment) -> None:
    made = organization.secrets.create(prod, secret())
    staging = organization.deployments.create("staging")
    with pytest.raises(NoSuchSecretError):
        organization.secrets.delete(staging, made.id)
    assert organization.secrets.all(prod) == [made]


def test_a_value_is_in_no_repr_and_no_log(
    organization: Organization, ask: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = organization.secrets.create(organization.deployment, secret())
        refused = create(ask, name="TOKEN", value=VALUE)
        wrong = create(ask, name="1", value=VALUE)
    said = repr(made) + repr(secret()) + caplog.text + refused["message"] + wrong["message"]
    assert VALUE not in said, "a value got out"


def create(ask: Asking, caller: Any = None, deployment: Deployment | None = None, **arguments: Any) -> Any:
    given: dict[str, Any] = {"name": "A", "value": VALUE, "scopes": {"fullDeploymentScope": True}, **arguments}
    return ask(CREATE, given, caller=caller, deployment=deployment)


def test_a_secret_is_created_updated_and_deleted_over_the_api(ask: Asking, prod: Deployment) -> None:
    made = create(ask, scopes={"fullDeploymentScope": True, "localDeploymentScope": True}, locations=["alpha"])
    assert made["secret"] == {
        "id": made["secret"]["id"],
        "secretName": "A",
        "secretValue": VALUE,
        "locationNames": ["alpha"],
        "fullDeploymentScope": True,
        "allBranchDeploymentsScope": False,
        "specificBranchDeploymentScope": None,
        "localDeploymentScope": True,
        "canViewSecretValue": True,
        "canEditSecret": True,
        "updatedBy": {"email": "administrator@local"},
    }
    number = made["secret"]["id"]
    changed = ask(UPDATE, {"id": number, "name": "B", "value": "other", "scopes": {"localDeploymentScope": True}})
    assert changed["secret"] == {"id": number, "secretName": "B", "secretValue": "other"}
    assert ask(DELETE, {"id": number}) == {"__typename": "DeleteSecretSuccess", "secretId": number}
    assert ask.organization.secrets.all(prod) == []
    assert ask(DELETE, {"id": number})["__typename"] == "PythonError", "it is gone already"
    gone = ask(UPDATE, {"id": number, "name": "B", "value": "", "scopes": {"localDeploymentScope": True}})
    assert gone["__typename"] == "InvalidSecretInputError"


def test_faults_have_the_types_of_the_schema(ask: Asking, prod: Deployment) -> None:
    create(ask)
    assert create(ask)["__typename"] == "InvalidSecretInputError", "the published result has no type for a taken name"
    assert create(ask, name="A-B")["__typename"] == "InvalidSecretInputError"
    no_branch = create(ask, name="B", scopes={"specificBranchDeploymentScope": "nowhere"})
    assert no_branch["__typename"] == "InvalidSecretInputError"
    assert "nowhere" in no_branch["message"]
    ask.organization.secrets.sync(prod, [secret(f"N{number}") for number in range(MOST)])
    assert create(ask, name="LAST")["__typename"] == "TooManySecretsError"


def test_sync_says_what_went_and_what_is_there(ask: Asking) -> None:
    kept = create(ask, name="KEPT")["secret"]["id"]
    create(ask, name="GONE")
    wanted = [
        {"secretName": "KEPT", "secretValue": "new", "scopes": {"fullDeploymentScope": True}},
        {"secretName": "NEW", "secretValue": "1", "scopes": {"localDeploymentScope": True}},
    ]
    answer = ask(SYNC, {"secrets": wanted})
    assert answer["removedSecrets"] == ["GONE"]
    assert [one["secretName"] for one in answer["secrets"]] == ["KEPT", "NEW"]
    assert answer["secrets"][0]["id"] == kept, "one that is still there keeps its id"


def test_dg_creates_for_scopes_and_then_changes_only_those(ask: Asking, prod: Deployment) -> None:
    scopes = {"fullDeploymentScope": True, "allBranchDeploymentsScope": True, "localDeploymentScope": True}
    variables = {"secretName": "A", "secretValue": "everywhere", "scopes": scopes, "locationName": None}
    first = ask(gql.CREATE_OR_UPDATE_SECRET_FOR_SCOPES_MUTATION, variables)
    only_local = {**variables, "secretValue": "mine", "scopes": {"localDeploymentScope": True}}
    second = ask(gql.CREATE_OR_UPDATE_SECRET_FOR_SCOPES_MUTATION, only_local)
    assert (first["__typename"], second["__typename"]) == ("CreateOrUpdateSecretSuccess",) * 2
    stored = {one.value: one.scopes for one in ask.organization.secrets.all(prod)}
    assert stored == {"everywhere": Scopes(full=True, all_branches=True), "mine": LOCAL}
    again = ask(gql.CREATE_OR_UPDATE_SECRET_FOR_SCOPES_MUTATION, {**variables, "secretValue": "new"})
    assert again["secret"]["id"] in {first["secret"]["id"], second["secret"]["id"]}, "a changed secret keeps an id"
    assert [one.value for one in ask.organization.secrets.all(prod)] == ["new"]


def test_dg_is_told_when_a_secret_of_several_locations_is_in_the_way(ask: Asking) -> None:
    create(ask, locations=["alpha", "beta"])
    variables = {
        "secretName": "A",
        "secretValue": "x",
        "scopes": {"fullDeploymentScope": True},
        "locationName": "alpha",
    }
    assert ask(gql.CREATE_OR_UPDATE_SECRET_FOR_SCOPES_MUTATION, variables)["__typename"] == "SecretAlreadyExistsError"


def test_lists_are_narrowed_by_scope_location_and_name(ask: Asking) -> None:
    create(ask, name="A")
    create(ask, name="A", locations=["alpha"])
    create(ask, name="B", scopes={"localDeploymentScope": True})
    create(ask, name="C", locations=["beta"])

    def found(**variables: Any) -> list[tuple[str, list[str]]]:
        answer = ask(gql.GET_SECRETS_FOR_SCOPES_QUERY, {"scopes": {}, **variables})
        return [(one["secretName"], one["locationNames"]) for one in answer["secrets"]]

    full = {"fullDeploymentScope": True}
    assert found(scopes=full) == [("A", []), ("A", ["alpha"]), ("C", ["beta"])]
    assert found(scopes=full, locationName="alpha") == [("A", []), ("A", ["alpha"])], "what is for all is for alpha too"
    assert found(scopes=full, secretName="C") == [("C", ["beta"])]
    assert found(scopes={"localDeploymentScope": True}) == [("B", [])]
    pulled = ask(gql.SECRETS_QUERY, {"onlyViewable": True, "scopes": {"localDeploymentScope": True}})
    assert [(one["secretName"], one["secretValue"]) for one in pulled["secrets"]] == [("B", VALUE)]
    listed = ask(sent_by_dg_api("secret", "ListSecrets"), {"scopes": full})
    assert "secretValue" not in str(listed), "dg api secret list does not ask for values"
    one = ask(sent_by_dg_api("secret", "GetSecretWithValue"), {"scopes": full, "secretName": "C"})
    assert [found["secretValue"] for found in one["secrets"]] == [VALUE]


def test_a_viewer_sees_names_without_values_and_changes_nothing(ask: Asking, prod: Deployment) -> None:
    number = create(ask)["secret"]["id"]
    viewer = ask.user("VIEWER")
    listed = ask(gql.GET_SECRETS_FOR_SCOPES_QUERY, {"scopes": {"fullDeploymentScope": True}}, caller=viewer)
    [shown] = listed["secrets"]
    assert (shown["secretName"], shown["secretValue"], shown["canViewSecretValue"]) == ("A", "", False)
    pulled = ask(gql.SECRETS_QUERY, {"onlyViewable": True}, caller=viewer)
    assert pulled["secrets"] == [], "none of them can be viewed"
    assert create(ask, name="B", caller=viewer)["__typename"] == "UnauthorizedError"
    assert ask(DELETE, {"id": number}, caller=viewer)["__typename"] == "UnauthorizedError"
    assert ask(SYNC, {"secrets": []}, caller=viewer)["__typename"] == "UnauthorizedError"
    assert len(ask.organization.secrets.all(prod)) == 1
    refused = ask.whole("{ localSecretsFileContents }", caller=viewer)
    assert refused.errors, "the file has values in it"


def test_an_agents_token_lists_no_secrets(ask: Asking) -> None:
    create(ask)
    refused = ask(gql.SECRETS_QUERY, {}, caller=ask.agent())
    assert refused["__typename"] == "UnauthorizedError"


def test_a_branch_deployment_shows_the_secrets_of_its_full_deployment_and_changes_none(ask: Asking) -> None:
    create(ask)
    branch = branch_of(ask.organization)
    listed = ask(gql.GET_SECRETS_FOR_SCOPES_QUERY, {"scopes": {"fullDeploymentScope": True}}, deployment=branch)
    assert [(one["secretName"], one["canEditSecret"]) for one in listed["secrets"]] == [("A", False)]
    refused = create(ask, name="B", deployment=branch)
    assert refused["__typename"] == "InvalidSecretInputError"
    assert "change them in prod" in refused["message"], "the reader learns where to go"


def test_the_local_file_is_read_back_by_dagsters_own_reader(ask: Asking, tmp_path: Path) -> None:
    from dotenv import dotenv_values

    hostile = 'a "quoted" $value # no comment\nsecond line'
    for name, value in (("PLAIN", "x=1,y"), ("HOSTILE", hostile), ("EMPTY", "")):
        create(ask, name=name, value=value, scopes={"localDeploymentScope": True})
    create(ask, name="NOT_LOCAL")
    file = tmp_path / ".env"
    file.write_text(ask("{ localSecretsFileContents }"), encoding="utf-8")
    assert dotenv_values(file, interpolate=False) == {"PLAIN": "x=1,y", "HOSTILE": hostile, "EMPTY": ""}
