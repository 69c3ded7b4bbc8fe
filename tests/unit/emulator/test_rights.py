"""Who may do what: every operation of the table below is tried by every caller, and by what is not in the table too.

The table is what docs and clients say; that Dagster+ itself refuses the same is not proven here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    get_named_type,
)
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.api.context import Context, Refusal, admitted, require_agent
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.oss_mutations import PERMISSIONS, ROLE_BY_MUTATION
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.public import public_api
from hybrid.emulator.api.rights import check_oss, dagster_permissions, role_needed
from hybrid.emulator.api.service import Service
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Deployment, Organization, TokenRecord
from hybrid.emulator.organization.grants import ROLES, Grant, highest, reaches

pytestmark = pytest.mark.unit

Answer = dict[str, Any]
PLACES = ("prod", "dev", "branch", "organization", "branches")
SCOPES = ("ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS", "prod", "dev", "branch")
COVERS = {  # where a grant of that scope counts
    "ORGANIZATION": set(PLACES),
    "ALL_BRANCH_DEPLOYMENTS": {"branch", "branches"},
    "prod": {"prod"},
    "dev": {"dev"},
    "branch": {"branch"},
}
CALLERS = [("user", role, scope) for role, scope in itertools.product(ROLES, SCOPES)] + [
    ("agent", "AGENT", scope) for scope in SCOPES
]
PUT = """mutation { addOrUpdateLocationFromDocument(document: {location_name: "one", code_source: {module_name: "m"}}) {
  __typename } }"""
GRANT = """mutation { createOrUpdateUserPermissions(userPermission:
  {email: "someone@example.com", grant: VIEWER, deploymentScope: ORGANIZATION}) { __typename } }"""
GRANT_AGENT = """mutation { createOrUpdateAgentPermissions(agentPermission:
  {agentTokenId: 1, grant: AGENT, deploymentScope: ORGANIZATION}) { __typename } }"""


@dataclass(frozen=True)
class Row:
    """``role`` is needed in ``where``, a deployment or the organization; ``agents``: an agent's token there does too.

    Asked in ``asked_in``, which is the place itself if that is a deployment.
    """

    query: str
    where: str
    role: str
    agents: bool = False
    asked_in: str | None = None


TABLE = [
    *(Row("{ agents { id } }", where, "VIEWER", agents=True) for where in ("prod", "dev", "branch")),
    *(Row("{ workspace { workspaceEntries { locationName } } }", where, "VIEWER", agents=True) for where in PLACES[:3]),
    *(Row("{ version }", where, "VIEWER", agents=True) for where in ("prod", "branch")),
    *(Row('mutation { launchRun(name: "n") }', where, "LAUNCHER", agents=True) for where in ("prod", "dev", "branch")),
    *(Row(PUT, where, "EDITOR", agents=True) for where in ("prod", "dev", "branch")),
    *(
        Row('mutation { deleteLocation(locationName: "one") { __typename } }', where, "EDITOR", agents=True)
        for where in ("prod", "branch")
    ),
    *(
        Row(query, "organization", "ADMIN")
        for query in (
            "{ agentTokensOrError { __typename } }",
            "{ agentTokenOrError(tokenId: 1) { __typename } }",
            "{ apiTokensOrError(tokenType: SCIM) { __typename } }",
            "{ userTokensOrError(userId: 1) { __typename } }",
            "mutation { createAgentToken { __typename } }",
            "mutation { revokeAgentToken(tokenId: 99) { __typename } }",
            'mutation { editAgentTokenDescription(tokenId: 99, description: "d") { __typename } }',
            GRANT_AGENT,
            "mutation { removeAgentPermissions(agentPermission: {agentTokenId: 1, deploymentScope: ORGANIZATION})"
            " { __typename } }",
            "mutation { createUserToken(userId: 1) { __typename } }",
            "mutation { revokeUserToken(userId: 1, tokenId: 99) { __typename } }",
            'mutation { editUserTokenDescription(userId: 1, tokenId: 99, description: "d") { __typename } }',
            "mutation { createApiToken(tokenType: SCIM) { __typename } }",
            'mutation { revokeApiToken(tokenType: SCIM, tokenId: "99") { __typename } }',
            'mutation { editApiTokenDescription(tokenType: SCIM, tokenId: "99") { __typename } }',
            'mutation { removeUserFromOrganization(email: "nobody@example.com") { __typename } }',
            GRANT,
            'mutation { removeUserPermissions(userPermission: {email: "someone@example.com", '
            "deploymentScope: ORGANIZATION}) { __typename } }",
        )
    ),
]


class World:
    """An organization with two full deployments and a branch deployment, and a token of every kind."""

    def __init__(self, organization: Organization, standin: ModuleType) -> None:
        self.organization = organization
        self.dev = organization.deployments.create("dev")
        git = {"repoName": "code", "branchName": "topic"}
        self.branch = organization.deployments.put_branch(organization.deployment, git, {"commitHash": "1"})
        organization.users.add("someone@example.com")
        loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)
        loader.start()
        loader.get()
        self.service = Service(organization, loader, Meter())
        self.tokens = {caller: self._token(*caller) for caller in CALLERS}

    def deployment(self, place: str) -> Deployment:
        return {"prod": self.organization.deployment, "dev": self.dev, "branch": self.branch}[place]

    def scope(self, scope: str) -> tuple[Any, int | None]:
        return ("DEPLOYMENT", self.deployment(scope).id) if scope in ("prod", "dev", "branch") else (scope, None)

    def _token(self, kind: str, role: Any, scope: str) -> str:
        if kind == "agent":
            record, token = self.organization.tokens.create("agent", None)
            self.organization.tokens.withdraw(record.id, "ORGANIZATION", None)
            self.organization.tokens.grant(record.id, *self.scope(scope))
            return token.reveal()
        user = self.organization.users.add(f"{role}-{scope}@example.com")
        self.organization.users.grant(user.email, role, *self.scope(scope))
        return self.organization.tokens.create("user", None, user.id)[1].reveal()

    def ask(self, token: str, query: str, deployment: Deployment | None, scope: str = "deployment") -> Answer:
        headers = {"dagster-cloud-api-token": token, "dagster-cloud-scope": scope}
        name = deployment.name if deployment else None
        return self.service.answer(parsed(query, None), {}, admitted(self.organization, headers, name, elsewhere=True))

    def refused(self, token: str, query: str, deployment: Deployment | None, scope: str = "deployment") -> bool:
        try:
            answer = self.ask(token, query, deployment, scope)
        except Refusal:
            return True
        if "errors" in answer:
            assert "grant" in str(answer) or "takes the role" in str(answer) or "token" in str(answer), answer
            return True
        (value,) = answer["data"].values()
        return isinstance(value, dict) and value.get("__typename") == "UnauthorizedError"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, standin: ModuleType) -> Iterator[World]:
    organization = Organization(tmp_path_factory.mktemp("rights"))
    yield World(organization, standin)
    organization.close()


def expected(kind: str, role: str, scope: str, row: Row) -> bool:
    """Whether that caller may do it, from the table alone."""
    if row.where not in COVERS[scope]:
        return False
    return row.agents if kind == "agent" else ROLES.index(role) >= ROLES.index(row.role)


@pytest.mark.parametrize("caller", CALLERS, ids=" ".join)
def test_each_caller_may_do_what_the_table_says_and_nothing_else(world: World, caller: tuple[str, str, str]) -> None:
    for row in TABLE:
        anywhere = row.where == "organization"
        deployment = None if anywhere else world.deployment(row.where)
        scope = "organization" if anywhere else "deployment"
        refused = world.refused(world.tokens[caller], row.query, deployment, scope)
        assert refused is not expected(*caller, row), f"{caller} in {row.where}: {row.query}"


@pytest.mark.parametrize("scope", SCOPES)
def test_only_admins_of_something_add_users(world: World, scope: str) -> None:
    add = 'mutation { addUserToOrganization(email: "new@example.com") { __typename } }'
    for role in ROLES:
        refused = world.refused(world.tokens["user", role, scope], add, None)
        assert refused is (role != "ADMIN"), f"{role} in {scope}"
    assert world.refused(world.tokens["agent", "AGENT", scope], add, None), "an agent's token administers nothing"


@pytest.mark.parametrize("caller", [caller for caller in CALLERS if caller[2] == "dev"], ids=" ".join)
def test_the_organizations_scope_opens_no_deployment_that_the_token_has_no_grant_for(
    world: World, caller: tuple[str, str, str]
) -> None:
    for row in TABLE:
        if row.where == "prod" and "{ agents" not in row.query:  # their ids are asked by agents
            assert world.refused(world.tokens[caller], row.query, None, "organization"), row.query
            assert world.refused(world.tokens[caller], row.query, None), f"naming no deployment: {row.query}"
    assert world.refused(world.tokens[caller], "{ agents { id agentLabel } }", None, "organization")
    storages = "{ runs { count } }"
    assert world.refused(world.tokens[caller], storages, None, "organization"), "storages belong to a deployment"
    headers = {"dagster-cloud-api-token": world.tokens[caller], "dagster-cloud-scope": "organization"}
    with pytest.raises(Refusal) as refusal:
        require_agent(admitted(world.organization, headers, None))
    assert refusal.value.status == 403
    with pytest.raises(Refusal):
        admitted(world.organization, {"dagster-cloud-api-token": world.tokens[caller]}, None)


def test_a_token_sees_only_the_deployments_that_it_has_a_grant_for(world: World) -> None:
    def seen(scope: str, query: str) -> set[str]:
        token, asked = world.tokens["user", "VIEWER", scope], f"{{ {query} {{ deploymentName }} }}"
        answer = world.ask(token, asked, None, "organization")
        return {found["deploymentName"] for found in answer["data"][query]}

    for query in ("deployments", "fullDeployments"):
        assert seen("dev", query) == {"dev"}
        assert {"prod", "dev"} <= seen("ORGANIZATION", query)
    by_name = '{ deploymentByName(name: "prod") { __typename } }'
    assert world.refused(world.tokens["user", "VIEWER", "dev"], by_name, None, "organization")


def test_a_user_cannot_act_as_an_agent(world: World) -> None:
    for query in (
        "mutation { userCloudAgent { popUserCloudAgentRequests { requestId } } }",
        "mutation { userCloudAgent { addAgentHeartbeats { ok } } }",
        "{ runs { count } }",
        "{ deploymentInfo { deploymentName } }",
        "{ scopedSecrets { secretValue } }",
    ):
        answer = world.ask(world.tokens["user", "ADMIN", "ORGANIZATION"], query, world.organization.deployment)
        assert "errors" in answer, f"the highest user got an agent's answer to {query}"
        assert answer.get("data") is None


# What is in no table: new operations that forget to ask for a role.

FOR_VIEWERS = {"markCliEvent", "pingLocation"}
DEPLOYING = {  # what agents' tokens do in CI, and the Serverless agent's
    *("addOrUpdateLocationFromDocument", "deployLocations", "deleteLocation", "reconcileLocationsFromDocument"),
    *("createOrUpdateBranchDeployment", "generateServerlessPexUrl", "setLatestDefsStateVersion"),
}


def example(kind: Any) -> str:
    """Some value of an input type, as GraphQL text."""
    if isinstance(kind, GraphQLNonNull):
        return example(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{example(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        fields = (f"{name}: {example(field.type)}" for name, field in kind.fields.items())
        return "{" + ", ".join(fields) + "}"
    assert isinstance(kind, GraphQLScalarType)
    numbers = {"Int": "1", "Float": "1.0", "Boolean": "true"}
    return numbers.get(kind.name, "{}" if "Scalar" in kind.name else '"x"')


def mutation(name: str, field: GraphQLField) -> str:
    given_arguments = ", ".join(f"{argument}: {example(of.type)}" for argument, of in field.args.items())
    selection = "" if isinstance(get_named_type(field.type), GraphQLScalarType) else " { __typename }"
    return f"mutation {{ {name}{f'({given_arguments})' if given_arguments else ''}{selection} }}"


def test_no_public_mutation_does_anything_for_a_viewer_or_administers_for_an_agent(world: World) -> None:
    api = public_api(world.organization, world.service._runtime)
    assert api.schema.mutation_type is not None
    viewer, agent = world.tokens["user", "VIEWER", "ORGANIZATION"], world.tokens["agent", "AGENT", "ORGANIZATION"]
    for name, field in api.schema.mutation_type.fields.items():
        if name in FOR_VIEWERS or field.resolve is None:
            continue
        query = mutation(name, field)
        assert world.refused(viewer, query, world.organization.deployment), f"{name} asks for no role"
        if name not in DEPLOYING:
            assert world.refused(agent, query, world.organization.deployment), f"{name} is done for an agent's token"


# Dagster's own schema.


def context(role: str | None, place: Deployment, kind: Any = "user") -> Context:
    grants = (Grant(1, "DEPLOYMENT", place.id, role),) if role else ()  # type: ignore[arg-type]
    caller = TokenRecord(1, kind, "", None, 0.0, None, 1, None, grants)
    return Context(headers={}, caller=caller, deployment=place)


@pytest.mark.parametrize("name", [*sorted(ROLE_BY_MUTATION), "aMutationThatIsYetToBeInvented"])
def test_each_mutation_of_dagster_takes_its_role(world: World, name: str) -> None:
    operation = parsed(f"mutation {{ {name} }}", None)
    needed = ROLE_BY_MUTATION.get(name, "EDITOR")
    for role in (None, *ROLES):
        for place in (world.organization.deployment, world.branch):
            allowed = role is not None and ROLES.index(role) >= ROLES.index(needed)
            assert _passes(lambda role=role, place=place: check_oss(operation, context(role, place))) is allowed, role
    agents = name in ("launchRun", "reloadRepositoryLocation", "reloadWorkspace", "logTelemetry", "setNuxSeen")
    assert _passes(lambda: check_oss(operation, context("AGENT", world.dev, "agent"))) is agents
    assert not _passes(lambda: check_oss(operation, context(None, world.dev, "agent")))


def test_several_mutations_take_the_highest_role_of_them() -> None:
    assert role_needed(["setNuxSeen", "launchRun", "wipeAssets"], "mutation") == "EDITOR"
    assert role_needed(["setNuxSeen", "launchRun", "__typename"], "mutation") == "LAUNCHER"
    assert role_needed(["wipeAssets"], "subscription") == "VIEWER"


def test_a_fragment_hides_no_mutation(world: World) -> None:
    operation = parsed("mutation { ...f } fragment f on Mutation { ... { wipeAssets } }", None)
    with pytest.raises(GraphQLError, match="EDITOR"):
        check_oss(operation, context("LAUNCHER", world.dev))


def test_permissions_follow_the_role(world: World) -> None:
    prod = world.organization.deployment
    held = {
        role: {name for name, value in dagster_permissions(context(role, prod)["caller"], prod).items() if value}
        for role in ROLES
    }
    assert held["VIEWER"] == set()
    assert {"launch_pipeline_execution", "cancel_partition_backfill"} <= held["LAUNCHER"]
    assert "reload_workspace" not in held["LAUNCHER"]
    assert held["EDITOR"] == set(PERMISSIONS) - {"edit_app_managed_components"}
    assert held["ADMIN"] == held["EDITOR"]
    query = "{ permissions { permission value disabledReason } }"
    answer = world.ask(world.tokens["user", "LAUNCHER", "dev"], query, world.dev)["data"]["permissions"]
    assert {found["permission"] for found in answer if found["value"]} == held["LAUNCHER"]
    assert all(found["disabledReason"] for found in answer if not found["value"])


# Which grant counts.

deployments = st.builds(
    lambda number, kind: Deployment(number, f"d{number}", kind, "HYBRID", {}, None, None, (), 0.0, 0.0),
    st.integers(1, 4),
    st.sampled_from(["PRODUCTION", "BRANCH"]),
)
grants = st.lists(
    st.one_of(
        st.builds(Grant, st.just(1), st.just("DEPLOYMENT"), st.integers(1, 4), st.sampled_from([*ROLES, "AGENT"])),
        st.builds(
            Grant,
            st.just(1),
            st.sampled_from(["ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS"]),
            st.none(),
            st.sampled_from([*ROLES, "AGENT"]),
        ),
    ),
    max_size=8,
)


@given(grants, st.one_of(deployments, st.sampled_from(["ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS"])))
def test_the_highest_grant_that_applies_counts(held: list[Grant], place: Any) -> None:
    counting = set()
    for grant in held:
        everywhere = grant.scope == "ORGANIZATION"
        if isinstance(place, str):
            applies = everywhere or grant.scope == place
        else:
            branches = grant.scope == "ALL_BRANCH_DEPLOYMENTS" and place.type == "BRANCH"
            applies = everywhere or branches or (grant.scope == "DEPLOYMENT" and grant.deployment_id == place.id)
        if applies and grant.role != "AGENT":
            counting.add(grant.role)
    found = highest(held, place)
    assert found in counting if counting else found is None, "a role that no applying grant gives"
    for role in ROLES:
        assert reaches(found, role) is any(ROLES.index(other) >= ROLES.index(role) for other in counting)


@given(grants, grants, deployments)
def test_a_further_grant_never_takes_anything_away(held: list[Grant], more: list[Grant], place: Deployment) -> None:
    for role in ROLES:
        assert reaches(highest([*held, *more], place), role) or not reaches(highest(held, place), role)


def _passes(check: Callable[[], None]) -> bool:
    try:
        check()
    except GraphQLError:
        return False
    return True
