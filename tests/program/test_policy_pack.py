"""The pack and Pulumi's engine in seconds: no cloud, no account. A component that bears a type's name is enough for a
rule that looks at the type alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid.toolchain import Pulumi
from tests.aws.program import AwsProgram
from tests.program.policy_checkout import PolicyCheckout

pytestmark = [pytest.mark.program, pytest.mark.timeout(300)]

PUBLIC = "aws:ecrpublic/repository:Repository"


def program() -> None:
    import pulumi

    for name in ("gallery", "other"):
        pulumi.ComponentResource(PUBLIC, name)
    pulumi.export("url", "https://example.com")


@pytest.fixture(scope="module")
def stack(pulumi: Pulumi, tmp_path_factory: pytest.TempPathFactory) -> AwsProgram:
    """Without any plugin of a cloud."""
    return AwsProgram(tmp_path_factory.mktemp("program"), pulumi, "", {})


@pytest.fixture
def checkout(tmp_path: Path) -> PolicyCheckout:
    return PolicyCheckout(tmp_path / "checkout")


def test_a_preview_is_judged_and_its_findings_are_read(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    held = checkout.held(stack, program)
    assert held.code != 0, held.said
    found = sorted(str(finding.resource) for finding in held.of("public-access"))
    assert found == ["Repository gallery", "Repository other"]
    assert {finding.level for finding in held.outcome.policies} == {"mandatory", "advisory"}, "it bears no tag either"


def test_an_exception_in_the_pack_s_own_checkout_lets_pass(stack: AwsProgram, checkout: PolicyCheckout) -> None:
    checkout.allow(
        f'Allowed("public-access", "{PUBLIC}::gallery", because="Everybody may pull what we publish.")',
        f'Allowed("stack-tag", "{PUBLIC}::*", because="The gallery is shared by all stacks.", stack="dev")',
    )
    held = checkout.held(stack, program)
    assert [(each.policy, str(each.resource)) for each in held.outcome.policies] == [
        ("public-access", "Repository other")
    ], "what is named, in this checkout"


@pytest.mark.parametrize(
    ("exception", "says"),
    [
        ('Allowed("publik-access", "a:b:C::x", because="Because of a slip.")', "'publik-access' is no rule"),
        (f'Allowed("public-access", "{PUBLIC}::x", because="")', "`because` says nothing"),
        ('Allowed("public-access", "*", because="All of it, please.")', "does not say a type and a name"),
    ],
)
def test_exceptions_that_cannot_be_end_the_command_with_words(
    stack: AwsProgram, checkout: PolicyCheckout, exception: str, says: str
) -> None:
    checkout.allow(exception)
    held = checkout.held(stack, program)
    assert held.code != 0, "a list that nobody can have meant must not pass for one"
    assert says in held.said, f"what is wrong must be said:\n{held.said}"
    assert "stacks/policy_exceptions.py" in held.said, "and where"
    assert "Traceback" not in held.said


@pytest.mark.parametrize(
    ("exception", "says"),
    [
        ('Allowed("public-access", "a:b:C::x"', "SyntaxError: "),
        ('Allowed("public-access", "a:b:C::x")', "missing 1 required positional argument: 'because' (line "),
        ("allowed", "NameError: name 'allowed' is not defined (line "),
    ],
)
def test_a_file_of_exceptions_that_is_no_python_ends_the_command_with_words(
    stack: AwsProgram, checkout: PolicyCheckout, exception: str, says: str
) -> None:
    checkout.allow(exception)
    held = checkout.held(stack, program)
    assert held.code != 0
    assert "stacks/policy_exceptions.py cannot be used." in held.said, held.said
    assert says in held.said, f"what and where must be said:\n{held.said}"
    assert "Traceback" not in held.said, "the team's own slip is no fault of the pack"
