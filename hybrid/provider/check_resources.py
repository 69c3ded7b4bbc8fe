"""The classes of checks that programs use: the gate, and what those of platforms share. Names and tokens are recorded
in state: they are never renamed.

Inputs are explained in ``location_check``; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from pulumi import Input, Output

from hybrid.provider.resources import _properties


@dataclass(frozen=True)
class LocationCheckArgs:
    """A code location, and what it is to go together with."""

    name: Input[str]
    folder: Input[str]
    executable: Input[str]
    working_directory: Input[str]
    code_source: Input[Mapping[str, Input[str]]]
    document: Input[Mapping[str, Any]]
    content_hash: Input[str]
    agent_version: Input[str] | None = None
    environment: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    withheld: Input[Sequence[Input[str]]] = ()
    """Names of variables that the code will have and the check has not, such as secrets."""
    platform: Input[str] | None = None
    networks: Input[Sequence[Input[str]]] | None = None
    given: Input[Mapping[str, Any]] | None = None
    """What the stack gives to all code, and asks of it (``hybrid.delivery.gate.given``)."""
    python_image: Input[str] | None = None
    files: Input[Sequence[Input[str]]] | None = None
    attribute: Input[str] | None = None
    timeout_seconds: Input[int] | None = None


class Check(pulumi.CustomResource):
    """A statement that something was found in order."""

    def __init__(self, token: str, name: str, args: object, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(token, name, _properties(args, ("passed", "findings")), opts)

    @property
    def passed(self) -> Output[str]:
        """Names what was checked."""
        return cast("Output[str]", self.__dict__["passed"])

    @property
    def findings(self) -> Output[Sequence[str]]:
        """What could not be found out."""
        return cast("Output[Sequence[str]]", self.__dict__["findings"])


class LocationCheck(Check):
    """The statement that a code location passed the gate. Let its image depend on it."""

    def __init__(self, name: str, args: LocationCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:LocationCheck", name, args, opts)
