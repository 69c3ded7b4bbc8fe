"""Which agent is meant, and what is said when it is not there. AWS's answers are moto's."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from hybrid.adopt.account import Account
from hybrid.adopt.agent_in_aws import digest_of, namespace_of_servers, read_agent, the_agent_of
from hybrid.adopt.cloudformation import agents_service, read_stack
from hybrid.aws.errors import AwsDenied, AwsWrongAccount
from hybrid.errors import SettingsError, UsageError
from tests.unit.adopt.estate import CLUSTER, REGION, STACK, TOKEN

pytestmark = pytest.mark.unit


def test_the_agent_of_a_cloudformation_stack_is_its_service(estate, account):
    stack = read_stack(account, STACK)
    assert agents_service(stack, "acme", "prod") == (CLUSTER, "agent")
    assert TOKEN not in repr(stack), "a parameter with a token is not kept, shown or not"


def test_what_the_new_stack_stands_on_is_told_apart_from_what_may_go(estate, account):
    stack = read_stack(account, STACK)
    assert stack.agents_own() == ["AgentTaskDefinition", "AgentService"]
    kept = ["AgentLogGroup", "VPC", "SubnetA", "SubnetB", "AgentCluster", "ServiceDiscoveryNamespace"]
    assert sorted(stack.to_keep(frozenset())) == sorted(kept)
    role = estate.role.rpartition("/")[2]
    assert sorted(stack.to_keep(frozenset({role}))) == sorted([*kept, "AgentRole"]), "a location names it"


def test_a_stack_that_is_not_there_is_told(estate, account):
    with pytest.raises(UsageError, match="no CloudFormation stack 'none'"):
        read_stack(account, "none")


@pytest.mark.parametrize(("organization", "deployment"), [("other", "prod"), ("acme", "staging")])
def test_a_stack_of_others_is_refused(estate, account, organization, deployment):
    with pytest.raises(SettingsError, match="The CloudFormation stack 'dagster' is of"):
        agents_service(read_stack(account, STACK), organization, deployment)


def test_a_stack_without_a_service_is_told(estate, account):
    estate.service = ""
    with pytest.raises(UsageError, match="no service of ECS"):
        agents_service(read_stack(account, STACK), "acme", "prod")


def test_the_only_agent_of_a_cluster_needs_no_name(estate, account):
    estate.agent("web", document="{}", container={"image": "acme/web:1", "command": ["serve"]})
    tags = [{"key": "dagster/agent_id", "value": "a1"}]
    estate.agent("hello-prod-123", service={"tags": tags})
    assert the_agent_of(account, CLUSTER) == "agent", "neither another service nor a code server is one"


def test_several_agents_are_named(estate, account):
    estate.agent("second")
    with pytest.raises(UsageError, match="several agents: agent, second"):
        the_agent_of(account, CLUSTER)


def test_a_cluster_without_an_agent_is_told(estate, account):
    estate.clients["ecs"].create_cluster(clusterName="empty")
    with pytest.raises(UsageError, match="looks like an agent"):
        the_agent_of(account, "empty")


def test_a_cluster_that_is_not_there_is_told_with_those_that_are(estate, account):
    with pytest.raises(UsageError) as caught:
        the_agent_of(account, "none")
    assert CLUSTER in caught.value.why


def test_a_service_that_is_not_there_is_told_with_the_agents(estate, account):
    with pytest.raises(UsageError) as caught:
        read_agent(account, CLUSTER, "none")
    assert "Its agents: agent." in caught.value.why


def test_another_account_is_refused(estate):
    with pytest.raises(AwsWrongAccount):
        read_agent(Account(REGION, "999999999999"), CLUSTER, "agent")


def test_a_permission_that_lacks_is_named(estate, account, monkeypatch):
    def refuse(client, operation, parameters):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

    account.check_account()
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    with pytest.raises(AwsDenied, match="look at the CloudFormation stack dagster"):
        read_stack(account, STACK)


def test_the_namespace_of_code_servers_is_found_without_the_agents_settings(estate, account):
    names = estate.clients["servicediscovery"]
    made = names.create_service(
        Name="hello", NamespaceId=estate.namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]}
    )["Service"]
    estate.agent(
        "hello-prod-123",
        service={
            "tags": [{"key": "dagster/agent_id", "value": "a1"}],
            "serviceRegistries": [{"registryArn": made["Arn"]}],
        },
    )
    assert namespace_of_servers(account, CLUSTER).id == estate.namespace


def test_an_image_that_ecr_does_not_have_has_no_digest(estate, account):
    assert digest_of(account, account.account, "none", "1") is None
