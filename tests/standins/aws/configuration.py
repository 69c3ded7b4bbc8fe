"""The provider's own settings: from the program, and from the environment where the endpoint is not AWS's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN, Properties, reveal
from tests.standins.aws import convert
from tests.standins.aws.shapes import Shape
from tests.standins.aws.terraform import Terraform
from tests.standins.aws.values import packed

_OF_THE_ENGINE: Final = frozenset({"version", "pluginDownloadURL", "__internal"})
_TERRAFORM: Final = "1.12.0"  # the version that the provider is told; it goes into the user agent
_ELSEWHERE: Final[Properties] = {
    "skipCredentialsValidation": True,
    "skipMetadataApiCheck": "true",
    "s3UsePathStyle": True,
    "maxRetries": 2,
}
"""For an endpoint of the environment's: no metadata service, and a host name for a bucket leads nowhere."""


def read(shape: Shape, given: Mapping[str, Any]) -> Properties:
    """What the program set, with the settings that are no text unfolded from the JSON that they travel in."""
    kinds = {field.pulumi: field.shape.kind for field in shape.fields}
    plain: Properties = reveal(dict(given))
    return {
        name: _unfolded(value) if kinds.get(name, "string") != "string" else value
        for name, value in plain.items()
        if name not in _OF_THE_ENGINE and value is not None
    }


def _unfolded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value is not UNKNOWN else value


def region(settings: Properties, environ: Mapping[str, str]) -> str:
    """The region that the provider works in."""
    return str(settings.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "")


def configure(terraform: Terraform, shape: Shape, settings: Properties, environ: Mapping[str, str]) -> None:
    """Hand the settings over. Raises ``TerraformError``, as for an account that is not among the allowed ones."""
    beyond = _ELSEWHERE if environ.get("AWS_ENDPOINT_URL") else {}
    configured = convert.to_terraform(shape, {**beyond, **settings}, given=True)
    prepared = terraform.call("PrepareProviderConfig", config=packed(configured)).prepared_config
    terraform.call(
        "Configure",
        config=prepared if prepared.msgpack else packed(configured),
        terraform_version=_TERRAFORM,
    )
