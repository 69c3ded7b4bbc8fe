"""One region of one AWS account: clients that are of the right account, and errors that people can read."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from hybrid.aws.errors import AwsWrongAccount, refused, unasked

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_servicediscovery.client import ServiceDiscoveryClient

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30
_ACCOUNT: Final = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Caller:
    """Whom AWS takes us for."""

    account: str
    arn: str


class Aws:
    """The door to one region. Credentials and endpoints are found as the AWS tools find them (``AWS_PROFILE``,
    ``AWS_ENDPOINT_URL``, …).

    ``account``: twelve digits; before anything else is asked of AWS, the credentials must be of this account. None
    takes any. Safe for threads; nothing is opened before it is needed.
    """

    def __init__(self, region: str, account: str | None = None) -> None:
        self.region = region
        self.account = account
        self._lock = threading.RLock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._caller: Caller | None = None

    @property
    def ecs(self) -> ECSClient:
        return cast("ECSClient", self._checked("ecs"))

    @property
    def logs(self) -> CloudWatchLogsClient:
        return cast("CloudWatchLogsClient", self._checked("logs"))

    @property
    def cloud_map(self) -> ServiceDiscoveryClient:
        return cast("ServiceDiscoveryClient", self._checked("servicediscovery"))

    @property
    def ecr(self) -> ECRClient:
        return cast("ECRClient", self._checked("ecr"))

    @property
    def iam(self) -> IAMClient:
        return cast("IAMClient", self._checked("iam"))

    @property
    def s3(self) -> S3Client:
        return cast("S3Client", self._checked("s3"))

    @property
    def secrets(self) -> SecretsManagerClient:
        return cast("SecretsManagerClient", self._checked("secretsmanager"))

    def caller(self) -> Caller:
        """Whose the credentials are, asked once. Needs no permission of IAM. Raises ``AwsError``."""
        with self._lock:
            if self._caller is None:
                with self.doing("ask AWS whose the credentials are"):
                    told = self._client("sts").get_caller_identity()
                self._caller = Caller(told["Account"], told["Arn"])
            return self._caller

    def check_account(self) -> None:
        """Raises ``AwsWrongAccount`` when the credentials are of another account, ``AwsError`` when AWS cannot be
        asked."""
        if self.account is None:
            return
        caller = self.caller()
        if caller.account != self.account:
            raise AwsWrongAccount(
                f"The AWS credentials are of account {caller.account}, the stack's account is {self.account}.",
                why=f"AWS takes them for {caller.arn}. Nothing was changed.",
                next_step="set AWS_PROFILE (or the keys) to an identity of the stack's account; or, when the stack is "
                "to move, correct `account` in hybrid:aws of its file.",
            )

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Turns botocore's errors into ours. ``what`` completes "AWS refused to …"."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError  # no BotoCoreError: a proxy's page is no answer of AWS's

        try:
            yield
        except ClientError as error:
            told = error.response.get("Error", {})
            raise refused(what, str(told.get("Code", "")), str(told.get("Message", ""))) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise unasked(what, error) from None

    def _checked(self, service: str) -> Any:
        self.check_account()
        return self._client(service)

    def _client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                with self.doing(f"open the way to {service}"):
                    # making a session or a client is not safe for threads; using a client is
                    self._session = self._session or boto3.Session(region_name=self.region)
                    patience = Config(
                        retries={"mode": "standard"}, connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS
                    )
                    self._clients[service] = self._session.client(service, config=patience)
            return self._clients[service]


def is_account(text: str) -> bool:
    """Whether ``text`` has the form of an account's number."""
    return _ACCOUNT.fullmatch(text) is not None
