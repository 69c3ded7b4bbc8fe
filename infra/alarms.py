"""What tells people that an ECS service is down, short of memory, or stopped by its lack.

What each costs (us-east-1, November 2026, https://aws.amazon.com/cloudwatch/pricing/): an alarm is 0.10 USD a month,
three are made here; the metrics that ECS publishes for a service and the events that AWS sends are free, as are the
first 1000 mails of SNS. Nothing here needs Container Insights, whose metrics cost more than all of it together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.names import shortened
from infra.place import Place
from infra.statements import Statement, policy_text


@dataclass(frozen=True)
class AlarmsArgs:
    """What alarms need."""

    name: str
    """Begins the names of alarms, rules and topic in AWS."""
    place: Place
    cluster: str
    """The cluster's name."""
    service: str
    """The service's name; its tasks are watched, and those of the whole cluster for a lack of memory."""
    replicas: int = 1
    """How many tasks the service wants."""
    topic_arn: str | None = None
    """A topic of one's own, whose policy lets events.amazonaws.com and cloudwatch.amazonaws.com publish. None: a topic
    is made, with ``emails`` as its readers."""
    emails: tuple[str, ...] = ()
    """Each gets a mail from AWS and has to agree to it once."""
    key_arn: pulumi.Input[str] | None = None
    """A KMS key for the topic, whose policy lets both services use it. None: the topic is not encrypted at rest; with
    AWS's own key for SNS, CloudWatch could not publish
    (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html)."""
    after: Sequence[pulumi.Resource] = ()
    """What must stand before anything is measured, and stops being measured before it goes: the service."""
    down_minutes: int = 5
    """Minutes with fewer tasks than wanted before it is told. A roll without downtime has more tasks, not fewer."""
    cpu_percent: int = 90
    memory_percent: int = 90

    def __post_init__(self) -> None:
        if self.topic_arn is None and not self.emails:
            raise SettingsError("Alarms that nobody hears.", next_step="Name `emails`, or a `topic` by its ARN.")
        if self.topic_arn is not None and (self.emails or self.key_arn is not None):
            raise SettingsError(
                "Only one of `topic` and `emails` can be given.",
                why="Who reads a topic of your own, and how it is encrypted, is said where it is made.",
                next_step="Leave `emails` and the key out, or the topic.",
            )
        if self.topic_arn is not None and not self.topic_arn.startswith(self.place.arn("sns", "")):
            raise SettingsError(
                f"{self.topic_arn!r} is no topic of account {self.place.account} in {self.place.region}.",
                why="Alarms and rules reach topics of their own account and region.",
                next_step=f"Write it like {self.place.arn('sns', 'alarms')}.",
            )
        for mail in self.emails:
            if not re.fullmatch(r"[^\s@]+@[^\s@]+", mail):
                raise SettingsError(f"{mail!r} is no e-mail address.", next_step="Write it like oncall@example.com.")
        for what, number, most in (
            ("down_minutes", self.down_minutes, 1440),
            ("cpu_percent", self.cpu_percent, 100),
            ("memory_percent", self.memory_percent, 100),
            ("replicas", self.replicas, 1000),
        ):
            if not 1 <= number <= most:
                raise SettingsError(f"`{what}` is {number}; it takes 1 to {most}.", next_step="Write such a number.")


