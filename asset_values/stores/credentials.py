"""Keys for AWS, renewed before they expire: one object for obstore and boto3 alike."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from asset_values.faults import Fault, FaultKind
from asset_values.stores.places import S3Place
from asset_values.stores.s3_faults import fault_of

if TYPE_CHECKING:
    from botocore.credentials import Credentials as BotocoreCredentials

_AHEAD: Final = 600.0  # seconds before the end at which new keys are asked for
_LAST_USE: Final = 30.0  # seconds before the end until which keys are used when no new ones are to be had
_PAUSE: Final = 15.0  # seconds between two tries while there are good ones
_SESSION: Final = 3600  # seconds; more AWS does not give to a role that assumes a role
TASK_ADDRESS: Final = "http://169.254.170.2"
"""Where a task on ECS or Fargate gets the keys of its role (dagster_cloud/serverless/io_manager.py, ECS_AGENT_IP)."""
TASK_VARIABLE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """What signs a request. ``expires`` in seconds since 1970; None: never, or renewed by who gave it."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None


class Credentials(Protocol):
    """Both may be called from many threads and raise ``Fault`` (DENIED, EXPIRED or UNREACHABLE)."""

    def current(self) -> AccessKeys:
        """Keys that are good now; the same object as long as they are the same."""
        ...

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        """Other keys than ``stale``, which a server called expired."""
        ...


class FixedKeys:
    """Keys that are given and never renewed."""

    def __init__(self, access_key: str, secret_key: str, token: str | None = None) -> None:
        self._keys = AccessKeys(access_key, secret_key, token)

    def current(self) -> AccessKeys:
        return self._keys

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        raise Fault(FaultKind.EXPIRED, "The AWS keys that were given have expired.")


class DefaultChain:
    """botocore's chain: variables, profile, SSO, web identity, a container's or machine's role. It renews what can be
    renewed by itself, 10 to 15 minutes before the end."""

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile
        self._lock = threading.Lock()
        self._found: BotocoreCredentials | None = None
        self._keys: AccessKeys | None = None

    def current(self) -> AccessKeys:
        found = self._found or self._look()
        try:
            frozen = found.get_frozen_credentials()
        except Exception as error:
            raise _credentials_fault(error, "sts:AssumeRole") from None
        keys = self._keys
        if keys is None or (frozen.access_key, frozen.token) != (keys.access_key, keys.token):
            with self._lock:
                keys = self._keys = AccessKeys(str(frozen.access_key), str(frozen.secret_key), frozen.token)
        return keys

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        with self._lock:
            if self._keys is stale:
                self._found = None
        keys = self.current()
        if (keys.access_key, keys.token) == (stale.access_key, stale.token):
            raise Fault(FaultKind.EXPIRED, "The AWS credentials have expired, and no others are found: log in anew.")
        return keys

    def _look(self) -> BotocoreCredentials:
        import botocore.session

        with self._lock:
            if self._found is None:
                try:
                    self._found = botocore.session.Session(profile=self._profile).get_credentials()
                except Exception as error:
                    raise _credentials_fault(error, "sts:AssumeRole") from None
            if self._found is None:
                raise Fault(
                    FaultKind.DENIED,
                    "There are no AWS credentials here: set AWS_PROFILE, log in, or run where a role is given.",
                )
            return self._found


