"""Large blobs of Azure, sent in blocks that are put together by the last request."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final

from asset_values.faults import Fault, FaultKind
from asset_values.stores.s3_multipart import part_size
from asset_values.stores.s3_reading import in_parts

_SENT: Final = 8 << 20  # bytes a block; eight of them are held at most. Azure takes 50,000, S3's rule keeps to 10,000
_AT_ONCE: Final = 4
Ask = Callable[[Callable[[Any], Any]], Any]


class BlockUpload:
    """One blob on its way. Blocks that are never put together are no blob: nobody sees them, they are not listed, and
    Azure takes them away after a week (https://learn.microsoft.com/rest/api/storageservices/put-block)."""

    def __init__(self, ask: Ask) -> None:
        """``ask`` does a work with the blob's client and raises ``Fault``."""
        self._ask = ask

    def send(self, parts: Iterator[bytes], size: int, committed: Mapping[str, Any]) -> tuple[str, str]:
        """The version afterwards and the SHA-256 (hex) of what was sent. ``size`` is checked; ``committed``: more of
        the last request (metadata, the condition)."""
        from azure.storage.blob import BlobBlock

        digest, sent, blocks = hashlib.sha256(), 0, []
        upload = uuid.uuid4().hex  # of two uploads to one place each has its own blocks
        running: set[Future[None]] = set()
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="asset-values-blocks")
        try:
            for number, part in enumerate(in_parts(parts, part_size(size, _SENT))):
                digest.update(part)
                sent += len(part)
                block = base64.b64encode(f"{upload}-{number:06}".encode()).decode()
                blocks.append(BlobBlock(block_id=block))
                running.add(pool.submit(self._stage, block, part))
                del part
                if len(running) == _AT_ONCE:
                    ended, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        future.result()
            for future in running:
                future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if sent != size:
            raise Fault(FaultKind.CORRUPT, f"{sent} bytes came where {size} were announced; nothing was written.")
        told = self._ask(lambda blob: blob.commit_block_list(blocks, **committed))
        return str(told["etag"]).strip('"'), digest.hexdigest()

    def _stage(self, block: str, part: bytes) -> None:
        self._ask(lambda blob: blob.stage_block(block, part, length=len(part), validate_content=True))
