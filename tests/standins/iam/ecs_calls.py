"""Rows for ECS: which requests its calls make.

Which resources an action takes and which keys it knows: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
Where the reference leaves room, the row takes the answer that denies more:
- ``ecs:cluster`` is left out of CreateService and UpdateService, where the reference lists it beside the resource type
  and not, as elsewhere, beside the action; the service's ARN holds the cluster anyway;
- ``iam:PassRole`` is asked by CreateService, UpdateService with a task definition, RunTask, RegisterTaskDefinition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.standins.iam.facts import Facts, TaskDefinition
from tests.standins.iam.request import (
    AuthorizationRequest,
    Context,
    Params,
    Row,
    anything,
    arn,
    request_tags,
    resource_tags,
)

ECS_TASKS = "ecs-tasks.amazonaws.com"


def _cluster(params: Params, facts: Facts) -> str:
    return arn(facts, "ecs", f"cluster/{_cluster_name(params)}")


def _cluster_name(params: Params) -> str:
    return str(params.get("cluster") or "default").rsplit("/", 1)[-1]


def _within(kind: str, given: str, params: Params, facts: Facts) -> str:
    """The long ARN of a service or task that is given by name, id, short or long ARN."""
    rest = given.split(":", 5)[-1] if given.startswith("arn:") else f"{kind}/{given}"
    parts = rest.split("/")
    if len(parts) == 2:
        return arn(facts, "ecs", f"{kind}/{_cluster_name(params)}/{parts[1]}")
    return given if given.startswith("arn:") else arn(facts, "ecs", rest)


def _definition(reference: str, facts: Facts) -> TaskDefinition:
    """What a family stands for; one that does not exist is asked about by its name."""
    known = facts.task_definition(reference)
    if known is not None:
        return known
    return TaskDefinition(
        reference if reference.startswith("arn:") else arn(facts, "ecs", f"task-definition/{reference}")
    )


def _pass(roles: Iterable[str | None]) -> Iterator[AuthorizationRequest]:
    for role in dict.fromkeys(role for role in roles if role):
        yield AuthorizationRequest("iam:PassRole", role, {"iam:PassedToService": ECS_TASKS})


def _settings(params: Params) -> Context:
    context: Context = {}
    if "enableExecuteCommand" in params:
        context["ecs:enable-execute-command"] = str(bool(params["enableExecuteCommand"])).lower()
    network = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if "assignPublicIp" in network:
        context["ecs:auto-assign-public-ip"] = str(network["assignPublicIp"] == "ENABLED").lower()
    if network.get("subnets"):
        context["ecs:subnet"] = tuple(network["subnets"])
    if params.get("propagateTags"):
        context["ecs:propagate-tags"] = params["propagateTags"]
    return context


def _tagging(params: Params, resource: str, by: str) -> Iterator[AuthorizationRequest]:
    """A creation with tags asks for the tagging too, and says in which call."""
    if params.get("tags"):
        yield AuthorizationRequest(
            "ecs:TagResource", resource, {"ecs:CreateAction": by, **request_tags(params["tags"])}
        )


def _create_service(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    service = _within("service", params["serviceName"], params, facts)
    definition = _definition(params.get("taskDefinition", ""), facts)
    context = {"ecs:task-definition": definition.arn, **_settings(params), **request_tags(params.get("tags"))}
    yield AuthorizationRequest("ecs:CreateService", service, context)
    yield from _tagging(params, service, "CreateService")
    yield from _pass((definition.task_role_arn, definition.execution_role_arn, params.get("role")))


def _update_service(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    service = _within("service", params["service"], params, facts)
    context = {**_settings(params), **resource_tags(facts, service)}
    passed: tuple[str | None, ...] = ()
    if params.get("taskDefinition"):
        definition = _definition(params["taskDefinition"], facts)
        context["ecs:task-definition"] = definition.arn
        passed = (definition.task_role_arn, definition.execution_role_arn)
    yield AuthorizationRequest("ecs:UpdateService", service, context)
    yield from _pass(passed)


def _of_services(action: str, key: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        named = params[key]
        for name in [named] if isinstance(named, str) else named:
            service = _within("service", name, params, facts)
            context = {"ecs:cluster": _cluster(params, facts), **resource_tags(facts, service)}
            yield AuthorizationRequest(action, service, context)

    return row


def _of_tasks(action: str, key: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        named = params[key]
        for name in [named] if isinstance(named, str) else named:
            task = _within("task", name, params, facts)
            context = {"ecs:cluster": _cluster(params, facts), **resource_tags(facts, task)}
            yield AuthorizationRequest(action, task, context)

    return row


def _list_services(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    yield AuthorizationRequest("ecs:ListServices", "*", {"ecs:cluster": _cluster(params, facts)})


def _list_tasks(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """AWS names the container instances of the cluster, also where there are none."""
    instances = arn(facts, "ecs", f"container-instance/{_cluster_name(params)}/*")
    yield AuthorizationRequest("ecs:ListTasks", instances, {"ecs:cluster": _cluster(params, facts)})


def _run_task(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    definition = _definition(params["taskDefinition"], facts)
    context: Context = {
        "ecs:cluster": _cluster(params, facts),
        **resource_tags(facts, definition.arn),
        **request_tags(params.get("tags")),
    }
    context |= {k: v for k, v in _settings(params).items() if k == "ecs:enable-execute-command"}
    yield AuthorizationRequest("ecs:RunTask", definition.arn, context)
    yield from _tagging(params, arn(facts, "ecs", f"task/{_cluster_name(params)}/*"), "RunTask")
    over = params.get("overrides") or {}
    yield from _pass(
        (
            over.get("taskRoleArn") or definition.task_role_arn,
            over.get("executionRoleArn") or definition.execution_role_arn,
        )
    )


def _register(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """The revision is not known before, so a policy has to say ``family:*`` or wider."""
    family = arn(facts, "ecs", f"task-definition/{params['family']}:*")
    yield AuthorizationRequest("ecs:RegisterTaskDefinition", family, request_tags(params.get("tags")))
    yield from _tagging(params, family, "RegisterTaskDefinition")
    yield from _pass((params.get("taskRoleArn"), params.get("executionRoleArn")))


def _tags_of(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        resource = params["resourceArn"]
        context = {**resource_tags(facts, resource), **request_tags(params.get("tags"))}
        if params.get("tagKeys"):
            context["aws:TagKeys"] = tuple(params["tagKeys"])
        yield AuthorizationRequest(action, resource, context)

    return row


def _of_cluster(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        cluster = _cluster(params, facts)
        yield AuthorizationRequest(action, cluster, resource_tags(facts, cluster))

    return row


def _clusters(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """Without names the one called ``default`` is meant."""
    for given in params.get("clusters") or ["default"]:
        cluster = arn(facts, "ecs", f"cluster/{given.rsplit('/', 1)[-1]}")
        yield AuthorizationRequest("ecs:DescribeClusters", cluster, resource_tags(facts, cluster))


def _execute(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    cluster, task = _cluster(params, facts), _within("task", params["task"], params, facts)
    context: Context = {"ecs:cluster": cluster}
    context |= {"ecs:container-name": params["container"]} if params.get("container") else {}
    for resource in (cluster, task):
        yield AuthorizationRequest("ecs:ExecuteCommand", resource, {**context, **resource_tags(facts, resource)})


ROWS: dict[str, Row] = {
    "CreateService": _create_service,
    "UpdateService": _update_service,
    "DeleteService": _of_services("ecs:DeleteService", "service"),
    "DescribeServices": _of_services("ecs:DescribeServices", "services"),
    "ListServices": _list_services,
    "ListTasks": _list_tasks,
    "DescribeTasks": _of_tasks("ecs:DescribeTasks", "tasks"),
    "StopTask": _of_tasks("ecs:StopTask", "task"),
    "RunTask": _run_task,
    "RegisterTaskDefinition": _register,
    "DescribeTaskDefinition": anything("ecs:DescribeTaskDefinition"),
    "ListTaskDefinitions": anything("ecs:ListTaskDefinitions"),
    "DeregisterTaskDefinition": anything("ecs:DeregisterTaskDefinition"),
    "ListAccountSettings": anything("ecs:ListAccountSettings"),
    "PutAccountSetting": anything("ecs:PutAccountSetting"),
    "ListClusters": anything("ecs:ListClusters"),
    "DescribeClusters": _clusters,
    "DeleteCluster": _of_cluster("ecs:DeleteCluster"),
    "TagResource": _tags_of("ecs:TagResource"),
    "UntagResource": _tags_of("ecs:UntagResource"),
    "ListTagsForResource": _tags_of("ecs:ListTagsForResource"),
    "ExecuteCommand": _execute,
}
