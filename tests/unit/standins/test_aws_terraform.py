"""Where a provider is looked for, what is said when it does not start, values on the wire. No provider is started."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from hybrid.provider.properties import UNKNOWN
from tests.standins.aws import terraform
from tests.standins.aws.resource import followed
from tests.standins.aws.terraform import Binary, Terraform, TerraformError
from tests.standins.aws.values import packed, unpacked
from tests.standins.aws.wire import MESSAGES

pytestmark = pytest.mark.unit


def executable(folder: Path, version: str, text: str = "#!/bin/sh\n") -> Path:
    path = folder / f"registry.terraform.io/hashicorp/aws/{version}/linux_amd64/terraform-provider-aws_v{version}_x5"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_newest_provider_of_terraform_s_folders_is_taken(tmp_path: Path) -> None:
    plugins = tmp_path / ".terraform.d" / "plugins"
    executable(plugins, "5.99.0")
    newest = executable(plugins, "5.100.0")
    found = terraform.find({"HOME": str(tmp_path), "TF_PLUGIN_CACHE_DIR": str(tmp_path / "none")})
    assert found is not None, "it lies where Terraform keeps it"
    if found.path.is_relative_to(tmp_path):  # the machine's own may be newer still
        assert (found.path, found.version) == (newest, "5.100.0"), "100 is more than 99"


def test_the_variable_wins_and_is_not_looked_past(tmp_path: Path) -> None:
    given = executable(tmp_path, "1.0.0")
    assert terraform.find({terraform.VARIABLE: str(given)}) == Binary(given), "the one that is named"
    assert terraform.find({terraform.VARIABLE: str(tmp_path / "gone")}) is None, "a wrong name is no reason to guess"


def test_a_provider_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    secret = '{"@message":"password=swordfish"}'
    script = f"#!/bin/sh\necho '{secret}' >&2\necho 'panic: no such thing' >&2\nexit 1\n"
    started = Terraform(Binary(executable(tmp_path, "1.0.0", script)), {})
    try:
        with pytest.raises(TerraformError) as refused:
            started.open()
    finally:
        started.end()
    assert "panic: no such thing" in str(refused.value), "what it wrote before it ended"
    assert "swordfish" not in str(refused.value), "but not its log"


@pytest.mark.parametrize(
    "value", [None, {"a": [1, 2.5, "x", None, True]}, {"a": UNKNOWN}], ids=["none", "known", "unknown"]
)
def test_values_are_the_same_after_the_wire(value: object) -> None:
    assert unpacked(packed(value)) == value, "nothing may be lost"


def test_an_unknown_value_of_which_something_is_known_is_unknown() -> None:
    refined = msgpack.packb({"a": msgpack.ExtType(12, msgpack.packb({1: False}))})
    assert unpacked(MESSAGES["DynamicValue"](msgpack=refined)) == {"a": UNKNOWN}, "extension 12"


def test_inputs_follow_what_drifted_and_nothing_else() -> None:
    given, before = {"port": 1}, {"port": 1, "filled": "in"}
    assert followed(given, before, before) == given, "nothing drifted"
    assert followed(given, before, {"port": 2, "filled": "in"}) == {"port": 2}, "what was given follows"
    assert followed(given, before, {"port": 1, "filled": "else"}) == given, "what was not given stays out"
    assert followed({"a": "1"}, {"a": "1"}, {"a": "1", "b": "2"}) == {"a": "1", "b": "2"}, "a tag that somebody added"
