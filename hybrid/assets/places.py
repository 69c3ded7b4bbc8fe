"""The ends of a copy as people and manifests name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from asset_values.ends import End, place_end
from asset_values.faults import Fault, FaultKind
from asset_values.stores.places import BlobPlace, S3Place, place_of_url
from hybrid.azure.libraries import require_libraries
from hybrid.errors import UsageError, ValuesNotCopiedError
from hybrid.plus.agent_headers import agent_headers

if TYPE_CHECKING:
    from asset_values.stores.blob import BlobStore
    from asset_values.stores.folder import FolderStore
    from asset_values.stores.presigned import PresignedStore
    from asset_values.stores.s3 import S3Store
    from hybrid.plus import Endpoint
    from hybrid.redaction import Token

_URLS: Final = ("s3://", "abfss://")
_FORMS: Final = "s3://BUCKET/PREFIX, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX"
_FILE: Final = "file://"
_AT: Final = " at "


@dataclass(frozen=True)
class Place:
    """A bucket of S3, a container of Azure, or a folder of this machine."""

    where: S3Place | BlobPlace | Path

    @classmethod
    def of(
        cls, text: str, *, endpoint: str | None = None, region: str | None = None, option: str = "--endpoint"
    ) -> Place:
        """From the address of a bucket or a container, or a path; ``endpoint``: of another store with the same API, by
        this ``option``; ``region``: a bucket's. Raises UsageError."""
        if not text.startswith(_URLS):
            if "://" in text:
                raise UsageError(
                    f"'{text}' is no place for stored values.",
                    next_step=f"name {_FORMS} (with {option} URL for another store that speaks S3) or a folder of this "
                    "machine.",
                )
            if endpoint is not None:
                raise UsageError(
                    f"{option} is for places on S3 or in Azure.", next_step=f"leave it out, or name {_FORMS}."
                )
            return cls(Path(text).expanduser().absolute())
        try:
            place = place_of_url(text)
            if isinstance(place, S3Place):
                return cls(replace(place, endpoint=endpoint, region=region))
            return cls(replace(place, endpoint=endpoint))
        except ValueError as error:
            raise UsageError(
                f"'{text}' is no place for stored values.", why=str(error), next_step=f"name {_FORMS}."
            ) from None

    @classmethod
    def named(cls, name: str) -> Place | None:
        """The place that a manifest calls so; None when it is no bucket, no container and no folder."""
        if name.startswith(_FILE):
            return cls(Path(unquote(urlsplit(name).path)))
        if not name.startswith(_URLS):
            return None
        url, _, endpoint = name.partition(_AT)
        return cls(replace(place_of_url(url), endpoint=endpoint or None))

    @property
    def name(self) -> str:
        if isinstance(self.where, Path):
            return self.where.as_uri()
        return f"{self.where.url}{_AT}{self.where.endpoint}" if self.where.endpoint else self.where.url

    @property
    def base(self) -> str:
        """What Dagster's IO managers put before a value's key where their events say in which place it lies."""
        return self.where.as_posix().rstrip("/") if isinstance(self.where, Path) else self.where.url

    @property
    def end(self) -> End:
        return place_end(self.where)

    def opened(self, threads: int, *, to_write: bool) -> S3Store | BlobStore | FolderStore:
        """Its store, asked whether it can be used at all before anything is done. A folder to write to is made.

        Raises ``UsageError`` for a folder to read that is not there, ``ValuesNotCopiedError`` for a bucket or container
        that is not there, is elsewhere, or may not be used, ``ToolchainError`` without Azure's libraries for the last.
        """
        if isinstance(self.where, Path):
            _require_folder(self.where, to_write=to_write)
        if isinstance(self.where, BlobPlace):
            require_libraries()
        store = self.end.opened(threads)
        check = getattr(store, "check", None)
        if check is not None:
            try:
                check()
            except Fault as fault:
                raise unusable(self.name, fault) from None
        return store  # type: ignore[return-value]  # of a place, never the presigned one


@dataclass(frozen=True)
class Presigned:
    """Serverless's own storage, one signed address a value: what needs no rights in its account."""

    endpoint: Endpoint

    @property
    def name(self) -> str:
        return f"Serverless storage of {self.endpoint.deployment} at {self.endpoint.agent_url}"

    def opened(self, token: Token) -> PresignedStore:
        from asset_values.stores.presigned import PresignedStore

        deployment = self.endpoint.deployment
        return PresignedStore(self.endpoint.agent_url, deployment, lambda: agent_headers(token, deployment))


def unusable(name: str, fault: Fault) -> ValuesNotCopiedError:
    """``fault`` of a whole place, in words."""
    steps = {
        FaultKind.DENIED: f"give the credentials {fault.action or 'the rights'} there (docs/assets.md), or use others.",
        FaultKind.EXPIRED: "log in anew and run the same command again.",
        FaultKind.MISPLACED: "name a bucket or container that is there; `hybrid up` makes a stack's own. "
        "AWS_DEFAULT_REGION says the region of another store than the stack's.",
        FaultKind.FULL: "make room, or name another place by --to.",
    }
    return ValuesNotCopiedError(
        f"{name} cannot be used.",
        why=str(fault),
        next_step=steps.get(fault.kind, "see that it can be reached, and run the same command again."),
    )


def _require_folder(path: Path, *, to_write: bool) -> None:
    try:
        if to_write:
            path.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "it is not a folder that is there")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be used: {error.strerror}.",
            next_step=f"name a folder of this machine, or {_FORMS}.",
        ) from None
