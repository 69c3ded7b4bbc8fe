"""The program: read the stack's settings, build what they name, export what others read."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env, is_config_secret

from hybrid.errors import HybridError
from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.outputs import StackOutputs
from stacks.platforms import platform_of
from stacks.served import served_locations
from stacks.settings import Settings, from_pulumi
from stacks.stack import HybridStack


def main() -> None:
    """Stand up the stack that Pulumi has selected. Errors of ours end it without a traceback."""
    _leave_the_path()
    try:
        with _uncollected():
            workspace = Workspace.of_this_checkout()
            who = StackIdentity.of(pulumi.get_stack(), _settings(), workspace)
            folders = served_locations(workspace, who)
            HybridStack(who, workspace, folders, platform_of(who, workspace, folders)).build()
            StackOutputs.of(who, [folder.name for folder in folders]).export()
    except HybridError as error:
        raise pulumi.RunError(str(error)) from None


def _leave_the_path() -> None:
    """Pulumi's executor puts this folder before all others, where azure.py, docker.py and kubernetes.py would be taken
    for the libraries of these names."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [each for each in sys.path if Path(each).resolve() != here]


@contextmanager
def _uncollected() -> Iterator[None]:
    """The garbage collector is off in the block, and never looks at what came of it.

    It would go through all that is imported again and again while the SDKs are read, and once more when the process
    ends: with pulumi_aws more than a second, for nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _settings() -> Settings:
    config = {**get_config_env(), **CONFIG.get()}
    secret = frozenset(get_config_secret_keys_env()) | {key for key in config if is_config_secret(key)}
    return from_pulumi(config, secret, stack=pulumi.get_stack())


if __name__ == "__main__":
    main()
