"""What Serverless ran, word for word, on disk: mode 0600, since documents may hold what is secret."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid.errors import UsageError

Documents = Mapping[str, dict[str, Any]]


def keep(path: Path, documents: Documents) -> str:
    """On disk, whole, when this returns; a kill leaves the former ones. SHA-256 of them."""
    content = json.dumps(documents, sort_keys=True, indent=1, ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".documents-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return hashlib.sha256(content).hexdigest()


def kept(path: Path, digest: str) -> Documents:
    """Raises ``UsageError`` when they are not there, or others."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _lost(path, error.strerror or "it cannot be read") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise _lost(path, "it is not what the journal says")
    found: Documents = json.loads(content)
    return found


def _lost(path: Path, why: str) -> UsageError:
    return UsageError(
        f"What Serverless ran cannot be read from {path}.",
        why=f"{why[:1].upper()}{why[1:]}; by it they are put back.",
        next_step="bring the file back from a backup of this checkout's .hybrid; or deploy the locations to Serverless "
        "anew, as they were deployed there before.",
    )
