"""What ECS does with a task's execution role before the task starts: by its credentials, through the lab's own door, so
that IAM decides and the record shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.standins.ecs import reasons, world
from tests.standins.ecs.place import ENDPOINT

_ECR: Final = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<rest>.+)")
_CONFIG: Final = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied"})


class ExecutionRole:
    """A session of the role, named after the task. Without a role nothing is asked, and nothing given."""

    def __init__(self, arn: str | None, task_id: str, region: str) -> None:
        self.arn, self._region = arn, region
        self._session: boto3.Session | None = None
        if arn:
            with world.CHANGED:
                role = world.assume(arn, task_id, region)
            self._session = boto3.Session(role.access_key_id, role.secret_access_key, role.session_token, region)

    def secret(self, value_from: str) -> str:
        """The value of a secret or a parameter, as ``valueFrom`` names it: ARN, then ``:key:stage:version``."""
        if ":ssm:" in value_from or not value_from.startswith("arn:"):
            return self._parameter(value_from)
        parts = value_from.split(":")
        arn, key, stage, version = ":".join(parts[:7]), *(parts[7:] + ["", "", ""])[:3]
        asked = (
            {"SecretId": arn} | ({"VersionStage": stage} if stage else {}) | ({"VersionId": version} if version else {})
        )
        try:
            value = str(self._client("secretsmanager").get_secret_value(**asked)["SecretString"])
        except ClientError as error:
            raise reasons.secret(arn, said(error)) from error
        if not key:
            return value
        found = json.loads(value).get(key)
        if found is None:
            raise reasons.secret(arn, f"retrieved secret from Secrets Manager did not contain json key {key}")
        return str(found)

    def pull_permission(self, image: str, registry: str) -> str:
        """Where an image is pulled from. Of an ECR repository that is ``registry``, once the role may pull it.

        Raises CannotStartError for a denial and for a repository that is not there.
        """
        found = _ECR.fullmatch(image)
        if found is None:
            return image
        repository = re.split(r"[@:]", found["rest"])[0]
        ecr = self._client("ecr", found["region"])
        try:
            ecr.get_authorization_token()
        except ClientError as error:
            raise reasons.registry_login(said(error)) from error
        self._read_layers(ecr, image, repository, found["account"])
        return f"{registry}/{found['rest']}"

    def log_stream(self, options: Mapping[str, str], name: str) -> Any:
        """A client that may write to the stream, which is made."""
        logs = self._client("logs", options.get("awslogs-region"))
        group = options["awslogs-group"]
        try:
            if options.get("awslogs-create-group") == "true":
                self._create_group(logs, group)
            logs.create_log_stream(logGroupName=group, logStreamName=name)
        except ClientError as error:
            raise reasons.log_stream(said(error)) from error
        return logs

    def _create_group(self, logs: Any, group: str) -> None:
        try:
            logs.create_log_group(logGroupName=group)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise

    def _read_layers(self, ecr: Any, image: str, repository: str, account: str) -> None:
        """moto stores no layers: its own errors about those are no answer, only IAM's and a missing repository are."""
        named = {"repositoryName": repository, "registryId": account}
        reference = image.partition("@")[2]
        wanted = {"imageDigest": reference} if reference else {"imageTag": image.rpartition(":")[2]}
        digest = reference or f"sha256:{'0' * 64}"
        for ask in (
            lambda: ecr.batch_get_image(**named, imageIds=[wanted]),
            lambda: ecr.get_download_url_for_layer(**named, layerDigest=digest),
        ):
            try:
                ask()
            except ClientError as error:
                if error.response["Error"]["Code"] in (*_DENIED, "RepositoryNotFoundException"):
                    raise reasons.pull(image, said(error)) from error

    def _parameter(self, name: str) -> str:
        path = name.partition(":parameter")[2] or name
        asked = path if path.count("/") > 1 else path.removeprefix("/")  # only a path's name begins with a slash
        try:
            found = self._client("ssm").get_parameters(Names=[asked], WithDecryption=True)
        except ClientError as error:
            raise reasons.parameter(name, said(error)) from error
        if not found["Parameters"]:
            raise reasons.parameter(name, "invalid parameters")
        return str(found["Parameters"][0]["Value"])

    def _client(self, service: str, region: str | None = None) -> Any:
        if self._session is None:
            raise reasons.CannotStartError(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution role is not given"
            )
        session: Any = self._session
        return session.client(service, region_name=region or self._region, endpoint_url=ENDPOINT, config=_CONFIG)


def said(error: ClientError) -> str:
    """Code and message, as AWS's own agents write them."""
    found = error.response["Error"]
    return f"{found.get('Code')}: {found.get('Message')}"
