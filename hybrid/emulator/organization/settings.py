"""The settings of deployments and of the organization: which documents are taken, and what counts for a deployment.

Rests on: ``docs`` for the keys of full deployments and their bounds (deployment/dagster-plus/deploying-code/
full-deployments/full-deployment-settings-reference), for the three keys of the organization that limit the runs of
branch deployments, which have no settings of their own (…/branch-deployments/branch-deployment-concurrency);
``client`` for the older spelling (``run_queue``, ``concurrency.default_op_concurrency_limit``), for the further keys of
each section and for what excludes each other (dagster/_core/instance/config.py); ``invented``: any other key of a
deployment's document is refused, any other of the organization's is kept as it is, a document says only what was set,
and a merge goes into maps, replaces lists and takes out what is null.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment, Deployments
from hybrid.emulator.shapes import Check, any_text, flag, listing, mapping, nullable, number, one_of, text, whole
from hybrid.emulator.shapes import texts_by_name as tags

Document = dict[str, Any]
MOST_RUNS: Final = {"HYBRID": 500, "SERVERLESS": 50}
BRANCH_RUNS: Final = 50
"""Runs in progress in all branch deployments together, unless the organization says otherwise."""
_POOL_LIMIT: Final = 1000  # of Dagster's own storages
_ROLES: Final = ("CATALOG_VIEWER", "VIEWER", "LAUNCHER", "EDITOR", "ADMIN", "NO_ACCESS")


class SettingsError(EmulatorError):
    """A settings document is not taken; the text names the keys."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("The settings were not taken: " + " ".join(faults))
        self.faults = tuple(faults)


class Settings:
    """The settings documents of one organization. Thread-safe.

    Every change raises ``SettingsError`` when the document would be wrong afterwards; nothing is changed then.
    """

    def __init__(self, database: Database, deployments: Deployments) -> None:
        self._database = database
        self._deployments = deployments
        self._lock = threading.Lock()
        self._on_change: list[Callable[[Deployment], None]] = []
        row = database.rows("SELECT settings FROM organization")[0]
        self._organization: Document = json.loads(row["settings"])

    @property
    def of_organization(self) -> Document:
        """What was set for the organization."""
        return self._organization

    def when_changed(self, listener: Callable[[Deployment], None]) -> None:
        """Call ``listener`` with each branch deployment when the organization's settings, and so its own, change.

        A change of a full deployment's settings is told by ``Deployments.when_changed``.
        """
        self._on_change.append(listener)

    def set_organization(self, document: Any, *, merge: bool = False) -> Document:
        """Replace the organization's document, or put it over what is there."""
        with self._lock:
            wanted: Document = _combined(self._organization, document, merge=merge)
            _refuse(_organization_faults(wanted))
            with self._database.transaction() as connection:
                connection.execute("UPDATE organization SET settings = ?", (json.dumps(wanted),))
            self._organization = wanted
        for branch in self._deployments.branches():
            for listener in self._on_change:
                listener(branch)
        return wanted

    def set_deployment(self, deployment: Deployment, document: Any, *, merge: bool = False) -> Document:
        """Replace a full deployment's document, or put it over what is there."""
        if deployment.is_branch:
            raise SettingsError(
                [
                    f"'{deployment.name}' is a branch deployment; these have no settings of their own, but those of "
                    "the organization (max_concurrent_branch_deployment_runs and others)."
                ]
            )
        with self._lock:
            current = self._deployments.numbered(deployment.id) or deployment
            wanted = _combined(current.settings, document, merge=merge)
            _refuse(deployment_faults(wanted, current.agent_type))
            return self._deployments.set_settings(deployment.id, wanted).settings

    def in_effect(self, deployment: Deployment) -> Document:
        """The document that counts for a deployment: its own, or for a branch deployment the organization's limits.

        The limit over all branch deployments together is not enforced across them; each is held to it alone.
        """
        if not deployment.is_branch:
            return deployment.settings
        together = self._organization.get("max_concurrent_branch_deployment_runs", BRANCH_RUNS)
        alone = self._organization.get("max_concurrent_runs_per_branch_deployment")
        runs = {
            "max_concurrent_runs": together if alone is None else min(alone, together),
            "tag_concurrency_limits": self._organization.get("branch_deployment_tag_concurrency_limits") or [],
        }
        return {"concurrency": {"runs": runs}}


