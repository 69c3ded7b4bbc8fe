"""List prices of AWS, with their date and place. An estimate needs no account; a bill has discounts that this lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Prices:
    """In US dollars. By the hour unless the name says otherwise."""

    as_of: str
    """The month in which each was read, YYYY-MM."""
    region: str
    vcpu: float
    memory_gb: float
    arm_vcpu: float
    arm_memory_gb: float
    ephemeral_gb: float
    """For each GB beyond the 20 that a task has free."""
    spot_discount: float
    """What Fargate Spot is cheaper by, as a part of one; it moves, AWS says up to 0.7."""
    nat_gateway: float
    nat_data_gb: float
    interface_endpoint: float
    """In each zone."""
    public_address: float
    secret_month: float
    key_month: float
    namespace_month: float
    """The private hosted zone of a Cloud Map DNS namespace."""
    alarm_month: float
    log_data_gb: float
    log_storage_gb_month: float
    bucket_gb_month: float
    image_gb_month: float

    @property
    def remark(self) -> str:
        return (
            f"List prices of {self.region}, read in {self.as_of}; most regions cost as much or up to a third more. "
            "Runs, data and requests come on top (docs/costs.md)."
        )


US_EAST_1: Final = Prices(
    as_of="2026-06",
    region="us-east-1",
    vcpu=0.04048,
    memory_gb=0.004445,
    arm_vcpu=0.03238,
    arm_memory_gb=0.00356,
    ephemeral_gb=0.000111,
    spot_discount=0.7,
    nat_gateway=0.045,
    nat_data_gb=0.045,
    interface_endpoint=0.01,
    public_address=0.005,
    secret_month=0.40,
    key_month=1.00,
    namespace_month=0.50,
    alarm_month=0.10,
    log_data_gb=0.50,
    log_storage_gb_month=0.03,
    bucket_gb_month=0.023,
    image_gb_month=0.10,
)
"""Pages to compare with: aws.amazon.com/NAME/pricing with fargate, vpc, privatelink, secrets-manager, kms, route53,
cloudwatch, s3 and ecr. Most regions cost the same or up to a third more; their prices are not here, so an estimate says
whose it used."""
