"""The double of ECS itself, with small tasks: it does what AWS documents, as far as the agent and the stack notice.

It cannot show that AWS does so; each rule's source is in the module that has the rule.
"""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError

from infra.repository import login_statement, pull_statement
from tests.containers.stand import Containers
from tests.ecs.account import Account
from tests.ecs.small_tasks import OBEDIENT, SmallTasks
from tests.standins.ecs.client import EcsLab

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

SHOW_CREDENTIALS = """python3 -c "
import json, os, urllib.request
url = 'http://169.254.170.2' + os.environ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
print(json.load(urllib.request.urlopen(url))['RoleArn'])
print([name for name in os.environ if 'ACCESS_KEY' in name])
print(json.load(urllib.request.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task'))['TaskARN'])
try:
    urllib.request.urlopen('http://169.254.170.2/_lab/state')
except urllib.error.HTTPError as error:
    print(error.code)
" """
SERVE_A_PAGE = "cd /etc && exec python3 -m http.server 8000"
FETCH = """
for i in $(seq 50); do
    python3 -c 'import urllib.request; urllib.request.urlopen("http://{}:8000/")' && exit 0; sleep 0.1
done; exit 1"""


@pytest.fixture(scope="module")
def small(ecs_lab: EcsLab, containers: Containers) -> SmallTasks:
    return SmallTasks(Account(ecs_lab, "lab", "agent:test:0").make(), containers.python_image)


def test_a_task_has_its_roles_credentials_and_no_key(small: SmallTasks) -> None:
    task = small.run(small.define("shown", small.container(SHOW_CREDENTIALS)))

    small.until_stopped(task)

    assert small.log(task) == [small.account.roles["code"], "[]", task, "404"], (
        "credentials come from the address that ECS has; no key is in the environment; what tests ask is not for tasks"
    )


def test_a_task_ends_with_its_essential_container_and_shows_its_exit_code(small: SmallTasks) -> None:
    side = small.container("echo beside; exit 0", name="side", essential=False)
    task = small.run(small.define("ending", small.container("sleep 1; echo done; exit 3"), side))

    found = small.until_stopped(task)

    assert (found["stopCode"], found["stoppedReason"]) == (
        "EssentialContainerExited", "Essential container in task exited",
    )  # fmt: skip
    assert {one["name"]: one.get("exitCode") for one in found["containers"]} == {"main": 3, "side": 0}
    assert (small.log(task), small.log(task, "side")) == (["done"], ["beside"]), "each has a stream of its own"
    assert small.lab.containers_of(task) == [], "nothing of a stopped task is left on the engine"


def test_containers_of_a_task_share_network_and_volumes_and_wait_for_each_other(small: SmallTasks) -> None:
    healthy = {"command": ["CMD-SHELL", "true"], "interval": 5, "retries": 1}
    mounts = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}
    script = f"echo beside > /shared/line; {SERVE_A_PAGE}"
    page = small.container(script, name="page", essential=False, healthCheck=healthy, **mounts)
    waits = [{"containerName": "page", "condition": "HEALTHY"}]
    # one stream: the order of lines of two is nobody's to say
    script = f"exec 2>&1; touch /usr/any; cat /shared/line; {FETCH.format('localhost')}"
    main = small.container(script, dependsOn=waits, readonlyRootFilesystem=True, **mounts)

    task = small.run(small.define("together", main, page, volumes=[{"name": "shared"}]))
    found = small.until_stopped(task)

    exits = {one["name"]: one.get("exitCode") for one in found["containers"]}
    assert exits["main"] == 0, "localhost is the task's, with all its containers"
    refused, line = small.log(task)
    assert "Read-only file system" in refused
    assert line == "beside", "a volume of the task is one folder for all its containers"


def test_a_secret_is_read_by_the_execution_role_alone(small: SmallTasks) -> None:
    account = small.account
    secrets = [{"name": "TOKEN", "valueFrom": account.token_secret}]
    definition = small.define("secretive", small.container("test ${#TOKEN} = 12", secrets=secrets))
    task = small.run(definition)
    assert small.until_stopped(task)["containers"][0]["exitCode"] == 0, "the value is in the environment"
    reads = [call for call in small.lab.calls if call.session == task.split("/")[-1] and "Secret" in call.operation]
    assert {call.role for call in reads} == {account.roles["code-execution"]}
    assert "agent:test:0" not in (small.lab.folder / "calls.jsonl").read_text(), "no secret's value is recorded"

    account.without("code-execution", "ReadSecrets")
    try:
        found = small.until_stopped(small.run(definition))
    finally:
        account.allow("code-execution", account.statements()["code-execution"])

    assert found["stopCode"] == "TaskFailedToStart"
    assert "ResourceInitializationError: unable to pull secrets or registry auth" in found["stoppedReason"]
    assert f"secretsmanager:GetSecretValue on resource: {account.token_secret}" in found["stoppedReason"]