def deployment_faults(document: Any, agent_type: str) -> list[str]:
    """What is wrong with the settings of a full deployment; empty when nothing is."""
    faults = _deployment(MOST_RUNS[agent_type])(document, "")
    if not isinstance(document, dict):
        return faults
    concurrency, queue = document.get("concurrency"), document.get("run_queue")
    if isinstance(concurrency, dict) and isinstance(queue, dict) and concurrency.keys() & {"runs", "pools"}:
        twice = sorted(queue.keys() & {"max_concurrent_runs", "tag_concurrency_limits"})
        faults += [f"run_queue.{key} and concurrency.runs exclude each other; keep the latter." for key in twice]
        if "block_op_concurrency_limited_runs" in queue:
            faults.append("run_queue.block_op_concurrency_limited_runs and concurrency.pools exclude each other.")
    if isinstance(concurrency, dict) and {"pools", "default_op_concurrency_limit"} <= concurrency.keys():
        faults.append("concurrency.default_op_concurrency_limit and concurrency.pools exclude each other.")
    return faults


def _organization_faults(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return mapping({})(document, "")
    known: dict[str, Check] = {
        "max_concurrent_branch_deployment_runs": whole(0, MOST_RUNS["HYBRID"]),
        "max_concurrent_runs_per_branch_deployment": nullable(whole(0)),
        "branch_deployment_tag_concurrency_limits": nullable(listing(_tag_limit)),
    }
    faults = [fault for key, check in known.items() if key in document for fault in check(document[key], key)]
    if not faults:
        together = document.get("max_concurrent_branch_deployment_runs", BRANCH_RUNS)
        alone = document.get("max_concurrent_runs_per_branch_deployment")
        if alone is not None and alone > together:
            faults.append(
                "max_concurrent_runs_per_branch_deployment must be at most max_concurrent_branch_deployment_runs, "
                f"which is {together}."
            )
    return faults


def _tag_value(value: Any, path: str) -> list[str]:
    each = mapping({"applyLimitPerUniqueValue": flag})
    return each(value, path) if isinstance(value, dict) else any_text(value, path)


_tag_limit: Final = mapping({"key": text, "limit": whole(0)}, {"value": nullable(_tag_value)})


def _deployment(most_runs: int) -> Check:
    runs: dict[str, Check] = {
        "max_concurrent_runs": nullable(whole(0, most_runs)),
        "tag_concurrency_limits": nullable(listing(_tag_limit)),
    }
    blocked: dict[str, Check] = {"enabled": flag, "op_concurrency_slot_buffer": whole(0)}
    pools: dict[str, Check] = {
        "granularity": one_of("op", "run"),
        "default_limit": nullable(whole(0, _POOL_LIMIT)),
        "op_granularity_run_buffer": nullable(whole(0)),
    }
    sections: dict[str, Check] = {
        "concurrency": mapping(
            {},
            {
                "pools": mapping({}, pools),
                "runs": mapping({}, runs),
                "default_op_concurrency_limit": nullable(whole(0, _POOL_LIMIT)),
            },
        ),
        "run_queue": mapping(
            {},
            {
                **runs,
                "block_op_concurrency_limited_runs": mapping({}, blocked),
                "max_user_code_failure_retries": whole(0),
                "user_code_failure_retry_delay": whole(0),
            },
        ),
        "run_monitoring": mapping(
            {},
            {
                "enabled": flag,
                "start_timeout_seconds": number(0),
                "cancel_timeout_seconds": number(0),
                "max_runtime_seconds": nullable(number(0)),
                "max_resume_run_attempts": whole(0),
                "poll_interval_seconds": number(0),
                "free_slots_after_run_end_seconds": nullable(number(0)),
            },
        ),
        "run_retries": mapping({}, {"enabled": flag, "max_retries": whole(0), "retry_on_asset_or_op_failure": flag}),
        "sso_default_role": one_of(*_ROLES),
        "non_isolated_runs": mapping({}, {"enabled": flag, "max_concurrent_non_isolated_runs": whole(0)}),
        "auto_materialize": mapping(
            {},
            {
                "enabled": flag,
                "minimum_interval_seconds": number(0),
                "run_tags": tags,
                "respect_materialization_data_versions": flag,
                "max_tick_retries": whole(0),
                "use_sensors": flag,
            },
        ),
        "freshness": mapping({}, {"enabled": flag}),
    }
    return mapping({}, {key: nullable(check) for key, check in sections.items()})


def _combined(current: Document, document: Any, *, merge: bool) -> Any:
    # A document that is null says nothing: `dg` sends that for an empty file.
    wanted = {} if document is None else document
    return _merged(current, wanted) if merge and isinstance(wanted, dict) else wanted


def _merged(current: Mapping[str, Any], over: Mapping[str, Any]) -> Document:
    merged = {key: value for key, value in current.items() if key not in over}
    for key, value in over.items():
        before = current.get(key)
        if isinstance(value, dict):
            merged[key] = _merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged


def _refuse(faults: list[str]) -> None:
    if faults:
        raise SettingsError(faults)
