"""The resource classes of images that programs use. Names and tokens here are recorded in state: none is ever renamed.

Inputs are explained in ``location_image`` and ``published_image``; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pulumi
from pulumi import Input, Output

from hybrid.delivery.images.spec import ImageSpec
from hybrid.provider.resources import _properties


@dataclass(frozen=True)
class LocationImageArgs:
    """What to build, and where it goes."""

    repository: Input[str]
    context: Input[str]
    dockerfile: Input[str] | None = None
    """Left out, a Dockerfile that fits the folder is used; it is not written."""
    arguments: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    platforms: Input[Sequence[Input[str]]] = ()
    secrets: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    """BuildKit's id to ``env:NAME`` or ``file:/absolute/path``; never a value."""
    labels: Input[Mapping[str, Input[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ImageSpec) -> LocationImageArgs:
        """The image that ``spec`` describes, which the command line builds alike."""
        return cls(
            repository=spec.repository,
            context=str(spec.context),
            dockerfile=str(spec.dockerfile) if spec.dockerfile else None,
            arguments=dict(spec.arguments),
            platforms=list(spec.platforms),
            secrets=dict(spec.secrets),
            labels=dict(spec.labels),
        )


class LocationImage(pulumi.CustomResource):
    """A code location's image, built and pushed when its content changed."""

    def __init__(self, name: str, args: LocationImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("reference", "digest", "tag", "content_hash", "files", "bases"))
        super().__init__("dagsterhybrid:index:LocationImage", name, properties, opts)

    @property
    def reference(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["reference"])

    @property
    def digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["digest"])

    @property
    def tag(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["tag"])

    @property
    def content_hash(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["contentHash"])

    @property
    def files(self) -> Output[Mapping[str, str]]:
        return cast("Output[Mapping[str, str]]", self.__dict__["files"])

    @property
    def bases(self) -> Output[Mapping[str, str]]:
        return cast("Output[Mapping[str, str]]", self.__dict__["bases"])


@dataclass(frozen=True)
class PublishedImageArgs:
    """An image by tag or digest."""

    image: Input[str]


class PublishedImage(pulumi.CustomResource):
    """An image that somebody else built, by its digest."""

    def __init__(self, name: str, args: PublishedImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("reference", "digest"))
        super().__init__("dagsterhybrid:index:PublishedImage", name, properties, opts)

    @property
    def reference(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["reference"])

    @property
    def digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["digest"])