def test_a_role_that_does_not_trust_tasks_starts_none(small: SmallTasks) -> None:
    nobody = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = small.lab.client("iam")
    role = iam.create_role(RoleName="for-machines", AssumeRolePolicyDocument=policy(nobody))["Role"]["Arn"]

    found = small.until_stopped(small.run(small.define("mistrusted", small.container("true"), taskRoleArn=role)))

    assert f"ECS was unable to assume the role '{role}'" in found["stoppedReason"]


@pytest.mark.parametrize(
    ("changed", "architecture", "reason"),
    [
        (":none-of-this-name", "X86_64", "CannotPullContainerError: pull image manifest has been retried 1 time(s)"),
        ("", "ARM64", "does not contain descriptor matching platform 'linux/arm64'"),
    ],
    ids=["an image that is not there", "an image for another processor"],
)
def test_what_cannot_be_pulled_is_said_in_awss_words(
    small: SmallTasks, changed: str, architecture: str, reason: str
) -> None:
    image = small.image.rpartition(":")[0] + changed if changed else small.image
    platform = {"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"}
    container = small.container("true", image=image)

    found = small.until_stopped(small.run(small.define("unpulled", container, runtimePlatform=platform)))

    assert reason in found["stoppedReason"]


def test_an_image_of_ecr_needs_the_execution_roles_permission(small: SmallTasks, containers: Containers) -> None:
    lab, account = small.lab, small.account
    made = lab.client("ecr").create_repository(repositoryName="python")["repository"]
    image = f"{lab.account}.dkr.ecr.{lab.region}.amazonaws.com/{containers.python_image.partition('/')[2]}"
    definition = small.define("of-ecr", small.container("true", image=image))
    assert "ecr:GetAuthorizationToken" in small.until_stopped(small.run(definition))["stoppedReason"]

    may = account.statements()["code-execution"]
    account.allow("code-execution", (*may, login_statement(), pull_statement([made["repositoryArn"] + "-other"])))
    try:
        other = small.until_stopped(small.run(definition))["stoppedReason"]
        account.allow("code-execution", (*may, login_statement(), pull_statement([made["repositoryArn"]])))
        allowed = small.until_stopped(small.run(definition))
    finally:
        account.allow("code-execution", may)

    assert "ecr:BatchGetImage" in other, "the right to another repository is none to this one"
    assert allowed["containers"][0]["exitCode"] == 0, allowed["stoppedReason"]


def test_a_service_has_its_cloud_map_name_until_its_task_ends(small: SmallTasks) -> None:
    cloud_map = small.lab.client("servicediscovery")
    entry = cloud_map.create_service(
        Name="page", NamespaceId=small.account.namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]}
    )["Service"]
    small.serve(
        "page", small.define("page", small.container(SERVE_A_PAGE)), serviceRegistries=[{"registryArn": entry["Arn"]}]
    )
    small.until_steady("page")
    (instance,) = cloud_map.list_instances(ServiceId=entry["Id"])["Instances"]
    (server,) = small.tasks_of("page")
    assert instance["Id"] == server["taskArn"].split("/")[-1]

    name = f"page.{small.account.names.namespace}"
    asker = small.until_stopped(small.run(small.define("asker", small.container(FETCH.format(name)))))
    assert asker["containers"][0]["exitCode"] == 0, "another task resolves the name"

    small.delete("page")
    small.until_stopped(server["taskArn"])
    assert cloud_map.list_instances(ServiceId=entry["Id"])["Instances"] == []


def test_a_deployment_keeps_what_works_until_the_new_is_healthy(small: SmallTasks) -> None:
    slow = {"command": ["CMD-SHELL", "test -f /tmp/ready"], "interval": 5, "retries": 10, "startPeriod": 30}
    script = f"(sleep 2; touch /tmp/ready) & {OBEDIENT}"
    definition = small.define("rolled", small.container(script, healthCheck=slow))
    small.serve("rolled", definition)
    small.until_steady("rolled")
    (before,) = small.tasks_of("rolled")

    small.update("rolled", forceNewDeployment=True)
    small.lab.until(lambda: len(small.tasks_of("rolled")) == 2, seconds=10, what="the new task is there")
    counted = []
    while len(small.service("rolled")["deployments"]) > 1:
        counted.append(sum(task["lastStatus"] == "RUNNING" for task in small.tasks_of("rolled")))
        time.sleep(0.1)

    (after,) = small.tasks_of("rolled")
    assert after["taskArn"] != before["taskArn"]
    assert after["healthStatus"] == "HEALTHY"
    assert min(counted) >= 1, "at each moment one task ran: the minimum is 100 %"
    stopped = small.until_stopped(before["taskArn"])
    assert stopped["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")
    small.delete("rolled")


