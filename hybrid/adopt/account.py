"""The door to AWS with what only an adoption looks at: CloudFormation and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hybrid.aws.session import Aws

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_ec2.client import EC2Client


class Account(Aws):
    """See ``Aws``. Only questions are asked through it."""

    @property
    def cloudformation(self) -> CloudFormationClient:
        return cast("CloudFormationClient", self._checked("cloudformation"))

    @property
    def ec2(self) -> EC2Client:
        return cast("EC2Client", self._checked("ec2"))
