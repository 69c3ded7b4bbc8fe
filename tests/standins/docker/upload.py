"""Files that are put into a container before it starts."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any, Final

from tests.standins.docker.kind import PluginError, Session

UPLOAD: Final = {
    "file!": str,
    "content": str,
    "contentBase64": str,
    "source": str,
    "sourceHash": str,
    "executable": bool,
    "permissions": str,
    "owner": str,
    "group": str,
}


def upload(session: Session, id: str, file: dict[str, Any]) -> None:
    """Put one file. Owned by root, mode 0644 (0744 when executable), unless it says otherwise."""
    content = _content(file)
    entry = tarfile.TarInfo(file["file"].lstrip("/"))
    entry.size = len(content)
    entry.mode = int(file.get("permissions") or ("0744" if file.get("executable") else "0644"), 8)
    entry.uid, entry.gid = _number(file, "owner"), _number(file, "group")
    with io.BytesIO() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(entry, io.BytesIO(content))
        session.client.api.put_archive(id, "/", archive.getvalue())


def _content(file: dict[str, Any]) -> bytes:
    given = [name for name in ("content", "contentBase64", "source") if file.get(name)]
    if len(given) != 1:
        raise PluginError(f"upload of {file['file']}: give exactly one of content, contentBase64, source")
    match given[0]:
        case "content":
            text: str = file["content"]
            return text.encode()
        case "contentBase64":
            return base64.b64decode(file["contentBase64"], validate=True)
        case _:
            return Path(file["source"]).read_bytes()


def _number(file: dict[str, Any], name: str) -> int:
    given = file.get(name) or "0"
    if not given.isdigit():
        raise PluginError(f"upload of {file['file']}: the stand-in takes {name} as a number, not '{given}'")
    return int(given)
