"""Where values lie on S3, by name: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

_SCHEME: Final = "s3://"
_BUCKET: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
KEPT_BY_US: Final = ".asset-values/"
"""Below it lies what a copy keeps beside the values (its manifest), which is no value."""


@dataclass(frozen=True)
class S3Place:
    """A bucket, or what lies below ``prefix`` (no slash at its ends) in it.

    ``region``: None asks S3 where the bucket is, and at another ``endpoint`` (of an S3-compatible store, with its
    scheme) takes the environment's or us-east-1. ``role_arn`` (and ``external_id``): assumed for every request.
    ``key_arn``: what is written is encrypted by this key of KMS; None leaves it to the bucket.
    Raises ``ValueError`` for what cannot be a bucket or prefix.
    """

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    key_arn: str | None = None

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket) or _ADDRESS.fullmatch(self.bucket):
            raise ValueError(
                f"{self.bucket!r} cannot be the name of a bucket: it has 3 to 63 small letters, digits, dots and "
                "hyphens, with a letter or digit at both ends."
            )
        if self.prefix and any(part in ("", ".", "..") for part in self.prefix.split("/")):
            raise ValueError(
                f"{self.prefix!r} cannot be a prefix for values: names separated by single slashes, none of them "
                "'.' or '..', no slash at its ends."
            )
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"An endpoint begins with https:// (or http://), which {self.endpoint!r} does not.")

    @classmethod
    def of_url(cls, url: str) -> S3Place:
        """``s3://bucket/prefix``; the prefix is taken as it is written, without a slash at its end.

        >>> S3Place.of_url("s3://values/assets/").prefix
        'assets'
        """
        if not url.startswith(_SCHEME):
            raise ValueError(f"{url!r} is not an address of S3: it has the form s3://bucket/prefix.")
        bucket, _, prefix = url.removeprefix(_SCHEME).partition("/")
        if bucket.startswith("arn:"):
            raise ValueError(f"{url!r} names an access point; give its bucket, s3://bucket/prefix.")
        return cls(bucket, prefix.removesuffix("/"))

    @property
    def url(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}" if self.prefix else f"{_SCHEME}{self.bucket}"

    def key(self, relative: str) -> str:
        """The whole key of a value."""
        return f"{self.prefix}/{relative}" if self.prefix else relative

    def relative(self, key: str) -> str:
        """The reverse of ``key``."""
        return key[len(self.prefix) + 1 :] if self.prefix else key

    def inside(self, region: str) -> S3Place:
        """The same place, with its region known."""
        return replace(self, region=region)
