"""One function (a data source of Terraform's)."""

from __future__ import annotations

from typing import Final

from hybrid.provider.properties import Properties
from tests.standins.aws import catalog, convert
from tests.standins.aws.book import Entry
from tests.standins.aws.convert import RefusedError
from tests.standins.aws.terraform import Terraform
from tests.standins.aws.values import packed, unpacked

_REGION: Final = "aws:index/getRegion:getRegion"


class Function:
    def __init__(self, token: str, entry: Entry, terraform: Terraform, region: str) -> None:
        self._token = token
        self._entry = entry
        self._listed = catalog.FUNCTIONS[token]
        self._terraform = terraform
        self._region = region

    def call(self, given: Properties) -> Properties:
        """What it finds. Raises ``RefusedError`` for an argument that is not mapped, else ``TerraformError``."""
        arguments = dict(given)
        if self._token != _REGION and arguments.pop("region", self._region) not in (None, self._region):
            raise RefusedError("The stand-in for Pulumi's aws plugin knows one region for a provider.")
        if missing := list(convert.unmapped(self._entry.shape, arguments)):
            raise RefusedError(
                f"The stand-in for Pulumi's aws plugin does not map {', '.join(missing)} of {self._token} "
                "(tests/standins/aws)."
            )
        configured = convert.to_terraform(self._entry.shape, arguments, given=True)
        name = self._listed.terraform
        self._terraform.call("ValidateDataSourceConfig", type_name=name, config=packed(configured))
        answer = self._terraform.call("ReadDataSource", type_name=name, config=packed(configured))
        found: Properties = convert.from_terraform(self._entry.shape, unpacked(answer.state))
        for copy, same in self._listed.copies.items():
            if same in found:
                found[copy] = found[same]
        if "region" in self._entry.missing:
            found["region"] = self._region
        return found
