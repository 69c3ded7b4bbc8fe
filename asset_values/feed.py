"""Which values to work on, and in which order: what is pending first, then what is done and may have changed."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from asset_values.decision import is_unchanged
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Manifest
from asset_values.model import Entry, Source
from asset_values.options import CopyOptions
from asset_values.passage import Task
from asset_values.row import DONE, Row, State

_PAGE: Final = 500  # keys that one statement of SQLite takes
_PAGES_AHEAD: Final = 4


def tasks(manifest: Manifest, source: Source, options: CopyOptions, *, by_server: bool) -> Iterator[Task]:
    """All that a run has to work on. A source that can list is listed once: while the store copies by itself and most
    values are pending, at once, so that no value has to be asked about singly; else after what is pending, to find
    what has changed."""
    kept = options.overwrite_newer
    total, pending = manifest.counts().total, manifest.count_pending(kept=kept)
    if by_server and source.can_list and pending * 2 > total:
        yield from _listed_at_once(manifest, source, options)
        return
    for row in manifest.pending(kept=kept):
        yield Task(row)
    if total == pending:
        return
    if source.can_list:
        yield from _changed(manifest, source, options)
    else:
        for row in manifest.rows(states=DONE, without_hint=not options.again):
            yield Task(row, recheck=True)


def _listed_at_once(manifest: Manifest, source: Source, options: CopyOptions) -> Iterator[Task]:
    met = bytearray(manifest.last_id() + 1)
    for row, entry in paired(manifest, source):
        if met[row.id]:
            continue
        met[row.id] = 1
        if _is_pending(row, options):
            yield Task(row, entry)
        elif options.again or not is_unchanged(row, entry):
            yield Task(row, entry, recheck=True)
    for row in manifest.pending(kept=options.overwrite_newer):
        if not met[row.id]:
            yield Task(row)


def _changed(manifest: Manifest, source: Source, options: CopyOptions) -> Iterator[Task]:
    for row, entry in paired(manifest, source):
        if row.done and not _is_pending(row, options) and (options.again or not is_unchanged(row, entry)):
            yield Task(row, entry, recheck=True)


def _is_pending(row: Row, options: CopyOptions) -> bool:
    hinted = row.item.hint is not None and row.item.hint != row.done_hint
    return not row.done or hinted or (options.overwrite_newer and row.state is State.KEPT)


def paired(manifest: Manifest, source: Source) -> Iterator[tuple[Row, Entry]]:
    """Each planned row with what the listing of the source says of it, in the listing's order."""
    span = manifest.source_range()
    if span is None:
        return
    with _ahead(source, _common_folder(*span)) as pages:
        for page in pages:
            entries = {entry.key: entry for entry in page}
            for row in manifest.by_source_keys(list(entries)):
                yield row, entries[row.item.source_key]


def _common_folder(first: str, last: str) -> str:
    """The folder that all keys between the two are in."""
    return os.path.commonprefix([first, last]).rpartition("/")[0]  # noqa: RUF071 - of texts, then cut to a folder


@contextmanager
def _ahead(source: Source, prefix: str) -> Iterator[Iterator[list[Entry]]]:
    """The listing's entries by pages, some of which are read ahead by a thread of its own."""
    pages: queue.Queue[list[Entry] | Exception] = queue.Queue(_PAGES_AHEAD)
    left = threading.Event()

    def put(page: list[Entry] | Exception) -> bool:
        while not left.is_set():
            try:
                pages.put(page, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            entries = source.entries(prefix)
            while page := list(islice(entries, _PAGE)):
                if not put(page):
                    return
            put([])
        except Exception as error:
            put(
                error if isinstance(error, Fault) else Fault(FaultKind.OTHER, f"listing failed: {type(error).__name__}")
            )

    def read_pages() -> Iterator[list[Entry]]:
        while page := pages.get():
            if isinstance(page, Exception):
                raise page
            yield page

    thread = threading.Thread(target=read, name="asset-values-listing", daemon=True)
    thread.start()
    try:
        yield read_pages()
    finally:
        left.set()
        thread.join(timeout=5)