def test_a_deployment_that_fails_is_rolled_back(small: SmallTasks) -> None:
    works = small.define("broken", small.container(OBEDIENT))
    fails = small.define("broken", small.container("true", image=f"{small.image}-none"))
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    small.serve(
        "broken", works, deploymentConfiguration={**breaker, "maximumPercent": 200, "minimumHealthyPercent": 100}
    )
    small.until_steady("broken")
    (before,) = small.tasks_of("broken")

    small.update("broken", taskDefinition=fails)
    small.lab.until(lambda: small.service("broken")["taskDefinition"] == works, seconds=60, what="it is rolled back")
    found = small.until_steady("broken")

    assert found["deployments"][0]["rolloutStateReason"].startswith("ECS deployment")
    said = [event["message"] for event in found["events"]]
    assert any("deployment failed: tasks failed to start." in one for one in said), said
    failed = [task for task in small.tasks_of("broken", "STOPPED") if task["stopCode"] == "TaskFailedToStart"]
    assert len(failed) == 3, "three failures trip the breaker of a small service"
    assert [task["taskArn"] for task in small.tasks_of("broken")] == [before["taskArn"]], "what worked was not touched"
    small.delete("broken")


def test_an_unhealthy_task_is_replaced(small: SmallTasks) -> None:
    check = {"command": ["CMD-SHELL", "test ! -f /tmp/ill"], "interval": 5, "retries": 1}
    script = f"(sleep 6; touch /tmp/ill) & {OBEDIENT}"
    small.serve("ill", small.define("ill", small.container(script, healthCheck=check)))
    small.lab.until(lambda: small.tasks_of("ill"), seconds=10, what="a task is there")
    (first,) = small.tasks_of("ill")

    stopped = small.until_stopped(first["taskArn"], seconds=40)

    assert stopped["stoppedReason"] == "Task failed container health checks"
    small.lab.until(lambda: small.tasks_of("ill"), seconds=15, what="another task takes its place")
    small.delete("ill")


def test_a_deleted_service_drains_and_its_cluster_stays_until_it_has(small: SmallTasks) -> None:
    stubborn = small.define("stubborn", small.container("trap '' TERM; while :; do sleep 0.1; done"))
    small.serve("stubborn", stubborn, count=2)
    small.until_steady("stubborn")
    tasks = [task["taskArn"] for task in small.tasks_of("stubborn")]

    small.delete("stubborn")

    assert small.service("stubborn")["status"] == "DRAINING"
    with pytest.raises(ClientError, match="still Draining"):
        small.serve("stubborn", stubborn)
    with pytest.raises(ClientError, match="ClusterContains"):
        small.ecs.delete_cluster(cluster=small.cluster)
    began = time.monotonic()
    exits = {small.until_stopped(task)["containers"][0]["exitCode"] for task in tasks}
    assert exits == {137}, "SIGKILL after the stop time-out"
    assert time.monotonic() - began < 20
    small.lab.until(lambda: small.service("stubborn")["status"] == "INACTIVE", seconds=5, what="it is INACTIVE")


def test_a_service_follows_its_desired_count(small: SmallTasks) -> None:
    small.serve("counted", small.define("counted", small.container(OBEDIENT)))
    small.until_steady("counted")
    (first,) = small.tasks_of("counted")
    for count in (3, 1, 0):
        small.update("counted", desiredCount=count)
        small.until_steady("counted")
        assert len(small.tasks_of("counted")) == count
    assert first["taskArn"] in {task["taskArn"] for task in small.tasks_of("counted", "STOPPED")}
    small.delete("counted")


def test_what_a_role_may_not_is_refused_and_recorded(small: SmallTasks) -> None:
    lab, role = small.lab, small.account.roles["code"]
    ecs = lab.client("ecs", role=role)
    with pytest.raises(ClientError) as refused:
        ecs.list_services(cluster=small.cluster)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    with pytest.raises(ClientError, match=r"AccessDenied\b"):
        lab.client("s3", role=role).list_objects_v2(Bucket="anybodys")

    lab.enforce = False
    try:
        ecs.list_services(cluster=small.cluster)
    finally:
        lab.enforce = True

    calls = [call for call in lab.calls if call.role == role and call.name == "ecs:ListServices"]
    assert [(call.allowed, call.status) for call in calls] == [(False, 400), (False, 200)], "what IAM says is recorded"


def test_attached_policies_and_boundaries_count_too(small: SmallTasks) -> None:
    iam, name = small.lab.client("iam"), "attached"
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(anybody))["Role"]["Arn"]
    ecs = small.lab.client("ecs", role=role)
    lists = {"Effect": "Allow", "Action": "ecs:ListServices", "Resource": "*"}
    may = iam.create_policy(PolicyName="may-list", PolicyDocument=policy(lists))["Policy"]["Arn"]
    nothing = iam.create_policy(PolicyName="s3-at-most", PolicyDocument=policy({**lists, "Action": "s3:*"}))

    iam.attach_role_policy(RoleName=name, PolicyArn=may)
    ecs.list_services(cluster=small.cluster)
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=nothing["Policy"]["Arn"])
    with pytest.raises(ClientError, match="AccessDenied"):
        ecs.list_services(cluster=small.cluster)


def test_calls_without_the_accounts_keys_are_refused(small: SmallTasks) -> None:
    import boto3

    stranger = boto3.client(
        "ecs", region_name=small.lab.region, endpoint_url=small.lab.endpoint,
        aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x",
    )  # fmt: skip
    with pytest.raises(ClientError, match="security token"):
        stranger.list_clusters()


def policy(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
