"""Rules about what runs in containers: which image, and no secret in plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hybrid.redaction import looks_secret, redact
from policies import containers
from policies.rule import ResourceRule
from policies.subjects import Subject

_BY_DIGEST: Final = re.compile(r"(?:[^@\s]+@)?sha256:[0-9a-f]{64}")

# Where a secret is, which is no secret.
_REFERENCE: Final = re.compile(r"arn:aws[\w-]*:(?:secretsmanager|ssm):[\w-]*:\d{12}:(?:secret:|parameter/)[\w/+=.@:-]+")

AGENT_BY_VERSION: Final = re.compile(r"(?:public\.ecr\.aws|docker\.io)/dagster/dagster-cloud-agent:\d+\.\d+\.\d+")
"""Dagster's own agent image at a version: the stack's default. Dagster names its releases by version, and the settings
of the stack are held against that very version. ECS itself resolves the tag once for
a deployment of the service, so that all of its tasks run the same image
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html). `hybrid:agent.mirrorImage` or a
digest in `hybrid:agent.image` takes away the trust in the gallery."""


def _by_tag(subject: Subject) -> Iterator[str]:
    for image in dict.fromkeys(containers.images(subject)):
        if not _BY_DIGEST.fullmatch(image) and not AGENT_BY_VERSION.fullmatch(image):
            yield f"{subject} runs {redact(image)[:200]}, which is no digest: what it names can be changed."


def _in_plain(subject: Subject) -> Iterator[str]:
    if containers.unreadable(subject):
        yield f"{subject} has containers that cannot be read, so nobody knows what is in them."
    said = containers.variables(subject)
    telling = dict.fromkeys(name for name, value in said if looks_secret(name, _REFERENCE.sub("", value)))
    for name in telling:
        what = "command" if name == "command" else f"variable {redact(name)[:100]}"
        yield f"{subject} has what looks like a secret in its {what}."


_SAYS_WHERE: Final = {
    containers.TASK_DEFINITION: ("containerDefinitions",),
    containers.CONTAINER: ("envs", "command", "entrypoints"),
    containers.SERVICE: ("taskSpec",),
    containers.LOCATION: ("document",),
    **dict.fromkeys(containers.AZURE, ("template",)),
}

IMAGES: Final = ResourceRule(
    name="image-by-digest",
    level="mandatory",
    reason="Whoever moves a tag changes what runs with the roles of this stack, and no review sees it.",
    todo="name the image by its digest (`…@sha256:…`); what `hybrid` builds and pins is named so.",
    looks_at="Images of task definitions of ECS, of Azure's container apps and jobs, of Docker's containers, services "
    "and images, and of code locations with their sidecars. Dagster's own agent image at a version passes "
    "(`public.ecr.aws/dagster/dagster-cloud-agent:1.2.3`, or that of docker.io): Dagster names its releases so, the "
    "stack's settings are held against that version, and ECS resolves the tag once for a deployment; "
    "`hybrid:agent.mirrorImage` gives a digest.",
    judges={
        **{kind: keys for kind, keys in _SAYS_WHERE.items() if kind != containers.CONTAINER},
        containers.CONTAINER: ("image",),
        containers.REMOTE_IMAGE: ("name",),
    },
    check=_by_tag,
)

SECRETS: Final = ResourceRule(
    name="plain-secrets",
    level="mandatory",
    reason="A variable in plain can be read by everyone who may look at the task, the container or the state.",
    todo="keep it in Secrets Manager and name it under `secrets`, or keep it in Dagster+ by `hybrid:variables`.",
    looks_at="Variables and commands in task definitions of ECS, in Azure's container apps and jobs, in Docker's "
    "containers and services, in documents of code locations, in functions of Lambda and in the local agent's "
    "processes: names that end like a secret's (`…_PASSWORD`, `…_TOKEN`), and values of the shape of tokens, keys and "
    "addresses with a password. ARNs of secrets and parameters pass: they say where it is. Values are never shown.",
    judges={**_SAYS_WHERE, containers.FUNCTION: ("environment",), containers.PROCESS: ("environment", "command")},
    check=_in_plain,
)