class Alarms(pulumi.ComponentResource):
    """Alarms of one service.

    - a topic with its readers, unless there is one
    - an alarm for fewer tasks than wanted, one for CPU, one for memory
    - a rule for tasks of the service that stop by themselves, and one for any task of the cluster that memory stopped
    """

    topic_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:Alarms", name, None, opts)
        self._args = args
        self._measuring = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        self.topic_arn = self._topic(name)
        self._metric(
            name,
            "down",
            f"Fewer than {args.replicas} running tasks for {args.down_minutes} minutes",
            # Each running task gives one sample a minute, and none gives none
            # (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html): counted, they are
            # the running tasks, and their lack is the alarm.
            metric_name="CPUUtilization",
            statistic="SampleCount",
            comparison_operator="LessThanThreshold",
            threshold=args.replicas,
            minutes=args.down_minutes,
            treat_missing_data="breaching",
        )
        for what, metric, statistic, percent in (
            ("cpu", "CPUUtilization", "Average", args.cpu_percent),
            ("memory", "MemoryUtilization", "Maximum", args.memory_percent),
        ):
            self._metric(
                name,
                what,
                f"More than {percent} % of its {what} for 15 minutes",
                metric_name=metric,
                statistic=statistic,
                comparison_operator="GreaterThanThreshold",
                threshold=percent,
                minutes=15,
                # no data is no task, which the alarm above tells
                treat_missing_data="notBreaching",
            )
        self._rule(name, "stopped", "A task of the service stopped by itself", stopped_pattern(args))
        self._rule(name, "out-of-memory", "A task was stopped for lack of memory", out_of_memory_pattern(args))
        self.register_outputs({"topicArn": self.topic_arn})

    def _topic(self, name: str) -> pulumi.Output[str]:
        args = self._args
        if args.topic_arn is not None:
            return pulumi.Output.from_input(args.topic_arn)
        inside = pulumi.ResourceOptions(parent=self)
        called = shortened(f"{args.name}-alarms", 256)
        topic = aws.sns.Topic(f"{name}-topic", name=called, kms_master_key_id=args.key_arn, opts=inside)
        arn = args.place.arn("sns", called)
        aws.sns.TopicPolicy(
            f"{name}-topic-policy", arn=topic.arn, policy=policy_text(topic_statements(arn, args)), opts=inside
        )
        for mail in args.emails:
            aws.sns.TopicSubscription(
                f"{name}-mail-{mail}", topic=topic.arn, protocol="email", endpoint=mail, opts=inside
            )
        return topic.arn

    def _metric(self, name: str, what: str, says: str, *, minutes: int, **measured: Any) -> None:
        args = self._args
        aws.cloudwatch.MetricAlarm(
            f"{name}-{what}",
            name=_called(args, what),
            alarm_description=f"{args.service} in {args.cluster}: {says}.",
            namespace="AWS/ECS",
            dimensions={"ClusterName": args.cluster, "ServiceName": args.service},
            period=60,
            evaluation_periods=minutes,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            opts=self._measuring,
            **measured,
        )

    def _rule(self, name: str, what: str, says: str, pattern: Mapping[str, Any]) -> None:
        args, inside = self._args, self._measuring
        rule = aws.cloudwatch.EventRule(
            f"{name}-{what}",
            name=_rule_name(args, what),
            description=f"{args.service} in {args.cluster}: {says}.",
            event_pattern=json.dumps(pattern, separators=(",", ":")),
            opts=inside,
        )
        aws.cloudwatch.EventTarget(
            f"{name}-{what}-told",
            rule=rule.name,
            target_id="topic",
            arn=self.topic_arn,
            input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths={
                    "task": "$.detail.taskArn",
                    "group": "$.detail.group",
                    "reason": "$.detail.stoppedReason",
                    "containers": "$.detail.containers",
                    "at": "$.time",
                },
                # a variable outside of quotes is put in as JSON, so that no reason with quotes in it breaks the text
                input_template=json.dumps({"what": says}, separators=(",", ":"))[:-1]
                + ',"at":<at>,"group":<group>,"task":<task>,"reason":<reason>,"containers":<containers>}',
            ),
            opts=inside,
        )


def stopped_pattern(args: AlarmsArgs) -> dict[str, Any]:
    """Events of the service's tasks that nobody wanted stopped: that could not start, ended, or failed their health
    check. Rolls, scaling and stops by people are not among them
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html)."""
    unwanted = [
        {"stopCode": ["TaskFailedToStart", "EssentialContainerExited", "SpotInterruption"]},
        {"stopCode": ["ServiceSchedulerInitiated"], "stoppedReason": [{"prefix": "Task failed"}]},
    ]
    return _task_stopped(args, {"group": [f"service:{args.service}"], "$or": unwanted})


def out_of_memory_pattern(args: AlarmsArgs) -> dict[str, Any]:
    """Events of any task of the cluster that the lack of memory stopped. ECS says so as a container's reason; where it
    does not, a main container that was killed (137) without anybody stopping its task was killed for its memory."""
    told = [
        {"containers": {"reason": [{"prefix": "OutOfMemory"}]}},
        {"stoppedReason": [{"prefix": "OutOfMemory"}]},
        {"stopCode": ["EssentialContainerExited"], "containers": {"exitCode": [137]}},
    ]
    return _task_stopped(args, {"$or": told})


def topic_statements(topic_arn: str, args: AlarmsArgs) -> Sequence[Statement]:
    """Who may publish to the topic: these rules and alarms, and nobody else."""
    rules = [args.place.arn("events", f"rule/{_rule_name(args, what)}") for what in ("stopped", "out-of-memory")]
    alarms = [args.place.arn("cloudwatch", f"alarm:{_called(args, what)}") for what in ("down", "cpu", "memory")]
    return [
        Statement(
            sid=sid,
            actions=("sns:Publish",),
            resources=(topic_arn,),
            principals={"Service": [service]},
            conditions={
                "StringEquals": {"aws:SourceAccount": args.place.account},
                "ArnEquals": {"aws:SourceArn": tuple(sources)},
            },
            why=why,
        )
        for sid, service, sources, why in (
            ("Rules", "events.amazonaws.com", rules, "The rules tell of stopped tasks."),
            ("Alarms", "cloudwatch.amazonaws.com", alarms, "The alarms tell of a service that is down or short."),
        )
    ]


def _task_stopped(args: AlarmsArgs, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {
            "clusterArn": [args.place.arn("ecs", f"cluster/{args.cluster}")],
            "lastStatus": ["STOPPED"],
            **detail,
        },
    }


def _called(args: AlarmsArgs, what: str) -> str:
    return shortened(f"{args.name}-{what}", 255)


def _rule_name(args: AlarmsArgs, what: str) -> str:
    return shortened(f"{args.name}-{what}", 64)
