"""A client of the emulator's API in this process, with a stand-in for Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from hybrid.emulator.api.context import admitted
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.service import Service
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization

Answer = dict[str, Any]


class Client:
    """Asks a service with a token."""

    def __init__(self, organization: Organization, standin: ModuleType) -> None:
        self.organization = organization
        self.runtime = standin.StandinRuntime(organization)
        loader = RuntimeLoader(lambda: self.runtime, lambda: None)
        loader.start()
        loader.get()
        self.meter = Meter()
        self.service = Service(organization, loader, self.meter)
        self.api_token = organization.tokens.create("user", "test", organization.users.administrator.id)[1].reveal()
        self.agent_token = organization.tokens.create("agent", "test")[1].reveal()

    def answer(self, query: str, token: str | None = None, **variables: Any) -> Answer:
        return self.with_headers({}, query, token, variables)

    def with_headers(
        self, headers: Mapping[str, str], query: str, token: str | None, variables: Mapping[str, Any]
    ) -> Answer:
        sent = {"dagster-cloud-api-token": token or self.api_token, **headers}
        return self.service.answer(parsed(query, None), variables, admitted(self.organization, sent, None))

    def data(self, query: str, token: str | None = None, **variables: Any) -> Answer:
        answer = self.answer(query, token, **variables)
        assert "errors" not in answer, answer
        return answer["data"]


CREATE = """mutation Create { createAgentToken(description: "d") {
  __typename
  ... on DagsterCloudAgentToken { id token permissions { organizationPermissionGrant { grant } } }
  ... on UnauthorizedError { message } } }"""
PUT = """mutation Put($document: GenericScalar!) { addOrUpdateLocationFromDocument(document: $document) {
  __typename
  ... on WorkspaceEntry { locationName hasOutdatedData }
  ... on InvalidLocationError { errors } } }"""
ENTRIES = """query WorkspaceEntries($names: [String!]!, $queues: [String]) { deployments(deploymentNames: $names) {
  deploymentName workspaceEntries(agentQueues: $queues) { locationName hasLoadError metadataTimestamp } } }"""
POP = """mutation Pop($names: [String!], $queues: [String]) { userCloudAgent {
  popUserCloudAgentRequests(forFullDeployments: $names, agentQueues: $queues) { requestId requestBody } } }"""
BEAT = """mutation Beat($beats: [AgentHeartbeatInput!], $errors: [String!]) { userCloudAgent {
  addAgentHeartbeats(serializedAgentHeartbeats: $beats, serializedErrors: $errors) { ok } } }"""
AGENTS = """query Agents { agents { id agentLabel status metadata { key value }
  errors { timestamp error { message } } codeServerStates { locationName status error { message } } } }"""


def document(name: str, **more: object) -> Answer:
    return {"location_name": name, "code_source": {"python_file": "defs.py"}, **more}
