"""Where the rows go: the settings, and one writer at a time."""

from __future__ import annotations

import json
import threading
import traceback
from pathlib import Path

import pytest
from dlt_pipeline import warehouse
from dlt_pipeline.warehouse import DESTINATION, DUCKDB, KEY, SettingError, alone, bigquery_key, destination, duckdb_file

PRIVATE = "-----BEGIN " + "PRIVATE KEY-----\nnobody's\n"
GOOD = {
    "type": "service_account",
    "project_id": "sky",
    "client_email": "loader@sky.example",
    "private_key": PRIVATE,
    "token_uri": "https://oauth2.example/token",
}
RAW = json.dumps(GOOD, indent=2)


def test_the_raw_content_of_the_key_file_is_taken() -> None:
    assert bigquery_key(f"\n{RAW}\n") == GOOD, "line ends around the content do no harm"


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "empty or not set"),
        (f"'{RAW}'", "quotes around the JSON"),
        (json.dumps(RAW), "quotes around the JSON"),
        ("/secrets/key.json", "not its path"),
        (RAW[:-20], "not whole JSON"),
        (json.dumps({"type": "authorized_user"}), "not a service account's key"),
        (json.dumps({**GOOD, "private_key": 7}), "it lacks private_key"),
    ],
)
def test_what_is_pasted_in_its_place_is_told_and_never_shown(pasted: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        bigquery_key(pasted)
    shown = "".join(traceback.format_exception_only(caught.value)) + str(caught.value.__cause__)
    assert "nobody" not in shown, "the message goes to Dagster+"
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "the parser's own error has the text"


def test_an_unknown_destination_names_the_two_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="duckdb or bigquery, not 'snowflake'"):
        destination(tmp_path, {DESTINATION: "snowflake"})


def test_bigquery_without_its_client_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "find_spec", lambda module: None)
    with pytest.raises(SettingError, match=r"dlt\[bigquery\]"):
        destination(tmp_path, {DESTINATION: "bigquery", KEY: RAW})


def test_bigquery_gets_the_key_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "find_spec", lambda module: module)
    chosen = destination(tmp_path, {DESTINATION: "bigquery", KEY: RAW})
    assert chosen.destination_type.endswith("bigquery"), "the environment chose it"
    assert chosen.config_params["credentials"]["private_key"] == PRIVATE, "line ends of the private key survive"


def test_the_database_is_in_the_deployments_folder_unless_a_variable_names_another(tmp_path: Path) -> None:
    assert duckdb_file(tmp_path, {}) == tmp_path / "dlt_pipeline" / "warehouse.duckdb"
    assert duckdb_file(tmp_path, {DUCKDB: "/data/sky.duckdb"}) == Path("/data/sky.duckdb")


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with alone(tmp_path / "w.duckdb"):
            order.append("second")

    with alone(tmp_path / "w.duckdb"):
        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        with pytest.raises(TimeoutError, match="in use by another run"), alone(tmp_path / "w.duckdb", seconds=0):
            order.append("never")
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"], "two writers at once would be refused by DuckDB"
