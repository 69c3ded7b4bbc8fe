"""Users, their roles and tokens: kept, changed over HTTP, refused at once.

Accounts, e-mails and single sign-on are Dagster+'s own; none of them is here to be tested.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.browser import BrowserGate
from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.schema import VERSIONS
from hybrid.emulator.organization.tokens import Tokens
from hybrid.emulator.organization.users import ADMINISTRATOR, AdministratorError, EmailError, Users

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
ADD = """mutation Add($email: String) { addUserToOrganization(email: $email) { __typename
  ... on AddUserToOrganizationSuccess { userWithGrants { id user { email }
    deploymentPermissionGrants { deploymentId grant locationGrants { locationName } } } }
  ... on PythonError { message } } }"""
GRANT = """mutation Grant($asked: CreateOrUpdateCloudUserPermissionsInput!) {
  createOrUpdateUserPermissions(userPermission: $asked) { __typename
    ... on DagsterCloudUserWithScopedPermissionGrants { organizationPermissionGrant { grant } }
    ... on PythonError { message } ... on CantRemoveAllAdminsError { message } } }"""
WITHDRAW = """mutation Withdraw($asked: RemoveUserPermissionsInput!) {
  removeUserPermissions(userPermission: $asked) { __typename } }"""
REMOVE = """mutation Remove($email: String) { removeUserFromOrganization(email: $email) { __typename } }"""
TOKEN = """mutation Token($user: Int!) { createUserToken(userId: $user, description: "laptop") { __typename
  ... on DagsterCloudUserToken { id token user { email } revoked } } }"""
REVOKE = """mutation Revoke($user: Int!, $number: Int!) { revokeUserToken(userId: $user, tokenId: $number) { __typename
  ... on DagsterCloudUserToken { revoked revokedBy { email } } } }"""
TOKENS = """query Tokens($user: Int!) { userTokensOrError(userId: $user) { __typename
  ... on DagsterCloudUserTokens { tokens { id token description revoked } } } }"""
AGENTS = "{ agents { id } }"
LAUNCH = 'mutation { launchRun(name: "n") }'


@pytest.fixture
def users(organization: Organization) -> Users:
    return organization.users


def test_users_and_their_roles_are_there_after_a_restart(organization: Organization, tmp_path: Path) -> None:
    user = organization.users.add("Ann@Example.com ")
    organization.users.grant("ann@example.com", "EDITOR", "ALL_BRANCH_DEPLOYMENTS", None)
    _, token = organization.tokens.create("user", "laptop", user.id)
    organization.close()
    after = Organization(tmp_path)
    again = after.users.named("ANN@example.com")
    assert again is not None
    assert [(grant.role, grant.scope) for grant in again.grants] == [("EDITOR", "ALL_BRANCH_DEPLOYMENTS")]
    record = after.tokens.verify(token.reveal())
    assert record is not None
    assert record.grants == again.grants
    after.close()


def test_a_second_role_in_a_scope_takes_the_place_of_the_first(users: Users) -> None:
    users.add("ann@example.com", [("EDITOR", "DEPLOYMENT", 1)])
    users.grant("ann@example.com", "VIEWER", "DEPLOYMENT", 1)
    user = users.grant("ann@example.com", "ADMIN", "ORGANIZATION", None)
    assert [(grant.role, grant.scope) for grant in user.grants] == [("VIEWER", "DEPLOYMENT"), ("ADMIN", "ORGANIZATION")]


def test_one_who_comes_back_has_neither_the_roles_nor_the_tokens_of_before(organization: Organization) -> None:
    user = organization.users.add("ann@example.com", [("ADMIN", "ORGANIZATION", None)])
    _, token = organization.tokens.create("user", None, user.id)
    organization.users.remove(user.email)
    assert organization.users.named(user.email) is None
    back = organization.users.add(user.email)
    assert (back.id, back.grants) == (user.id, ())
    assert organization.tokens.verify(token.reveal()) is None


def test_the_administrator_can_be_neither_removed_nor_demoted(users: Users) -> None:
    for change in (
        lambda: users.remove(ADMINISTRATOR.upper()),
        lambda: users.withdraw(ADMINISTRATOR, "ORGANIZATION", None),
        lambda: users.grant(ADMINISTRATOR, "EDITOR", "ORGANIZATION", None),
    ):
        with pytest.raises(AdministratorError):
            change()
    assert [grant.role for grant in users.administrator.grants] == ["ADMIN"]


@pytest.mark.parametrize("email", ["", "ann", "@example.com", "ann@", "a nn@example.com", "a@b@c", "ann@ex\nample.com"])
def test_what_is_no_address_is_refused_in_words(users: Users, email: str) -> None:
    with pytest.raises(EmailError, match="cannot be a user's e-mail address"):
        users.add(email)


@given(st.text(max_size=300))
def test_whatever_is_taken_as_an_address_fits_on_a_line(text: str) -> None:
    database = Database(Path(":memory:"))
    try:
        users = Users(database, Tokens(database, "local"))
        email = users.add(text).email
    except EmailError:
        return
    finally:
        database.close()
    assert email.isprintable()
    assert email.count("@") == 1
    assert len(email) <= 255


def test_the_api_tokens_of_the_first_version_become_the_administrators(tmp_path: Path) -> None:
    file = tmp_path / "organization.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(VERSIONS[0])
    connection.executescript("""
        INSERT INTO organization VALUES (1, 'public', 'local');
        INSERT INTO deployments (name, type, agent_type) VALUES ('prod', 'PRODUCTION', 'HYBRID');
        INSERT INTO tokens (kind, digest, created_at) VALUES ('agent', 'one', 1), ('api', 'two', 2);
        INSERT INTO grants (token_id, scope) VALUES (1, 'ORGANIZATION');
        PRAGMA user_version = 1;
    """)
    connection.close()
    opened = Organization(tmp_path)
    former = opened.tokens.get(2, "user")
    assert former is not None
    assert former.user_id == opened.users.administrator.id
    assert [(grant.role, grant.scope) for grant in former.grants] == [("ADMIN", "ORGANIZATION")]
    agent = opened.tokens.get(1, "agent")
    assert agent is not None
    assert [(grant.role, grant.scope) for grant in agent.grants] == [("AGENT", "ORGANIZATION")]
    opened.close()


def test_a_deleted_deployment_takes_the_roles_in_it_along(organization: Organization) -> None:
    dev = organization.deployments.create("dev")
    organization.users.add("ann@example.com", [("EDITOR", "DEPLOYMENT", dev.id)])
    organization.deployments.delete(dev.id)
    user = organization.users.named("ann@example.com")
    assert user is not None
    assert user.grants == ()


def test_a_scim_token_opens_nothing(organization: Organization) -> None:
    _, token = organization.tokens.create("scim", None, organization.users.administrator.id)
    assert organization.tokens.verify(token.reveal()) is None


class Person:
    """A user of a served organization, with a token."""

    def __init__(self, server: Any, email: str) -> None:
        self.server, self.email = server, email
        added = server.ask(ADD, email=email)["addUserToOrganization"]
        self.grants = added["userWithGrants"]["deploymentPermissionGrants"]
        self.id = int(added["userWithGrants"]["id"])
        made = server.ask(TOKEN, user=self.id)["createUserToken"]
        self.token_id, self.token = made["id"], made["token"]

    def becomes(self, role: str, scope: str = "ORGANIZATION", **more: Any) -> dict[str, Any]:
        asked = {"email": self.email, "grant": role, "deploymentScope": scope, **more}
        return self.server.ask(GRANT, asked=asked)["createOrUpdateUserPermissions"]

    def status(self, query: str) -> int:
        return self.server.post(query, self.token).status_code

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        return self.server.post(query, self.token, **variables).json()


def test_a_new_user_may_look_and_no_more_until_a_role_is_given(make_server: Make) -> None:
    server = make_server().start()
    ann = Person(server, "ann@example.com")
    assert ann.grants == [{"deploymentId": 1, "grant": "VIEWER", "locationGrants": []}]
    assert ann.answer(AGENTS) == {"data": {"agents": []}}
    refused = ann.answer(LAUNCH)["errors"][0]["message"]
    assert "takes the role LAUNCHER in the deployment 'prod'" in refused
    assert "has VIEWER there" in refused
    ann.becomes("LAUNCHER")
    assert ann.answer(LAUNCH) == {"data": {"launchRun": "launched n"}}
    identity = "{ identity { viewer { email } currentDeployment { deploymentName } permissions { permission value } } }"
    said = ann.answer(identity)["data"]["identity"]
    assert (said["viewer"], said["currentDeployment"]) == ({"email": ann.email}, {"deploymentName": "prod"})
    assert {"permission": "launch_pipeline_execution", "value": True} in said["permissions"]
    assert {"permission": "wipe_assets", "value": False} in said["permissions"]


def test_what_is_taken_away_is_refused_at_the_next_request(make_server: Make) -> None:
    server = make_server().start()
    ann, bob, carl = (Person(server, f"{name}@example.com") for name in ("ann", "bob", "carl"))
    assert [person.status(AGENTS) for person in (ann, bob, carl)] == [200, 200, 200]
    revoked = server.ask(REVOKE, user=ann.id, number=ann.token_id)["revokeUserToken"]
    assert revoked["revokedBy"] == {"email": ADMINISTRATOR}
    assert ann.status(AGENTS) == 401, "a revoked token"
    assert server.ask(REMOVE, email=bob.email)["removeUserFromOrganization"]["__typename"].endswith("Success")
    assert bob.status(AGENTS) == 401, "a removed user's token"
    server.ask(WITHDRAW, asked={"email": carl.email, "deploymentId": 1, "deploymentScope": "DEPLOYMENT"})
    assert carl.status(AGENTS) == 403, "a withdrawn role"
    server.kill()
    server.start()
    assert [person.status(AGENTS) for person in (ann, bob, carl)] == [401, 401, 403], "and after a restart"


def test_a_signed_in_browser_does_what_its_user_may_and_ends_with_him(make_server: Make) -> None:
    server = make_server("--host", "0.0.0.0", "--allow-remote").start()
    ann = Person(server, "ann@example.com")
    query, mutation = {"query": "{ version }"}, {"query": "mutation { wipeAssets }"}
    with httpx.Client(base_url=server.url) as browser:
        assert browser.post("/hybrid/sign-in", data={"token": ann.token}).status_code == 303
        assert browser.post("/graphql", json=query).json() == {"data": {"web": "{ version }"}}
        assert browser.post("/graphql", json=mutation).status_code == 403, "a viewer wipes nothing"
        assert browser.post("/report_asset_check/one", json={}).status_code == 403, "and reports nothing"
        assert browser.post("/graphql", json={"query": "mutation {"}).status_code == 403, "nor what cannot be read"
        assert browser.post("/graphql", json=[mutation]).status_code == 403
        ann.becomes("EDITOR")
        assert browser.post("/graphql", json=mutation).status_code == 200, "an editor may"
        server.ask(WITHDRAW, asked={"email": ann.email, "deploymentScope": "ORGANIZATION"})
        server.ask(WITHDRAW, asked={"email": ann.email, "deploymentId": 1, "deploymentScope": "DEPLOYMENT"})
        assert browser.post("/graphql", json=query).status_code == 403, "a withdrawn role, in a session that goes on"
        ann.becomes("ADMIN")
        assert browser.post("/graphql", json=query).status_code == 200
        server.ask(REMOVE, email=ann.email)
        assert browser.post("/graphql", json=query).status_code == 401, "a removed user's session"
        assert browser.get("/").status_code == 401


def test_a_link_cannot_ask_graphql(organization: Organization) -> None:
    gate = BrowserGate(organization.tokens, open_to_loopback=True)

    def scope(accept: str, path: str = "/graphql") -> dict[str, Any]:
        headers = [(b"host", b"127.0.0.1"), (b"accept", accept.encode())]
        server = ("127.0.0.1", 3939)
        return {"type": "http", "method": "GET", "path": path, "headers": headers, "server": server}

    for path in ("/graphql", "/graphql/", "/dev/graphql"):
        with pytest.raises(Refusal) as refusal:
            gate.admit(scope("image/png,*/*", path))
        assert refusal.value.status == 405, "the stock UI's server would run a mutation in the address"
    assert gate.admit(scope("text/html")) is None, "that shows a page to type queries in"


def test_everybody_manages_his_own_tokens_and_administrators_all(make_server: Make) -> None:
    server = make_server().start()
    ann, bob = Person(server, "ann@example.com"), Person(server, "bob@example.com")
    own = ann.answer(TOKEN, user=ann.id)["data"]["createUserToken"]
    assert own["user"] == {"email": ann.email}
    listed = ann.answer(TOKENS, user=ann.id)["data"]["userTokensOrError"]["tokens"]
    assert len(listed) == 2
    assert own["token"] not in json.dumps(listed), "a value is shown once"
    for query in (TOKEN, TOKENS, REVOKE):
        (answer,) = ann.answer(query, user=bob.id, number=bob.token_id)["data"].values()
        assert answer["__typename"] == "UnauthorizedError"
    stolen = ann.answer(REVOKE, user=ann.id, number=bob.token_id)["data"]["revokeUserToken"]
    assert stolen["__typename"] == "DagsterCloudTokenNotFoundError", "another's token, named as one's own"
    assert bob.status(AGENTS) == 200
    assert len(server.ask(TOKENS, user=bob.id)["userTokensOrError"]["tokens"]) == 1
    assert server.ask(TOKEN, user=99)["createUserToken"]["__typename"] == "PythonError"


def test_wrong_changes_of_roles_are_typed_errors(make_server: Make) -> None:
    server = make_server().start()
    ann = Person(server, "ann@example.com")
    assert ann.becomes("AGENT")["message"].endswith("not AGENT.")
    assert "no deployment with the id 99" in ann.becomes("EDITOR", "DEPLOYMENT", deploymentId=99)["message"]
    assert "no deployment with the id None" in ann.becomes("EDITOR", "DEPLOYMENT")["message"]
    single = [{"locationName": "one", "grant": "ADMIN"}]
    assert "single code locations" in ann.becomes("EDITOR", locationGrants=single)["message"]
    asked = {"email": ADMINISTRATOR, "deploymentScope": "ORGANIZATION"}
    assert server.ask(WITHDRAW, asked=asked)["removeUserPermissions"]["__typename"] == "CantRemoveAllAdminsError"
    demoted = server.ask(GRANT, asked={**asked, "grant": "VIEWER"})["createOrUpdateUserPermissions"]
    assert demoted["__typename"] == "CantRemoveAllAdminsError"
    asked["email"] = "nobody@example.com"
    assert server.ask(WITHDRAW, asked=asked)["removeUserPermissions"]["__typename"] == "UserNotFoundError"
    removed = server.ask(REMOVE, email=ADMINISTRATOR)["removeUserFromOrganization"]
    assert removed["__typename"] == "CantRemoveAllAdminsError"
    for email in (None, "", "no address"):
        assert server.ask(ADD, email=email)["addUserToOrganization"]["__typename"] == "PythonError"
    listed = server.ask("""{ usersOrError { ... on DagsterCloudUsersWithScopedPermissionGrants {
      users { user { email isScimProvisioned } organizationPermissionGrant { grant } } } } }""")
    assert [user["user"]["email"] for user in listed["usersOrError"]["users"]] == [ADMINISTRATOR, ann.email]


def test_tokens_of_scim_are_made_listed_described_and_revoked(make_server: Make) -> None:
    server = make_server().start()
    fields = "__typename ... on DagsterCloudApiToken { id token createdBy { email } revoked description }"
    made = server.ask(f'mutation {{ createApiToken(tokenType: SCIM, description: "idp") {{ {fields} }} }}')
    token = made["createApiToken"]
    assert (token["createdBy"], token["description"]) == ({"email": ADMINISTRATOR}, "idp")
    assert server.post(AGENTS, token["token"]).status_code == 401, "no SCIM is served"
    for change, expected in (("editApiTokenDescription", False), ("revokeApiToken", True)):
        query = f'mutation {{ {change}(tokenType: SCIM, tokenId: "{token["id"]}") {{ {fields} }} }}'
        assert server.ask(query)[change]["revoked"] is expected
        missing = f'mutation {{ {change}(tokenType: SCIM, tokenId: "1 OR 1") {{ {fields} }} }}'
        assert server.ask(missing)[change]["__typename"] == "DagsterCloudTokenNotFoundError"
    asked = "{ apiTokensOrError(tokenType: SCIM) { ... on DagsterCloudApiTokens { tokens { id token } } } }"
    listed = server.ask(asked)
    assert listed["apiTokensOrError"]["tokens"] == [{"id": token["id"], "token": "*" * 8}]


def test_descriptions_of_agent_tokens_are_changed(make_server: Make) -> None:
    server = make_server().start()
    made = server.ask("mutation { createAgentToken { ... on DagsterCloudAgentToken { id } } }")["createAgentToken"]
    query = """mutation Edit($id: Int!) { editAgentTokenDescription(tokenId: $id, description: "new") { __typename
      ... on DagsterCloudAgentToken { description } } }"""
    assert server.ask(query, id=made["id"])["editAgentTokenDescription"]["description"] == "new"
    assert server.ask(query, id=99)["editAgentTokenDescription"]["__typename"] == "DagsterCloudTokenNotFoundError"