class _Fetched:
    """Keys with an end, fetched anew well before it by one thread at a time while the others go on with the old."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: AccessKeys | None = None
        self._failed = float("-inf")

    def _fetch(self) -> AccessKeys:
        raise NotImplementedError

    def current(self) -> AccessKeys:
        keys = self._keys
        if keys is not None and self._left(keys) > _AHEAD:
            return keys
        still_good = keys is not None and self._left(keys) > _LAST_USE
        if keys is not None and still_good and self._clock() - self._failed < _PAUSE:
            return keys
        if not self._lock.acquire(blocking=not still_good):
            assert keys is not None  # noqa: S101 - somebody else is fetching, and these are good
            return keys
        try:
            if self._keys is not None and self._left(self._keys) > _AHEAD:
                return self._keys
            try:
                self._keys = self._fetch()
            except Fault:
                self._failed = self._clock()
                if not still_good or self._keys is None:
                    raise
            return self._keys
        finally:
            self._lock.release()

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        with self._lock:
            if self._keys is stale or self._keys is None:
                self._keys = self._fetch()
            keys = self._keys
        if keys.token == stale.token:
            raise Fault(FaultKind.EXPIRED, "The credentials have expired, and the same were given out again.")
        return keys

    def _left(self, keys: AccessKeys) -> float:
        return float("inf") if keys.expires is None else keys.expires - self._clock()


class TaskCredentials(_Fetched):
    """The role of the task that this runs in, also where AWS_* variables of the user name other keys.

    Serverless's own IO manager takes its keys so (dagster_cloud/serverless/io_manager.py). Raises ``Fault`` (DENIED)
    outside of such a task.
    """

    def __init__(self, address: str = TASK_ADDRESS, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._address = address

    def _fetch(self) -> AccessKeys:
        import urllib3

        path = os.environ.get(TASK_VARIABLE)
        if not path:
            raise Fault(FaultKind.DENIED, f"This is no task with a role of its own: {TASK_VARIABLE} is not set.")
        retries = urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503))
        try:
            # No proxy of the environment: the address is of this machine alone.
            with urllib3.PoolManager(retries=retries, timeout=urllib3.Timeout(connect=2, read=5)) as http:
                answer = http.request("GET", f"{self._address}{path}")
        except urllib3.exceptions.HTTPError:
            raise Fault(FaultKind.UNREACHABLE, "The task's own credentials could not be asked for.") from None
        if answer.status != 200:
            raise Fault(FaultKind.DENIED, f"The task was given no credentials (status {answer.status}).")
        told: dict[str, Any] = json.loads(answer.data)
        end = datetime.fromisoformat(told["Expiration"].replace("Z", "+00:00")).timestamp()
        return AccessKeys(told["AccessKeyId"], told["SecretAccessKey"], told["Token"], end)


class AssumedRole(_Fetched):
    """A role that ``base`` may assume, for an hour at a time.

    ``external_id``: what the role's trust demands. ``endpoint``: of STS, where it is not AWS's own.
    """

    def __init__(
        self,
        role_arn: str,
        base: Credentials,
        *,
        external_id: str | None = None,
        session_name: str = "asset-values",
        region: str | None = None,
        endpoint: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._base = base
        self._asked: dict[str, Any] = {
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": _SESSION,
            **({"ExternalId": external_id} if external_id else {}),
        }
        self._region = region
        self._endpoint = endpoint

    def _fetch(self) -> AccessKeys:
        keys = self._base.current()
        try:
            return self._assume(keys)
        except Fault as fault:
            if fault.kind is not FaultKind.EXPIRED:
                raise
        return self._assume(self._base.renewed(keys))

    def _assume(self, keys: AccessKeys) -> AccessKeys:
        import boto3
        from botocore.config import Config

        try:
            client = boto3.client(
                "sts",
                region_name=self._region or os.environ.get("AWS_REGION") or "us-east-1",
                endpoint_url=self._endpoint,
                aws_access_key_id=keys.access_key,
                aws_secret_access_key=keys.secret_key,
                aws_session_token=keys.token,
                config=Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=10),
            )
            told = client.assume_role(**self._asked)["Credentials"]
        except Exception as error:
            raise _credentials_fault(error, "sts:AssumeRole", self._asked["RoleArn"]) from None
        return AccessKeys(
            told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"], told["Expiration"].timestamp()
        )


def credentials_of(place: S3Place) -> Credentials:
    """The default chain, or the role that ``place`` names, assumed by it."""
    chain = DefaultChain()
    if place.role_arn is None:
        return chain
    return AssumedRole(place.role_arn, chain, external_id=place.external_id, region=place.region)


def _credentials_fault(error: Exception, action: str, role: str | None = None) -> Fault:
    fault = fault_of(error, S3Place("credentials"), action)
    what = f"The role {role} could not be assumed" if role else "AWS credentials could not be had"
    return Fault(fault.kind, f"{what} ({type(error).__name__}).", action=fault.action)
