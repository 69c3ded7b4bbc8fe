"""What pydantic finds wrong with a stack file, in the file's own keys and in words. Values are never repeated."""

from __future__ import annotations

from typing import Any, Final, get_args

from agent import kubernetes_parts
from stacks import aws_settings, azure_settings, delivery_settings, kubernetes_settings

NAMESPACE: Final = "hybrid:"

# Below these keys pydantic puts a union's tag between the key and what lies below it; the file has no such level.
_UNIONS: Final[tuple[tuple[str | None, ...], ...]] = (("agent",), ("locations", None), ("aws", "network"))
"""None stands for any index."""


def key_of(location: tuple[int | str, ...]) -> str:
    """A place of pydantic's as the file writes it: ``hybrid:agent.queues.additional[0]``."""
    parts = list(location)
    for union in _UNIONS:
        depth = len(union)
        below = len(parts) > depth
        if below and all(name is None or name == part for name, part in zip(union, parts, strict=False)):
            del parts[depth]
            break
    names = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return NAMESPACE + names.removeprefix(".") if names else NAMESPACE.rstrip(":")


def allowed(problem: Any) -> str:
    """What may stand there."""
    match problem["type"]:
        case "extra_forbidden":
            return "there is no such key"
        case "missing":
            return "it is needed, and not there"
        case "string_pattern_mismatch" if words := _forms().get(problem["ctx"]["pattern"]):
            return f"it must be {words}"
        case "string_type" if isinstance(problem["input"], bool | int | float):
            return "it must be text; YAML takes it for something else: put it in quotes"
        case "model_type" | "dict_type":
            return "it must be a mapping: keys with values below it"
        case "too_short" | "string_too_short" if problem["ctx"]["min_length"] == 1:
            return "it must not be empty"
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")


def _forms() -> dict[str, str]:
    """What a pattern is about, by the pattern."""
    words = {
        aws_settings.Account: "an account of AWS: twelve digits, in quotes",
        aws_settings.Region: "a region of AWS, such as eu-central-1",
        aws_settings.Zone: "an availability zone, such as eu-central-1a",
        aws_settings.Arn: "a whole ARN, as AWS shows it: arn:aws:…",
        aws_settings.RoleArn: "the whole ARN of a role: arn:aws:iam::<account>:role/<name>",
        aws_settings.PolicyArn: "the whole ARN of a managed policy: arn:aws:iam::<account>:policy/<name>",
        aws_settings.KeyArn: "the whole ARN of a KMS key: arn:aws:kms:<region>:<account>:key/<id>",
        aws_settings.Cidr: "a range of addresses, such as 10.80.0.0/16",
        aws_settings.VpcId: "the id of a VPC: vpc-…",
        aws_settings.SubnetId: "the id of a subnet: subnet-…",
        aws_settings.BucketName: "a bucket's name: lower-case letters, digits, dots and hyphens, 3 to 63 of them",
        aws_settings.RoleName: "the name of a role, without its path: letters, digits and + = , . @ _ -",
        aws_settings.BaseName: "a name of lower-case letters, digits and single hyphens that begins with a letter",
    }
    words |= {
        kubernetes_parts.NamespaceName: "a namespace's name: lower-case letters, digits and hyphens, at most 63",
        kubernetes_parts.ObjectName: "an object's name: lower-case letters, digits, hyphens and dots, at most 253",
        kubernetes_parts.LabelKey: "a key of Kubernetes, such as team or acme.example/team",
        kubernetes_parts.LabelValue: "a label's value: letters, digits, dots, hyphens and underscores, at most 63",
        kubernetes_parts.Quantity: "an amount as Kubernetes writes it: 250m, 2, 512Mi, 1Gi",
        kubernetes_settings.ContextName: "a context's name, as `kubectl config get-contexts` shows it",
        kubernetes_settings.KubeconfigPath: "an absolute path, or one below ~",
        kubernetes_settings.ServerUrl: "the address of a cluster's API, such as https://k8s.acme.example:6443",
    }
    words |= {
        azure_settings.Guid: "an id as Azure shows it: 00000000-1111-2222-3333-444444444444",
        azure_settings.Location: "a location by its short name, such as westeurope (`az account list-locations`)",
        azure_settings.GroupName: "the name of a resource group: letters, digits and _ - . ( ), at most 90",
        azure_settings.SubnetId: "the whole id of a subnet: /subscriptions/…/virtualNetworks/<name>/subnets/<name>",
        azure_settings.RegistryId: "the whole id of a registry: /subscriptions/…/registries/<name>",
        azure_settings.AccountName: "a storage account's name: lower-case letters and digits, 3 to 24 of them",
        azure_settings.ContainerName: "a container's name: lower-case letters, digits and single hyphens",
        azure_settings.TagName: "a tag's name, without < > % & \\ ? and /",
    }
    words |= {
        delivery_settings.RegistryAddress: "a registry's host and path, such as ghcr.io/acme/data",
        delivery_settings.ImageReference: "an image, such as python:3.12-slim",
        delivery_settings.PinnedImage: "an image by digest: name@sha256:…",
        delivery_settings.Platform: "linux/amd64 or linux/arm64",
        delivery_settings.SecretSource: "where a secret is: env:NAME or file:/path",
    }
    return {_pattern(kind): text for kind, text in words.items()}


def _pattern(kind: Any) -> str:
    return str(get_args(kind)[1].pattern)
