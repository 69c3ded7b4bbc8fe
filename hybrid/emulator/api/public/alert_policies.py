"""Alert policies, as documents and as objects.

Rests on: ``schema``; ``docs`` for editors managing them; ``client`` for the shapes that the schema of July 2025 lacks
(dagster_rest_resources/queries/alert_policy.graphql); ``invented``: the emulator sends no alert, so there never was a
notification, a catalog view is its id, and favorites name no assets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public import users
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization
from hybrid.emulator.organization.alert_policies import AlertPolicy, AlertPolicyError

_JOB_EVENTS: Final = frozenset({"JOB_FAILURE", "JOB_SUCCESS", "JOB_LONG_RUNNING"})
Keys = Mapping[str, Any]


class _AlertPolicies:
    """Resolvers over the alert policies of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._policies = organization.alert_policies

    def listed(self, _parent: Any, info: Any) -> list[Typed]:
        return [self._described(policy) for policy in self._policies.all(context_of(info)["deployment"])]

    def as_document(self, _parent: Any, info: Any) -> Typed:
        policies = self._policies.all(context_of(info)["deployment"])
        return {
            "__typename": "AlertPoliciesAsDocument",
            "document": {"alert_policies": [policy.document for policy in policies]},
        }

    def numbered(self, _parent: Any, info: Any, **arguments: Any) -> Typed | None:
        policy = self._policies.numbered(context_of(info)["deployment"], arguments["alertPolicyId"])
        return self._described(policy) if policy else None

    def of_job(self, _parent: Any, info: Any, **arguments: Any) -> list[Typed]:
        job = {
            "location_name": arguments["repositoryLocationName"],
            "repo_name": arguments["repositoryName"],
            "job_name": arguments["jobName"],
        }
        policies = self._policies.all(context_of(info)["deployment"])
        return [self._described(policy) for policy in policies if _concerns(policy, job)]

    def put(self, _parent: Any, info: Any, document: Any) -> Typed:
        def write() -> Typed:
            return self._described(self._policies.put(context_of(info)["deployment"], document))

        return _written(info, write)

    def reconcile(self, _parent: Any, info: Any, document: Any) -> Typed:
        def write() -> Typed:
            kept = self._policies.reconcile(context_of(info)["deployment"], document)
            return {
                "__typename": "ReconcileAlertPoliciesSuccess",
                "alertPolicies": [self._described(policy) for policy in kept],
            }

        return _written(info, write)

    def delete(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        name = arguments["alertPolicyName"]

        def write() -> Typed:
            if not self._policies.delete(context_of(info)["deployment"], name):
                return plain_error(f"There is no alert policy '{name[:80]}'.")
            return {"__typename": "DeleteAlertPolicySuccess", "alertPolicyName": name}

        return _written(info, write)

    def notifications_of_run(self, _parent: Any, _info: Any, **_run: Any) -> Typed:
        return {"__typename": "RunNotifications", "notifications": [], "alertPolicies": []}

    def _described(self, policy: AlertPolicy) -> Typed:
        document = policy.document
        options = document.get("policy_options") or {}
        return {
            "__typename": "AlertPolicy",
            "id": policy.id,
            "name": policy.name,
            "description": document.get("description") or "",
            "tags": document.get("tags"),
            "eventTypes": policy.event_types,
            "notificationService": _service(document["notification_service"]),
            "enabled": document.get("enabled", True),
            "alertTargets": [self._target(kind, keys) for kind, keys in policy.targets],
            "policyOptions": {
                "consecutiveFailureThreshold": options.get("consecutive_failure_threshold"),
                "includeDescriptionInNotification": options.get("include_description_in_notification"),
                "renotifyIntervalMinutes": options.get("renotify_interval_minutes"),
            },
        }

    def _target(self, kind: str, keys: Keys) -> Typed:
        if kind == "favorites_selection_view_target":
            user = self._organization.users.named(keys["user_email"])
            return {
                "__typename": "FavoritesSelectionViewTarget",
                "userEmail": keys["user_email"],
                "user": users.described(user) if user else None,
                "assets": [],
            }
        name, describe = _TARGETS[kind]
        return {"__typename": name, **describe(keys)}


def resolvers(organization: Organization) -> Resolvers:
    policies = _AlertPolicies(organization)
    return {
        "Query": {
            "alertPolicies": policies.listed,
            "alertPoliciesAsDocument": policies.as_document,
            "alertPoliciesAsDocumentOrError": policies.as_document,
            "alertPolicyById": policies.numbered,
            "alertPoliciesForJob": policies.of_job,
            "alertPolicyNotifications": lambda _parent, _info, **_policy: {
                "results": [],
                "cursor": None,
                "hasMore": False,
            },
            "runNotificationsOrError": policies.notifications_of_run,
        },
        "Mutation": {
            "createOrUpdateAlertPolicyFromDocument": policies.put,
            "reconcileAlertPoliciesFromDocument": policies.reconcile,
            "deleteAlertPolicy": policies.delete,
        },
    }


def _written(info: Any, write: Callable[[], Typed]) -> Typed:
    fault = lacking(info, "EDITOR")
    if fault:
        return fault
    try:
        return write()
    except AlertPolicyError as error:
        return {
            "__typename": "InvalidAlertPolicyError",
            "message": error.sentence(),
            "errors": list(error.faults),
        }


def _concerns(policy: AlertPolicy, job: Keys) -> bool:
    """Whether a policy would tell of that job, as far as this can be said without its runs' tags."""
    if not _JOB_EVENTS & set(policy.event_types):
        return False
    targets = [keys for _, keys in policy.targets]
    return not targets or any(
        (not keys.get("jobs") or job in keys["jobs"])
        and (not keys.get("location_names") or job["location_name"] in keys["location_names"])
        for keys in targets
    )


def _service(service: Keys) -> Typed:
    [(kind, given)] = service.items()
    keys = given or {}
    if kind == "email":
        return {"__typename": "EmailAlertPolicyNotification", "emailAddresses": keys["email_addresses"]}
    if kind == "email_owners":
        return {
            "__typename": "EmailOwnersAlertPolicyNotification",
            "dummyValue": None,
            "defaultEmailAddresses": keys.get("default_email_addresses") or [],
        }
    if kind == "slack":
        return {
            "__typename": "SlackAlertPolicyNotification",
            "slackWorkspaceName": keys["slack_workspace_name"],
            "slackChannelName": keys["slack_channel_name"],
        }
    if kind == "microsoft_teams":
        return {"__typename": "MicrosoftTeamsAlertPolicyNotification", "webhookUrl": keys["webhook_url"]}
    if kind == "pagerduty":
        return {"__typename": "PagerdutyAlertPolicyNotification", "integrationKey": keys["integration_key"]}
    return {
        "__typename": "WebhookAlertPolicyNotification",
        "webhookUrl": keys["webhook_url"],
        "bodyTemplate": keys.get("body_template") or "",
    }


def _metric(keys: Keys) -> Typed:
    return {
        "metricName": keys["metric_name"],
        "threshold": keys["threshold"],
        "selectionPeriodDays": keys["selection_period_days"],
        "operator": keys["operator"],
    }


def _group(keys: Keys, name: str = "asset_group") -> Typed:
    return {"assetGroup": keys[name], "locationName": keys["location_name"], "repoName": keys["repo_name"]}


def _runs(keys: Keys) -> Typed:
    jobs = keys.get("jobs")
    return {
        "tags": keys.get("tags"),
        "codeLocationNames": keys.get("location_names"),
        "jobs": None if jobs is None else [{**_place(job), "jobName": job["job_name"]} for job in jobs],
    }


def _instigators(keys: Keys) -> Typed:
    named = keys.get("schedules_or_sensors")
    return {
        "codeLocationNames": keys.get("location_names"),
        "types": keys.get("types"),
        "schedulesSensors": None if named is None else [{**_place(one), "name": one["name"]} for one in named],
    }


def _place(keys: Keys) -> Typed:
    return {"codeLocationName": keys["location_name"], "repositoryName": keys["repo_name"]}


_TARGETS: Final[dict[str, tuple[str, Callable[[Keys], Typed]]]] = {
    "run_result_target": ("RunResultTarget", _runs),
    "long_running_job_threshold_target": (
        "LongRunningJobThresholdTarget",
        lambda keys: {**_runs(keys), "thresholdSeconds": keys["threshold_seconds"]},
    ),
    "asset_key_target": ("AssetKeyTarget", lambda keys: {"assetKey": {"path": keys["asset_key"]}}),
    "asset_selection_target": (
        "AssetSelectionTarget",
        lambda keys: {"assetSelectionString": keys["asset_selection"]},
    ),
    "asset_group_target": ("AssetGroupTarget", _group),
    "asset_selection_view_target": (
        "AssetSelectionViewTarget",
        lambda keys: {"view": {"id": keys["asset_selection_view_id"], "name": keys["asset_selection_view_id"]}},
    ),
    "schedule_or_sensor_target": ("ScheduleSensorTarget", _instigators),
    "code_location_target": (
        "CodeLocationTarget",
        lambda keys: {"codeLocationNames": keys.get("location_names")},
    ),
    "credit_limit_target": ("CreditLimitTarget", lambda keys: {"creditLimit": keys.get("credit_limit", 0)}),
    "insights_deployment_threshold_target": ("InsightsDeploymentThresholdTarget", _metric),
    "insights_asset_group_threshold_target": (
        "InsightsAssetGroupThresholdTarget",
        lambda keys: {**_metric(keys), **_group(keys["asset_group"], "asset_group_name")},
    ),
    "insights_asset_threshold_target": (
        "InsightsAssetThresholdTarget",
        lambda keys: {**_metric(keys), "assetKey": {"path": keys["asset_key"]}},
    ),
    "insights_job_threshold_target": (
        "InsightsJobThresholdTarget",
        lambda keys: {
            **_metric(keys),
            "jobName": keys["job"]["job_name"],
            "locationName": keys["job"]["location_name"],
            "repoName": keys["job"]["repo_name"],
        },
    ),
    "metric_monitor_asset_selection_threshold_target": (
        "MetricMonitorAssetSelectionThresholdTarget",
        lambda keys: {"metricName": keys["metric_name"]},
    ),
    "metric_monitor_deployment_threshold_target": (
        "MetricMonitorDeploymentThresholdTarget",
        lambda keys: {"metricName": keys["metric_name"]},
    ),
}
