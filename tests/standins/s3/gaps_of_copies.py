"""What moto (5.2.5) ignores of copies and S3 honours: the conditions on both ends (API reference, CopyObject and
UploadPartCopy: x-amz-copy-source-if-match, If-Match, If-None-Match)."""

from __future__ import annotations

import threading
from typing import Any, Final
from urllib.parse import unquote

from moto.s3.exceptions import MissingKey, PreconditionFailed
from moto.s3.responses import S3Response

from tests.standins.ecs.patching import Gap, Patch

_LOCK: Final = threading.Lock()


def a_copy_has_conditions(patch: Patch) -> None:
    """Source and destination are looked at and the copy is made at once."""
    original = S3Response.copy_object

    def copy_object(self: Any) -> Any:
        with _LOCK:
            _check_source(self)
            there = self.backend.get_object(self.bucket_name, self.parse_key_name())
            if self.headers.get("If-None-Match") == "*" and there is not None:
                raise PreconditionFailed("If-None-Match")
            if expected := self.headers.get("If-Match"):
                if there is None:
                    raise MissingKey(key=self.parse_key_name())
                if there.etag.strip('"') != expected.strip('"'):
                    raise PreconditionFailed("If-Match")
            return original(self)

    patch.set(S3Response, "copy_object", copy_object)


def a_copied_part_has_a_condition(patch: Patch) -> None:
    original = S3Response.upload_part_copy

    def upload_part_copy(self: Any) -> Any:
        _check_source(self)
        return original(self)

    patch.set(S3Response, "upload_part_copy", upload_part_copy)


def _check_source(response: Any) -> None:
    expected = response.headers.get("x-amz-copy-source-if-match")
    bucket, key = unquote(response.headers["x-amz-copy-source"]).lstrip("/").split("/", 1)
    there = response.backend.get_object(bucket, key)
    if expected and there is not None and there.etag.strip('"') != expected.strip('"'):
        raise PreconditionFailed("x-amz-copy-source-If-Match")


GAPS: Final = (Gap(a_copy_has_conditions), Gap(a_copied_part_has_a_condition))
