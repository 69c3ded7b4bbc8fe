"""Alarms as the program declares them. Patterns are held against events in the form that ECS documents, by moto's
matcher; that ECS words its reasons so is seen only in AWS."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern

from hybrid.errors import SettingsError
from infra.alarms import Alarms, AlarmsArgs, out_of_memory_pattern, stopped_pattern, topic_statements
from infra.place import Place
from tests.unit.infra import recording
from tests.unit.infra.judged import lint, mistakes

pytestmark = pytest.mark.unit

PLACE = Place("123456789012", "eu-west-1")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:oncall"
OWN_TOPIC = "arn:aws:sns:eu-west-1:123456789012:hybrid-prod-alarms"


def args(**changed: object) -> AlarmsArgs:
    given = {
        "name": "hybrid-prod",
        "place": PLACE,
        "cluster": "hybrid-prod",
        "service": "hybrid-prod-agent",
        "emails": ("oncall@acme.example",),
    }
    return AlarmsArgs(**{**given, **changed})  # type: ignore[arg-type]


def made(**changed: object) -> recording.Record:
    return recording.run(lambda: Alarms("alarms", args(**changed)))


def event(detail_type: str = "ECS Task State Change", **changed: Any) -> dict[str, Any]:
    detail = {
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/hybrid-prod",
        "group": "service:hybrid-prod-agent",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "sidecar", "exitCode": 0}, {"name": "agent", "exitCode": 1, "reason": "x"}],
        **changed,
    }
    return {"source": "aws.ecs", "detail-type": detail_type, "detail": detail}


def matches(pattern: dict[str, Any], happened: dict[str, Any]) -> bool:
    # EventBridge looks into each object of a list; moto's matcher only knows lists of plain values
    containers = happened["detail"]["containers"]
    names = {name for container in containers for name in container}
    joined = {name: [one[name] for one in containers if name in one] for name in names}
    detail = {**happened["detail"], "containers": joined}
    return bool(EventPattern.load(json.dumps(pattern)).matches_event({**happened, "detail": detail}))


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (event(), True),
        (event(stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: no basic auth"), True),
        (event(stopCode="ServiceSchedulerInitiated", stoppedReason="Task failed container health checks"), True),
        (event(stopCode="SpotInterruption"), True),
        (
            event(stopCode="ServiceSchedulerInitiated", stoppedReason="Scaling activity initiated by (x)"),
            False,
        ),
        (event(stopCode="UserInitiated", stoppedReason="Task stopped by user"), False),
        (event(lastStatus="RUNNING"), False),
        (event(group="service:server-hello"), False),
        (event(clusterArn="arn:aws:ecs:eu-west-1:123456789012:cluster/other"), False),
        (event("ECS Service Action"), False),
    ],
    ids=[
        "exit",
        "start",
        "health",
        "spot",
        "roll",
        "person",
        "running",
        "other service",
        "other cluster",
        "other kind",
    ],
)
def test_a_task_that_stops_by_itself_is_told_and_a_wanted_stop_is_not(happened: dict[str, Any], told: bool) -> None:
    assert matches(stopped_pattern(args()), happened) is told


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (
            event(containers=[{"exitCode": 137, "reason": "OutOfMemoryError: Container killed"}]),
            True,
        ),
        (event(containers=[{"exitCode": 0}, {"reason": "OutOfMemory"}], stopCode="UserInitiated"), True),
        (event(stoppedReason="OutOfMemoryError: killed", group="family:run_hello", containers=[{"exitCode": 1}]), True),
        (event(containers=[{"exitCode": 137}], group="family:run_hello"), True),
        (event(containers=[{"exitCode": 137}], stopCode="UserInitiated"), False),
        (event(), False),
        (event(containers=[{"exitCode": 137}], lastStatus="DEPROVISIONING"), False),
        (event(containers=[{"exitCode": 137}], clusterArn="arn:aws:ecs:eu-west-1:123456789012:cluster/x"), False),
    ],
    ids=[
        "agent",
        "reason alone",
        "a run by its reason",
        "a run by its code",
        "killed on stop",
        "exit",
        "twice",
        "other",
    ],
)
def test_a_lack_of_memory_is_told_for_code_as_well(happened: dict[str, Any], told: bool) -> None:
    assert matches(out_of_memory_pattern(args()), happened) is told


def test_a_service_without_tasks_is_down() -> None:
    record = made(replicas=2, down_minutes=7)
    down = record.named("alarms-down").inputs
    assert down["name"] == "hybrid-prod-down"
    assert (down["namespace"], down["metricName"], down["statistic"]) == ("AWS/ECS", "CPUUtilization", "SampleCount")
    assert down["dimensions"] == {"ClusterName": "hybrid-prod", "ServiceName": "hybrid-prod-agent"}
    assert (down["comparisonOperator"], down["threshold"]) == ("LessThanThreshold", 2)
    assert (down["period"], down["evaluationPeriods"]) == (60, 7)
    assert down["treatMissingData"] == "breaching", "no task sends no data"
    assert down["alarmActions"] == down["okActions"] == [OWN_TOPIC]


@pytest.mark.parametrize(
    ("what", "metric", "statistic", "most"),
    [("cpu", "CPUUtilization", "Average", 70), ("memory", "MemoryUtilization", "Maximum", 80)],
)
def test_a_service_short_of_something_is_told(what: str, metric: str, statistic: str, most: int) -> None:
    alarm = made(cpu_percent=70, memory_percent=80).named(f"alarms-{what}").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["threshold"]) == (metric, statistic, most)
    assert alarm["comparisonOperator"] == "GreaterThanThreshold"
    assert alarm["treatMissingData"] == "notBreaching", "no task is told by another alarm"
    assert alarm["period"] * alarm["evaluationPeriods"] == 15 * 60


def test_mails_go_to_a_topic_that_only_these_alarms_and_rules_reach() -> None:
    record = made(emails=("a@acme.example", "b@acme.example"))
    topic = record.only("aws:sns/topic:Topic")
    assert topic.inputs == {"name": "hybrid-prod-alarms"}
    mails = record.of("aws:sns/topicSubscription:TopicSubscription")
    assert [(one.inputs["protocol"], one.inputs["endpoint"], one.inputs["topic"]) for one in mails] == [
        ("email", "a@acme.example", OWN_TOPIC),
        ("email", "b@acme.example", OWN_TOPIC),
    ]
    policy = json.loads(record.only("aws:sns/topicPolicy:TopicPolicy").inputs["policy"])["Statement"]
    by_service = {one["Principal"]["Service"]: one for one in policy}
    assert set(by_service) == {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert all((one["Action"], one["Resource"]) == ("sns:Publish", OWN_TOPIC) for one in policy)
    assert all(one["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"} for one in policy)
    rules = {one.outputs["arn"] for one in record.of("aws:cloudwatch/eventRule:EventRule")}
    alarms = {one.outputs["arn"] for one in record.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    told = by_service["events.amazonaws.com"]["Condition"]["ArnEquals"]["aws:SourceArn"]
    rung = by_service["cloudwatch.amazonaws.com"]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert (set(told), set(rung)) == (rules, alarms), "each that is made, and no other"


def test_a_topic_of_ones_own_is_left_as_it_is() -> None:
    record = made(topic_arn=TOPIC, emails=())
    assert {one.token.split(":")[1].split("/")[0] for one in record.resources if not one.is_component} == {"cloudwatch"}
    assert all(one.inputs["alarmActions"] == [TOPIC] for one in record.of("aws:cloudwatch/metricAlarm:MetricAlarm"))
    targets = record.of("aws:cloudwatch/eventTarget:EventTarget")
    assert [one.inputs["arn"] for one in targets] == [TOPIC] * 2
    assert record.value(record.result.topic_arn) == TOPIC


def test_a_topic_may_have_a_key() -> None:
    assert made(key_arn="alias/alarms").only("aws:sns/topic:Topic").inputs["kmsMasterKeyId"] == "alias/alarms"


def test_rules_tell_the_reason_in_words_that_no_quote_breaks() -> None:
    record = made()
    for what, pattern in (("stopped", stopped_pattern(args())), ("out-of-memory", out_of_memory_pattern(args()))):
        rule, target = record.named(f"alarms-{what}"), record.named(f"alarms-{what}-told")
        assert json.loads(rule.inputs["eventPattern"]) == pattern
        assert target.inputs["rule"] == rule.inputs["name"] == f"hybrid-prod-{what}"
        said = target.inputs["inputTransformer"]
        used = set(re.findall(r"<(\w+)>", said["inputTemplate"]))
        assert used == set(said["inputPaths"])
        filled = re.sub(r"<\w+>", lambda _: json.dumps('a "quoted" reason'), said["inputTemplate"])
        assert json.loads(filled)["reason"] == 'a "quoted" reason'


def test_long_names_stay_within_the_limits_and_apart() -> None:
    record = made(name="n" * 250)
    names = [one.inputs["name"] for one in record.of("aws:cloudwatch/eventRule:EventRule")]
    assert all(len(name) <= 64 for name in names)
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"emails": ()}, "nobody hears"),
        ({"topic_arn": TOPIC}, "Only one of `topic` and `emails`"),
        ({"topic_arn": TOPIC, "emails": (), "key_arn": "k"}, "Only one of `topic` and `emails`"),
        ({"topic_arn": TOPIC.replace("eu-west-1", "us-east-1"), "emails": ()}, "is no topic of account 123456789012"),
        ({"emails": ("oncall",)}, "is no e-mail address"),
        ({"down_minutes": 0}, "`down_minutes` is 0"),
        ({"cpu_percent": 101}, "`cpu_percent` is 101"),
        ({"memory_percent": 0}, "`memory_percent` is 0"),
        ({"replicas": 0}, "`replicas` is 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        args(**wrong)
    assert caught.value.next_step


def test_the_judges_accept_the_topics_policy() -> None:
    assert mistakes(topic_statements(OWN_TOPIC, args())) == []
    assert lint(topic_statements(OWN_TOPIC, args())) == set()
