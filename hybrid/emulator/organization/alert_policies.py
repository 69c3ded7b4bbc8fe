"""Alert policies: who is to be told when what happens. Kept and judged here; nothing is ever sent.

Rests on: ``docs`` for the shape and the rules (guides/observe/alerts/yaml-reference) and for policies being a full
deployment's; ``client`` for further event types and for the document being a map with ``alert_policies``
(dagster_rest_resources/api/alert_policy.py); ``invented``: ``enabled`` may be left out and is true then, as in older
examples, ``webhook`` has the keys of the type that clients read, and ``tags`` is the older spelling of a target.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.alert_targets import TARGETS
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment
from hybrid.emulator.shapes import any_text, choice, flag, listing, mapping, nullable, one_of, text, whole

AGENT_UNAVAILABLE: Final = "AGENT_UNAVAILABLE"
_CATEGORIES: Final = {
    **dict.fromkeys(("JOB_FAILURE", "JOB_SUCCESS", "JOB_LONG_RUNNING"), "job"),
    **dict.fromkeys(("ASSET_MATERIALIZATION_SUCCESS", "ASSET_MATERIALIZATION_FAILURE"), "asset"),
    **dict.fromkeys(("ASSET_CHECK_PASSED", "ASSET_CHECK_EXECUTION_FAILURE"), "asset"),
    **dict.fromkeys(("ASSET_CHECK_SEVERITY_WARN", "ASSET_CHECK_SEVERITY_ERROR", "ASSET_OVERDUE"), "asset"),
    **dict.fromkeys(("ASSET_FRESHNESS_PASS", "ASSET_FRESHNESS_WARN", "ASSET_FRESHNESS_FAIL"), "asset"),
    **dict.fromkeys(("ASSET_HEALTH_HEALTHY", "ASSET_HEALTH_WARNING", "ASSET_HEALTH_DEGRADED"), "asset health"),
    "ASSET_TABLE_SCHEMA_CHANGE": "asset schema",
    "TICK_FAILURE": "schedule and sensor",
    AGENT_UNAVAILABLE: "agent",
    **dict.fromkeys(("CODE_LOCATION_ERROR", "CODE_LOCATION_DEPLOY_SUCCESS"), "code location"),
    **dict.fromkeys(("INSIGHTS_CONSUMPTION_EXCEEDED", "METRIC_MONITOR_ALERT"), "insights"),
}
EVENT_TYPES: Final = tuple(_CATEGORIES)
_RENOTIFIED: Final = {"TICK_FAILURE", AGENT_UNAVAILABLE, "CODE_LOCATION_ERROR"}
_CHANGES: Final = ("ADDED", "REMOVED", "TYPE_CHANGED", "NULLABILITY_CHANGED", "UNIQUENESS_CHANGED", "TAGS_CHANGED")
_addresses: Final = listing(text, shortest=1)
_POLICY: Final = mapping(
    {
        "name": text,
        "event_types": listing(one_of(*EVENT_TYPES), shortest=1),
        "notification_service": choice(
            {
                "email": mapping({"email_addresses": _addresses}),
                "email_owners": nullable(mapping({}, {"default_email_addresses": nullable(listing(text))})),
                "slack": mapping({"slack_workspace_name": text, "slack_channel_name": text}),
                "microsoft_teams": mapping({"webhook_url": text}),
                "pagerduty": mapping({"integration_key": text}),
                "webhook": mapping({"webhook_url": text}, {"body_template": any_text}),
            }
        ),
    },
    {
        "description": nullable(any_text),
        "enabled": flag,
        "tags": nullable(listing(mapping({"key": text}, {"value": nullable(any_text)}))),
        "alert_targets": nullable(listing(choice(TARGETS))),
        "policy_options": nullable(
            mapping(
                {},
                {
                    "include_description_in_notification": nullable(flag),
                    "consecutive_failure_threshold": nullable(whole(1, 100)),
                    "renotify_interval_minutes": nullable(whole(1)),
                    "table_schema_change_types": nullable(listing(one_of(*(f"COLUMN_{one}" for one in _CHANGES)))),
                },
            )
        ),
    },
)


class AlertPolicyError(EmulatorError):
    """A document of alert policies is not taken. ``faults`` name the keys."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class AlertPolicy:
    """A policy; ``document`` is as it was given."""

    id: str
    deployment: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def event_types(self) -> list[str]:
        return list(self.document["event_types"])

    @property
    def targets(self) -> list[tuple[str, dict[str, Any]]]:
        """What it is about: the kind of each target with its keys. Empty means everything of its events' kind."""
        found = [next(iter(target.items())) for target in self.document.get("alert_targets") or ()]
        return [(kind, keys or {}) for kind, keys in found]


