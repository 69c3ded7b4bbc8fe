"""docs/conformance.md: the register as tables, with who answers each document as found by asking the schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hybrid.emulator.conformance.faults import Found
from hybrid.emulator.conformance.register import SENDERS, Entry, Register
from hybrid.emulator.conformance.sources import releases

_TITLES: Final = {
    "agent": "Agents",
    "storage": "Storages of agents, code servers and run workers",
    "user code": "User code",
    "dagster-cloud": "`dagster-cloud`",
    "dg plus": "`dg plus`",
    "dg api": "`dg api`",
    "other": "Others",
}
_HEAD: Final = """# Conformance

What the installed clients of Dagster+ can send, and whether the embedded Dagster+ answers it. `make docs` makes this
page from the packages' source, from `hybrid/emulator/conformance/register.yaml` and from the emulator's own schemas;
a test fails when it is stale, when a document is new, and when something unserved has no reason.

- **Answered by** is found by validating the document against the schemas, not taken from a list.
- **Rests on**: `client` (the installed client's source implies it), `schema` (the published GraphQL schema), `docs`,
  or `invented`.
- **Tested by** names the tests that check what was sent and what came back.

A document that is answered here need not be answered the same by Dagster+: what nobody can know without an account
is in [unknowns.md](unknowns.md).
"""


def markdown(register: Register, found: Found) -> str:
    """The whole page."""
    lines = [_HEAD, *_counts(register)]
    for sender in SENDERS:
        lines += _section(sender, register, found)
    lines += _unserved(register)
    return "\n".join(lines).rstrip() + "\n"


def _counts(register: Register) -> list[str]:
    shown = ", ".join(f"{package} {release}" for package, release in releases().items())
    lines = [
        f"Looked at: {shown}.",
        "",
        "| sent by | documents | served | REST paths | served |",
        "|---|--:|--:|--:|--:|",
    ]
    totals = [0, 0, 0, 0]
    for sender in SENDERS:
        counts = [*_count(register.documents, sender), *_count(register.paths, sender)]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        if any(counts):
            lines.append(f"| {_TITLES[sender]} | {' | '.join(str(count) for count in counts)} |")
    return [*lines, f"| **all** | {' | '.join(f'**{total}**' for total in totals)} |", ""]


def _count(entries: Mapping[tuple[str, str], Entry], sender: str) -> tuple[int, int]:
    of_sender = [entry for entry in entries.values() if entry.sender == sender]
    return len(of_sender), sum(not entry.unserved for entry in of_sender)


def _section(sender: str, register: Register, found: Found) -> list[str]:
    documents = [entry for entry in _of(register.documents, sender) if not entry.unserved]
    paths = [entry for entry in _of(register.paths, sender) if not entry.unserved]
    lines = [f"## {_TITLES[sender]}", ""] if documents or paths else []
    if documents:
        lines += ["| document | | answered by | rests on | tested by |", "|---|---|---|---|---|"]
    for entry in documents:
        key = (entry.package, entry.key)
        document = found.documents.get(key)
        kind = document.kind if document else "gone"
        by = found.verdicts[key].by if document else None
        lines.append(f"| {_name(entry)} | {kind} | {by or '**nobody**'} | {entry.rests} | {_tests(entry.tests)} |")
    if documents and paths:
        lines.append("")
    if paths:
        lines += ["| path | client | rests on | tested by |", "|---|---|---|---|"]
    for entry in paths:
        lines.append(f"| {_name(entry)} | {_short(entry.package)} | {entry.rests} | {_tests(entry.tests)} |")
    return [*lines, ""] if lines else []


def _unserved(register: Register) -> list[str]:
    lines = ["## Not served", "", "| document or path | sent by | why not |", "|---|---|---|"]
    for entries in (register.documents, register.paths):
        for sender in SENDERS:
            for entry in _of(entries, sender):
                if entry.unserved:
                    lines.append(f"| {_name(entry)} | {_TITLES[sender]} | {entry.unserved} |")
    return lines


def _of(entries: Mapping[tuple[str, str], Entry], sender: str) -> list[Entry]:
    return sorted((entry for entry in entries.values() if entry.sender == sender), key=lambda entry: entry.key.lower())


def _name(entry: Entry) -> str:
    """The operation, with its constant's name below it where there are two."""
    method_or_name, _, rest = entry.key.partition(" ")
    if rest.startswith("/"):
        return f"`{entry.key}`"
    return f"`{method_or_name}`" + "".join(f"<br>`{word}`" for word in rest.split())


def _tests(tests: Sequence[str]) -> str:
    """A test's name is a sentence: it is shown as one, and links to its file."""
    shown = []
    for test in tests:
        file, _, name = test.partition("::")
        sentence = name.rsplit("::", 1)[-1].removeprefix("test_").replace("_", " ")
        shown.append(f"[{sentence}](../{file})")
    return "<br>".join(shown)


def _short(package: str) -> str:
    return package.replace("_", "-")
