"""The register of what installed clients can send, held against the clients, the emulator and the tests.

What this proves: nothing that a client can send is overlooked, nothing is called served that the schemas refuse, and
every test that is named exists. That the named tests check what they should is for their readers.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from hybrid.emulator.conformance import recount
from hybrid.emulator.conformance.answering import Answering, Verdict, emulators_own
from hybrid.emulator.conformance.documents import Document
from hybrid.emulator.conformance.faults import Found, faults, find
from hybrid.emulator.conformance.page import markdown
from hybrid.emulator.conformance.paths import Path as RestPath
from hybrid.emulator.conformance.register import Entry, Register, RegisterError, read_register
from hybrid.emulator.conformance.sources import Source
from hybrid.emulator.conformance.texts import Library, texts
from tests.contracts.served import Served

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def register() -> Register:
    return read_register()


@pytest.fixture(scope="module")
def answering() -> Iterator[Answering]:
    with emulators_own() as schemas:
        yield schemas


@pytest.fixture(scope="module")
def found(register: Register, answering: Answering) -> Found:
    return find(register, answering)


def test_clients_register_emulator_and_tests_agree(register: Register, found: Found) -> None:
    said = faults(register, found, ROOT)
    assert not said, "\n".join(said)


def test_the_page_is_what_the_register_and_the_schemas_say(register: Register, found: Found) -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(register, found), "run `make docs` and read what changed"


def test_both_counts_find_the_documents_that_were_looked_at(found: Found) -> None:
    written = sum(recount.operations_by_module().values())
    assert len(found.documents) == 214, "another client release: look at what it added, then change this number"
    assert written == sum(len(document.places) for document in found.documents.values()), (
        "the bare text has operations that the syntax does not show"
    )


def test_a_document_that_nobody_registered_is_a_fault(register: Register, found: Found) -> None:
    new = Document("dagster_cloud", "Unheard", "query", "query Unheard { agents { id } }", ("module:UNHEARD",))
    more = replace(found, documents={**found.documents, ("dagster_cloud", "Unheard"): new})
    assert _said(faults(register, more, ROOT), "Unheard (module:UNHEARD) is new"), "a new document has to be noticed"


def test_a_path_that_nobody_registered_is_a_fault(register: Register, found: Found) -> None:
    new = RestPath("dagster_cloud", "/unheard_of", frozenset({"PUT"}), ("module:function",))
    more = replace(found, paths=[*found.paths, new])
    assert _said(faults(register, more, ROOT), "PUT /unheard_of (module:function) is new"), "so does a new path"


def test_another_method_on_a_known_path_is_a_fault(register: Register, found: Found) -> None:
    new = RestPath("dagster_cloud", "/store_events", frozenset({"DELETE"}), ("module:function",))
    others = [path for path in found.paths if path.path != "/store_events"]
    assert _said(faults(register, replace(found, paths=[*others, new]), ROOT), "DELETE /store_events"), (
        "a known path may be asked something new"
    )


def test_what_is_called_served_has_to_be_answered(register: Register, found: Found) -> None:
    key = ("dagster_cloud", "AddAgentHeartbeats")
    refused = replace(found, verdicts={**found.verdicts, key: Verdict(None, ("Cannot query field",))})
    assert _said(faults(register, refused, ROOT), "AddAgentHeartbeats is registered as served, and it is not")


def test_what_is_called_unserved_must_not_be_answered(register: Register, found: Found) -> None:
    key = ("dagster_cloud", "AddAgentHeartbeats")
    said_otherwise = replace(
        register, documents={**register.documents, key: Entry(*key, "agent", unserved="for the test")}
    )
    assert _said(faults(said_otherwise, found, ROOT), "AddAgentHeartbeats is registered as not served, and")


@pytest.mark.parametrize(
    "test",
    [
        "tests/unit/emulator/test_graphql.py::test_that_nobody_wrote",
        "tests/unit/emulator/test_nothing.py::test_a_tokens_value_is_shown_once_and_it_starts_with_the_whole_organization",
        "tests/unit/emulator/conftest.py::Server",
    ],
)
def test_a_named_test_has_to_exist(register: Register, found: Found, test: str) -> None:
    key = ("dagster_cloud", "AddAgentHeartbeats")
    claimed = replace(register, documents={**register.documents, key: Entry(*key, "agent", "client", (test,))})
    assert _said(faults(claimed, found, ROOT), "which does not exist"), "a claim needs a test that runs"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rests": "hearsay"}, "`rests` has to be one of"),
        ({}, "`rests` has to be one of"),
        ({"rests": "client", "tests": ["nowhere::test_x"]}, "is not <word of test_files>"),
        ({"unserverd": "a slip of the pen"}, "has no meaning"),
        ({"unserved": ""}, "`unserved` to give a reason"),
    ],
)
def test_an_entry_that_says_nothing_is_refused(change: dict[str, object], words: str) -> None:
    content = yaml.safe_load((files("hybrid.emulator.conformance") / "register.yaml").read_text())
    wrong = copy.deepcopy(content)
    wrong["documents"]["dagster_cloud"] = {"agent": {"Agents": change}}
    with pytest.raises(RegisterError, match=re.escape(words)):
        read_register(yaml.safe_dump(wrong))


COMPOSED = '''
from dagster_cloud.parts import FRAGMENT, more
NAME = "Late"
WHOLE = FRAGMENT + """query One { a ...f }"""
SUM = f"query {NAME} {{ b }}" + more.TAIL
class Client:
    def method(self):
        query = gql("""
            query Three { c }
        """)
        local = "query Four { d }"
        return self.execute(query, local + FRAGMENT)
'''


def test_texts_that_are_put_together_are_read_whole() -> None:
    parts = Source("dagster_cloud", "dagster_cloud.parts", 'FRAGMENT = "fragment f on T { x }"')
    tail = Source("dagster_cloud", "dagster_cloud.parts.more", 'TAIL = " fragment g on T { y }"')
    source = Source("dagster_cloud", "dagster_cloud.whole", COMPOSED)
    library = Library()
    for _ in range(2):
        for each in (source, parts, tail):
            library.read(each)
    values = {text.value.strip(): text.place for text in texts(source, library)}
    assert values["fragment f on T { x }query One { a ...f }"] == "WHOLE"
    assert values["query Late { b } fragment g on T { y }"] == "SUM"
    assert values["query Three { c }"] == "Client.method"
    assert values["query Four { d }fragment f on T { x }"] == "Client.method"


def test_the_counts_disagree_aloud_when_one_of_them_misses_something(found: Found) -> None:
    fewer = [document for document in found.documents.values() if document.name != "CliLaunchRun"]
    said = recount.disagreements(fewer, found.unreadable)
    assert _said(said, "operation CliLaunchRun is found 0 times by its syntax and 1 times in the bare text")


def test_a_call_over_http_that_nobody_looked_at_is_a_fault(register: Register, found: Found) -> None:
    fewer = {**register.http_calls, "dagster_cloud.serverless.io_manager": 1}
    assert _said(recount.path_disagreements(found.paths, fewer, register.other_paths), "io_manager makes 6 calls")


def test_a_path_that_the_syntax_does_not_show_is_a_fault(register: Register, found: Found) -> None:
    fewer = [path for path in found.paths if path.path != "/gen_io_storage_url"]
    said = recount.path_disagreements(fewer, register.http_calls, register.other_paths)
    assert _said(said, "/gen_io_storage_url follows an address")


NOT_SERVED = ("does not serve", "cannot answer operation")


def test_a_running_server_answers_what_is_called_served_and_no_other(
    register: Register, found: Found, served: Served
) -> None:
    """Sent without variables: what is not served is refused before they are missed."""
    wrong = []
    for key, document in found.documents.items():
        entry = register.documents[key]
        token = served.agent_token if entry.sender in ("agent", "storage", "user code") else served.user_token
        said = " ".join(
            str(error.get("message")) for error in served.ask(document.text, token=token).get("errors") or ()
        )
        refused = any(words in said for words in NOT_SERVED)
        if refused != bool(entry.unserved):
            wrong.append(f"{entry.package}: {entry.key}: {said[:200] or 'answered'}")
    assert not wrong, "\n".join(wrong)


def test_a_running_server_has_the_paths_that_are_called_served_and_no_other(register: Register, served: Served) -> None:
    wrong = []
    for entry in register.paths.values():
        method, path = entry.key.split(" ")
        token = served.agent_token if entry.sender in ("agent", "storage", "user code") else served.user_token
        answer = served.http.request(method, path, headers=served.headers(token))
        if ("does not serve" in answer.text) != bool(entry.unserved):
            wrong.append(f"{entry.package}: {entry.key}: HTTP {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def _said(faults_found: list[str], words: str) -> bool:
    return any(words in fault for fault in faults_found)
