"""The Python file that gives a code location the jobs which copy and verify its stored values. Pure: values in, text
out."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError

NAME: Final = "copy_stored_values"
_S3: Final = "s3://"
_BLOBS: Final = "abfss://"
Standing = Literal["new", "same", "outdated", "edited"]
"""``outdated``: as it was once written. ``edited``: somebody changed it, or it was never written by this."""

_FIRST: Final = "# `hybrid assets job`; left alone once edited. sha256:"
_LINE: Final = re.compile(re.escape(_FIRST) + r"([0-9a-f]{64})\n")

_SERVERLESS: Final = """\
Run `{name}` while the location is on Serverless. Reads: the task's own credentials, by the IO managers that the
location has there (or the addresses that Dagster+ signs, where SERVERLESS_IO_MANAGER_USE_PRESIGNED_URL is set).
Writes: {writes}. A dry run (config `dry_run: true`) copies nothing and logs the task's own role."""
_HERE: Final = """\
Run `{name}` where the location's IO managers read what is stored. Reads: the location's IO managers, with the
credentials of the run. Writes: the same credentials of the run."""


@dataclass(frozen=True)
class JobPlace:
    """Where values are copied to. ``url``: of a bucket or a container, or a folder; the rest is of S3 alone."""

    url: str
    region: str | None = None
    endpoint: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class JobFile:
    """``path`` is relative to ``CodeLocationFolder.working_directory``. ``module``: what has to be imported where
    definitions are put together; None: `dg` finds it by itself."""

    path: PurePosixPath
    module: str | None
    text: str


def job_file(location: CodeLocationFolder, place: JobPlace, *, from_serverless: bool) -> JobFile:
    """Raises ``SettingsError`` for a location whose code is no folder with a module."""
    path, module = _path(location)
    return JobFile(path, module, _marked(_text(place, from_serverless)))


def standing(present: str | None, wanted: str) -> Standing:
    """What a file is beside what would be written. Line ends that git changed are no edit."""
    if present is None:
        return "new"
    plain = present.replace("\r\n", "\n")
    if plain == wanted:
        return "same"
    found = _LINE.match(plain)
    return "outdated" if found is not None and found[1] == _hash(plain[found.end() :]) else "edited"


def _path(location: CodeLocationFolder) -> tuple[PurePosixPath, str | None]:
    source = location.code_source
    if location.kind != "folder" or source.kind == "python_file":
        raise SettingsError(
            f"The location '{location.name}' has no folder of modules to put a file into.",
            next_step="put `asset_values.copy_stored_values_job` among its definitions yourself (docs/assets.md).",
        )
    parts = source.name.split(".")
    if source.kind == "autoload_defs_module_name":
        return PurePosixPath(*parts, f"{NAME}.py"), None
    folder = parts if source.kind == "package_name" else parts[:-1]
    return PurePosixPath(*folder, f"{NAME}.py"), ".".join([*folder, NAME])


def _text(place: JobPlace, from_serverless: bool) -> str:
    told = (_SERVERLESS if from_serverless else _HERE).format(name=NAME, writes=_writes(place))
    header = "\n".join(textwrap.wrap(told, 100, break_long_words=False, break_on_hyphens=False))
    return (
        f'"""Jobs that copy what this location\'s assets have stored, and load some of it there to see.\n\n{header}\n\n'
        "Run `verify_stored_values` when the location's IO managers are those of the new place.\n"
        '"""\n\n'
        f"{_imports(place)}\n"
        f"{NAME} = copy_stored_values_job(\n    destination={_destination(place)},\n)\n"
        "verify_stored_values = verify_stored_values_job()\n"
    )


def _writes(place: JobPlace) -> str:
    if place.role_arn:
        return "the role below, of your account, which the task takes for an hour at a time"
    if place.url.startswith(_BLOBS):
        return (
            "the service principal that AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET name, with the role "
            "Storage Blob Data Contributor on the container"
        )
    return "the task's own credentials, which the bucket has to let in"


def _imports(place: JobPlace) -> str:
    kind = "S3Place" if place.url.startswith(_S3) else "BlobPlace" if place.url.startswith(_BLOBS) else None
    names = "copy_stored_values_job, verify_stored_values_job"
    if kind is not None:
        return f"from asset_values import {kind}, {names}\n"
    return f"from pathlib import Path\n\nfrom asset_values import {names}\n"


def _destination(place: JobPlace) -> str:
    if place.url.startswith(_S3):
        bucket, _, prefix = place.url.removeprefix(_S3).partition("/")
        return _call(
            "S3Place",
            bucket=bucket,
            prefix=prefix,
            region=place.region,
            endpoint=place.endpoint,
            role_arn=place.role_arn,
            external_id=place.external_id,
        )
    if place.url.startswith(_BLOBS):
        container, _, rest = place.url.removeprefix(_BLOBS).partition("@")
        host, _, prefix = rest.partition("/")
        return _call("BlobPlace", account=host.partition(".")[0], container=container, prefix=prefix)
    return f"Path({_quoted(place.url)})"


def _call(what: str, **given: str | None) -> str:
    lines = "".join(f"        {name}={_quoted(value)},\n" for name, value in given.items() if value)
    return f"{what}(\n{lines}    )"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _marked(text: str) -> str:
    return f"{_FIRST}{_hash(text)}\n{text}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
