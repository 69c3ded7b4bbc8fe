"""A copy of a state: what is in it, and never may be. That the engine takes it, tests/aws/test_review.py shows."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybrid.engine.state_copy import WITHHELD, WITHHELD_CHANGED, secret_config, state_copy
from hybrid.errors import SettingsError

pytestmark = pytest.mark.unit

SIGNATURE = "4dabf18193072939515e22adb298388d"


def secret(plaintext: str) -> dict[str, str]:
    sealed = base64.b64encode(b"x" * (len(plaintext) + 16)).decode()
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": f"v1:bm9uY2U=:{sealed}"}


def exported(outputs: dict[str, Any]) -> dict[str, Any]:
    resource = {"urn": "urn:pulumi:prod::hybrid::x:y:Z::name", "custom": True, "outputs": outputs}
    return {"version": 3, "deployment": {"secrets_providers": {"type": "passphrase"}, "resources": [resource]}}


def copied(outputs: dict[str, Any], *, withheld: bool) -> dict[str, Any]:
    with state_copy("prod", exported(outputs), "config: {}\n", None, withheld=withheld) as copy:
        text = (copy.folder / ".pulumi" / "stacks" / "hybrid" / "prod.json").read_text()
    latest: dict[str, Any] = json.loads(text)["checkpoint"]["latest"]
    return latest


def test_withheld_no_ciphertext_and_no_key_is_in_the_copy() -> None:
    latest = copied({"token": secret('"agent:x:y"'), "list": [{"deep": secret('"z"')}]}, withheld=True)
    assert "ciphertext" not in json.dumps(latest)
    assert "secrets_providers" not in latest
    stands = json.loads(latest["resources"][0]["outputs"]["token"]["plaintext"])
    assert stands == WITHHELD


@pytest.mark.parametrize(("plaintext", "stands"), [('""', ""), ("null", None)])
def test_a_secret_of_nothing_stays_nothing(plaintext: str, stands: object) -> None:
    latest = copied({"unset": secret(plaintext)}, withheld=True)
    assert json.loads(latest["resources"][0]["outputs"]["unset"]["plaintext"]) == stands, (
        "a provider compares it with what the program does not say"
    )


def test_not_withheld_it_is_the_same_state() -> None:
    outputs = {"token": secret('"agent:x:y"')}
    assert copied(outputs, withheld=False) == exported(outputs)["deployment"]


def test_a_stack_without_a_state_is_new() -> None:
    with state_copy("prod", None, "config: {}\n", None, withheld=True) as copy:
        assert copy.is_new
    with state_copy("prod", exported({}), "config: {}\n", None, withheld=True) as copy:
        assert not copy.is_new


def test_the_copy_is_gone_afterwards() -> None:
    with state_copy("prod", None, "config: {}\n", None, withheld=True) as copy:
        folder = copy.folder
        assert folder.is_dir()
    assert not folder.exists()


FILE = """
secretsprovider: awskms://alias/pulumi
encryptedkey: abc
encryptionsalt: v1:salt
config:
  hybrid:organization: acme   # ours
  secrets:db_password:
    secure: v1:aaa
  nested:value:
    plain: 1
    deep: [{secure: v1:bbb}]
"""


def test_the_file_of_the_copy_has_neither_key_nor_ciphertext() -> None:
    with state_copy("prod", None, FILE, None, withheld=True) as copy:
        text = copy.config_file.read_text()
    assert yaml.safe_load(text) == {"config": {"hybrid:organization": "acme"}}


def test_a_secret_that_the_change_sets_anew_stands_for_another_value() -> None:
    assert secret_config(FILE, FILE) == {"secrets:db_password": WITHHELD, "nested:value": WITHHELD}
    changed = secret_config(FILE, FILE.replace("v1:bbb", "v1:ccc"))
    assert changed == {"secrets:db_password": WITHHELD, "nested:value": WITHHELD_CHANGED}
    assert secret_config(FILE, None)["secrets:db_password"] == WITHHELD, "a file that is new has no other value"


@pytest.mark.parametrize("text", ["- a\n", "config: [1]\n", "a: [\n", "'"])
def test_a_file_that_is_no_stack_file_is_an_error_in_words(text: str) -> None:
    with pytest.raises(SettingsError), state_copy("prod", None, text, None, withheld=True):
        pass


_values = st.recursive(
    st.one_of(
        st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.text(min_size=5, max_size=30).map(secret)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), _values, max_size=4))
def test_whatever_the_shape_no_secret_is_left_and_the_rest_is_as_it_was(outputs: dict[str, Any]) -> None:
    latest = copied(outputs, withheld=True)["resources"][0]["outputs"]
    assert "ciphertext" not in json.dumps(latest) or "ciphertext" in json.dumps(_plain(outputs))
    assert _plain(latest) == _plain(outputs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return "secret" if SIGNATURE in value else {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
