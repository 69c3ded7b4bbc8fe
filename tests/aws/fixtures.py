"""Fixtures around an AWS of tests and Pulumi's plugin for it: ``pytest_plugins = [..., "tests.aws.fixtures"]``."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from hybrid.toolchain import find_pulumi
from tests.aws.moto_server import Moto
from tests.aws.program import AwsProgram
from tests.standins.aws import terraform

MakeProgram = Callable[[], AwsProgram]
_STANDIN: Final = Path(__file__).resolve().parents[1] / "standins" / "aws"


def pytest_report_header(config: pytest.Config) -> str:
    return f"aws plugin of Pulumi: {_told(dict(os.environ))}"


def _told(environ: Mapping[str, str]) -> str:
    if version := official_aws_plugin(environ):
        return f"official {version}"
    if found := terraform.find(environ):
        return f"STAND-IN (tests/standins/aws, HashiCorp's provider {found.version})"
    return f"none; tests that need one are skipped (set {terraform.VARIABLE} to HashiCorp's provider)"


def official_aws_plugin(environ: Mapping[str, str]) -> str | None:
    """The version of Pulumi's own aws plugin, where the one that the SDK asks for is installed."""
    wanted = importlib.metadata.version("pulumi-aws")
    folder = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins" / f"resource-aws-v{wanted}"
    return wanted if any(folder.glob("pulumi-resource-aws*")) else None


@pytest.fixture(scope="session")
def aws_plugin_path() -> str:
    """The folder to put before PATH so that Pulumi finds an aws plugin; empty where Pulumi has its own.

    Without either the tests are skipped, but in CI that is a failure: there they must have run.
    """
    return plugin_path(dict(os.environ))


def plugin_path(environ: Mapping[str, str]) -> str:
    """See ``aws_plugin_path``."""
    if official_aws_plugin(environ):
        return ""
    if terraform.find(environ) is None:
        missing = (
            "there is neither Pulumi's aws plugin nor HashiCorp's provider (terraform-provider-aws_v*) for the "
            f"stand-in: `pulumi plugin install resource aws`, or set {terraform.VARIABLE}"
        )
        if environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return str(_STANDIN)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """An AWS account, empty at the module's first test."""
    server = Moto(tmp_path_factory.mktemp("moto"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def moto_endpoint(moto: Moto) -> str:
    return moto.endpoint


@pytest.fixture(scope="module")
def aws_environment(moto: Moto) -> dict[str, str]:
    """What a program needs to take ``moto`` for AWS."""
    return moto.environment


@pytest.fixture(scope="module")
def aws_programs(
    tmp_path_factory: pytest.TempPathFactory, aws_plugin_path: str, aws_environment: dict[str, str]
) -> Iterator[MakeProgram]:
    """Makes programs with a state of their own; what they stood up is destroyed at the module's end."""
    made: list[AwsProgram] = []
    found = find_pulumi()
    assert found is not None, "there is no Pulumi here: run `hybrid tools` first"

    def make() -> AwsProgram:
        made.append(AwsProgram(tmp_path_factory.mktemp("program"), found, aws_plugin_path, aws_environment))
        return made[-1]

    yield make
    for program in made:
        program.clean_up()


@pytest.fixture
def aws_program(aws_programs: MakeProgram) -> Iterator[AwsProgram]:
    """A program of the test's own; what it stands up is destroyed at its end."""
    program = aws_programs()
    yield program
    program.clean_up()