class AlertPolicies:
    """The alert policies of the organization, written through to the database and read from memory. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        rows = database.rows("SELECT * FROM alert_policies ORDER BY deployment, name")
        found = [AlertPolicy(row["id"], row["deployment"], json.loads(row["document"])) for row in rows]
        self._policies = {(policy.deployment, policy.name): policy for policy in found}

    def all(self, deployment: Deployment) -> list[AlertPolicy]:
        """Those of a deployment, by name."""
        found = [policy for policy in self._policies.values() if policy.deployment == deployment.name]
        return sorted(found, key=lambda policy: policy.name)

    def numbered(self, deployment: Deployment, number: str) -> AlertPolicy | None:
        return next((policy for policy in self.all(deployment) if policy.id == number), None)

    def put(self, deployment: Deployment, document: Any) -> AlertPolicy:
        """Make or change the policy that ``document`` names. Raises ``AlertPolicyError``."""
        _refuse(deployment, faults(document))
        return self._store(deployment, [document], others_go=False)[0]

    def reconcile(self, deployment: Deployment, document: Any) -> list[AlertPolicy]:
        """Let the deployment have the policies of ``document`` and no others. Raises ``AlertPolicyError``.

        ``document`` is a map with ``alert_policies``, or the list itself.
        """
        policies = document.get("alert_policies") if isinstance(document, dict) else document
        _refuse(deployment, _faults_of_all(document, policies))
        return self._store(deployment, policies or [], others_go=True)

    def delete(self, deployment: Deployment, name: str) -> bool:
        """Whether it was there."""
        with self._lock:
            if (deployment.name, name) not in self._policies:
                return False
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM alert_policies WHERE deployment = ? AND name = ?", (deployment.name, name)
                )
            self._policies = {key: one for key, one in self._policies.items() if key != (deployment.name, name)}
            return True

    def forget(self, deployment: str) -> None:
        """The deployment was deleted, its rows with it."""
        with self._lock:
            self._policies = {key: one for key, one in self._policies.items() if key[0] != deployment}

    def _store(
        self, deployment: Deployment, documents: Sequence[dict[str, Any]], *, others_go: bool
    ) -> list[AlertPolicy]:
        with self._lock:
            known = {policy.name: policy for policy in self.all(deployment)}
            stored = [
                AlertPolicy(
                    known[document["name"]].id if document["name"] in known else uuid.uuid4().hex,
                    deployment.name,
                    document,
                )
                for document in documents
            ]
            gone = known.keys() - {policy.name for policy in stored} if others_go else set[str]()
            with self._database.transaction() as connection:
                for name in gone:
                    connection.execute(
                        "DELETE FROM alert_policies WHERE deployment = ? AND name = ?", (deployment.name, name)
                    )
                for policy in stored:
                    connection.execute(
                        "INSERT OR REPLACE INTO alert_policies (deployment, name, id, document) VALUES (?, ?, ?, ?)",
                        (policy.deployment, policy.name, policy.id, json.dumps(policy.document)),
                    )
            kept = {key: one for key, one in self._policies.items() if key not in {(deployment.name, n) for n in gone}}
            self._policies = {**kept, **{(deployment.name, policy.name): policy for policy in stored}}
            return stored


def faults(document: Any) -> list[str]:
    """What is wrong with a policy's document; empty when nothing is."""
    return _POLICY(document, "") or _against_the_rules(document)


def _faults_of_all(document: Any, policies: Any) -> list[str]:
    if isinstance(document, dict):
        wrong = mapping({}, {"alert_policies": nullable(listing(lambda _value, _path: []))})(document, "")
    else:
        wrong = nullable(listing(lambda _value, _path: []))(document, "alert_policies")
    if wrong:
        return wrong
    found: list[str] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies or ()):
        name = policy.get("name") if isinstance(policy, dict) else None
        at = f"'{name[:80]}'" if isinstance(name, str) and name else f"alert_policies[{index}]"
        found += [f"{at}: {fault}" for fault in faults(policy)]
        if isinstance(name, str) and name in seen:
            found.append(f"{at}: named twice.")
        seen.add(str(name))
    return found


def _against_the_rules(document: dict[str, Any]) -> list[str]:
    """The rules between keys, of a document of the right shape."""
    events = set(document["event_types"])
    kinds = [next(iter(target)) for target in document.get("alert_targets") or ()]
    options = document.get("policy_options") or {}
    categories = sorted({_CATEGORIES[event] for event in events})
    assets = all(category.startswith("asset") for category in categories)
    rules = [
        (len(categories) > 1, f"event_types mix {' and '.join(categories)} events; make a policy for each kind."),
        (
            "JOB_LONG_RUNNING" in events and "long_running_job_threshold_target" not in kinds,
            "JOB_LONG_RUNNING needs a long_running_job_threshold_target in alert_targets.",
        ),
        (
            "ASSET_TABLE_SCHEMA_CHANGE" in events and not options.get("table_schema_change_types"),
            "ASSET_TABLE_SCHEMA_CHANGE needs policy_options.table_schema_change_types.",
        ),
        (categories == ["insights"] and len(kinds) != 1, "Insights events need exactly one target in alert_targets."),
        (
            options.get("consecutive_failure_threshold") is not None and events != {"TICK_FAILURE"},
            "policy_options.consecutive_failure_threshold is for TICK_FAILURE only.",
        ),
        (
            options.get("renotify_interval_minutes") is not None and not events <= _RENOTIFIED,
            f"policy_options.renotify_interval_minutes is for {', '.join(sorted(_RENOTIFIED))} only.",
        ),
        (
            "email_owners" in document["notification_service"] and not assets,
            "notification_service.email_owners is for events of assets only.",
        ),
    ]
    return [words for broken, words in rules if broken]


def _refuse(deployment: Deployment, found: list[str]) -> None:
    if deployment.is_branch:
        found = [f"'{deployment.name}' is a branch deployment; alert policies are a full deployment's."]
    if found:
        raise AlertPolicyError(found)
