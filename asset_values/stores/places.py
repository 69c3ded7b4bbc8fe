"""Where values lie on S3 and in Azure, by name: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

_SCHEME: Final = "s3://"
_BLOBS: Final = "abfss://"
_BUCKET: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_CONTAINER: Final = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_CLOUD: Final = "core.windows.net"
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
        _require_prefix(self.prefix)
        _require_endpoint(self.endpoint)

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


@dataclass(frozen=True)
class BlobPlace:
    """A blob container of an account in Azure, or what lies below ``prefix`` (no slash at its ends) in it.

    ``cloud``: what its addresses end with, another one in Azure's clouds of China and for governments. ``endpoint``: of
    the account's blobs where it is none of Azure's own. Raises ``ValueError`` for what cannot be one.
    """

    account: str
    container: str
    prefix: str = ""
    endpoint: str | None = None
    cloud: str = _CLOUD

    def __post_init__(self) -> None:
        if not _ACCOUNT.fullmatch(self.account):
            raise ValueError(f"{self.account!r} cannot be a storage account: it has 3 to 24 small letters and digits.")
        if not _CONTAINER.fullmatch(self.container):
            raise ValueError(
                f"{self.container!r} cannot be the name of a container: it has 3 to 63 small letters, digits and "
                "single hyphens between them."
            )
        if not re.fullmatch(r"[a-z0-9.-]+", self.cloud):
            raise ValueError(f"{self.cloud!r} cannot be what an address of Azure ends with.")
        _require_prefix(self.prefix)
        _require_endpoint(self.endpoint)

    @classmethod
    def of_url(cls, url: str) -> BlobPlace:
        """``abfss://container@account.dfs.core.windows.net/prefix``, as Azure and Dagster write it.

        >>> BlobPlace.of_url("abfss://values@acme.dfs.core.windows.net/assets/").container
        'values'
        """
        found = re.fullmatch(rf"{_BLOBS}([^@/]*)@([^./]*)\.dfs\.([^/]+)(?:/(.*))?", url)
        if found is None:
            raise ValueError(
                f"{url!r} is no address of Azure: it has the form abfss://container@account.dfs.{_CLOUD}/prefix."
            )
        container, account, cloud, prefix = found.groups()
        return cls(account, container, (prefix or "").removesuffix("/"), cloud=cloud)

    @property
    def url(self) -> str:
        base = f"{_BLOBS}{self.container}@{self.account}.dfs.{self.cloud}"
        return f"{base}/{self.prefix}" if self.prefix else base

    @property
    def account_url(self) -> str:
        """Where its blobs are asked for."""
        return self.endpoint or f"https://{self.account}.blob.{self.cloud}"

    def key(self, relative: str) -> str:
        """The whole name of a value's blob."""
        return f"{self.prefix}/{relative}" if self.prefix else relative

    def relative(self, key: str) -> str:
        """The reverse of ``key``."""
        return key[len(self.prefix) + 1 :] if self.prefix else key


def place_of_url(url: str) -> S3Place | BlobPlace:
    """Raises ``ValueError`` for what is no address of a place."""
    return BlobPlace.of_url(url) if url.startswith(_BLOBS) else S3Place.of_url(url)


def _require_prefix(prefix: str) -> None:
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        raise ValueError(
            f"{prefix!r} cannot be a prefix for values: names separated by single slashes, none of them "
            "'.' or '..', no slash at its ends."
        )


def _require_endpoint(endpoint: str | None) -> None:
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"An endpoint begins with https:// (or http://), which {endpoint!r} does not.")
