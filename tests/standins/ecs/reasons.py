"""Why tasks do not start, in AWS's words: what people search for, and what the agent hands on to Dagster+.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations


class CannotStartError(Exception):
    """A task ends with this as its ``stoppedReason`` and ``TaskFailedToStart`` as its code."""


def secret(arn: str, said: str) -> CannotStartError:
    return CannotStartError(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} "
        f"from secrets manager: {said}"
    )


def parameter(name: str, said: str) -> CannotStartError:
    return CannotStartError(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"unable to retrieve secrets from ssm: service call has been retried 1 time(s): {name}: {said}"
    )


def registry_login(said: str) -> CannotStartError:
    return CannotStartError(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"unable to retrieve ecr registry auth: service call has been retried 1 time(s): {said}"
    )


def pull(image: str, said: str) -> CannotStartError:
    return CannotStartError(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {image}: {said}"
    )


def architecture(wanted: str) -> CannotStartError:
    return CannotStartError(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain "
        f"descriptor matching platform 'linux/{wanted}'"
    )


def log_stream(said: str) -> CannotStartError:
    return CannotStartError(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        f"failed to create Cloudwatch log stream: {said} : exit status 1"
    )


def role(arn: str) -> CannotStartError:
    return CannotStartError(
        f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being "
        "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this "
        "role."
    )


def container(name: str, said: str) -> CannotStartError:
    return CannotStartError(f"CannotStartContainerError: {name}: {said}")
