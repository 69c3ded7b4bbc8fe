"""What is sent to a branch deployment, what is left, what is taken out; and that nothing goes anywhere else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from hybrid.errors import UsageError
from hybrid.pipeline.branch_deployment import Wanted, Written, write_locations
from hybrid.pipeline.claim import Claim
from hybrid.pipeline.errors import SupersededError
from hybrid.pipeline.sent_code import SentCode
from tests.unit.pipeline.organization import BRANCH, NEW, OURS, Client, Organization, status

pytestmark = pytest.mark.unit

IMAGE = "ghcr.io/acme/alpha@sha256:" + "a" * 64


class _NoHistory:
    def contains(self, descendant: str, ancestor: str) -> bool:
        return False


@pytest.fixture
def organization() -> Organization:
    return Organization(documents={"prod": {"alpha": {"location_name": "alpha", "image": IMAGE}}})


@pytest.fixture
def claim(organization: Organization) -> Claim:
    made = Claim.taken(organization.client(), BRANCH, OURS, _NoHistory())  # type: ignore[arg-type]
    organization.writes.clear()
    return made


@pytest.fixture
def code(tmp_path: Path, claim: Claim) -> SentCode:
    return SentCode(tmp_path / "branches", claim.name)


def wanted(name: str = "alpha", image: str | None = IMAGE, content: str | None = None, **more: Any) -> Wanted:
    document = {"location_name": name, "code_source": {"module_name": name}, "image": image, **more}
    return Wanted(name, document, "built", image=image, content=content)


def written(organization: Organization, claim: Claim, code: SentCode, *each: Wanted) -> Written:
    said: list[str] = []
    return write_locations(claim, organization.client(claim.name), each, code, said.append)


def test_what_is_there_already_is_not_sent_again(organization: Organization, claim: Claim, code: SentCode) -> None:
    first = written(organization, claim, code, wanted(), wanted("beta"))
    assert first == Written(sent=("alpha", "beta"))
    again = written(organization, claim, code, wanted(), wanted("beta", executable_path="/x"))
    assert again == Written(sent=("beta",), unchanged=("alpha",))
    assert organization.writes == [f"put {name} in {claim.name}" for name in ("alpha", "beta", "beta")]


def test_other_code_behind_the_same_document_is_sent(organization: Organization, claim: Claim, code: SentCode) -> None:
    one, other = wanted(image=None, content="1"), wanted(image=None, content="2")
    assert written(organization, claim, code, one).sent == ("alpha",)
    assert written(organization, claim, code, one).sent == ()
    assert written(organization, claim, code, other).sent == ("alpha",)
    assert written(organization, claim, code, other).sent == ()


def test_code_of_which_nobody_knows_whether_it_was_sent_is_sent(
    organization: Organization, claim: Claim, code: SentCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = wanted(image=None, content="1"), wanted(image=None, content="2")
    written(organization, claim, code, one)
    with monkeypatch.context() as killed:
        killed.setattr(Client, "put_location", _killed)
        with pytest.raises(RuntimeError):
            written(organization, claim, code, other)
    assert written(organization, claim, code, one).sent == ("alpha",), "the second may have arrived"


def _killed(*_: object) -> None:
    raise RuntimeError("killed")


def test_what_failed_to_load_is_tried_again(organization: Organization, claim: Claim, code: SentCode) -> None:
    written(organization, claim, code, wanted(), wanted("beta"))
    organization.statuses[claim.name] = [status("alpha", IMAGE, error="no such secret"), status("beta", IMAGE)]
    assert written(organization, claim, code, wanted(), wanted("beta")).sent == ("alpha",)


def test_what_the_stack_has_no_more_is_taken_out(organization: Organization, claim: Claim, code: SentCode) -> None:
    written(organization, claim, code, wanted(), wanted("beta"))
    organization.writes.clear()
    assert written(organization, claim, code, wanted()).removed == ("beta",)
    assert organization.writes == [f"remove beta from {claim.name}"]


def test_a_newer_commit_stops_it_between_two_locations(
    organization: Organization, claim: Claim, code: SentCode
) -> None:
    organization.before_looks = [lambda: None, lambda: organization.put(BRANCH, NEW)]
    with pytest.raises(SupersededError):
        written(organization, claim, code, wanted(), wanted("beta"))
    assert organization.writes == [f"put alpha in {claim.name}"], "the second belongs to the newer run"


def test_the_full_deployment_is_never_written_to(organization: Organization, claim: Claim, code: SentCode) -> None:
    before = copy.deepcopy(organization.documents["prod"])
    with pytest.raises(ValueError, match="another deployment"):
        write_locations(claim, organization.client("prod"), [wanted("beta")], code, lambda _: None)
    organization.turns_into(claim.name, type="PRODUCTION")
    with pytest.raises(UsageError):
        written(organization, claim, code, wanted("beta"))
    assert organization.writes == []
    assert organization.documents["prod"] == before


def test_a_record_that_is_no_record_is_as_if_there_were_none(tmp_path: Path) -> None:
    code = SentCode(tmp_path, "../../elsewhere")
    code.note("alpha", "1")
    (file,) = tmp_path.iterdir()
    assert file.parent == tmp_path, "a name that Dagster+ chooses leads nowhere else"
    for text in ("", "[1]", "{", '"x"'):
        file.write_text(text)
        assert code.of("alpha") is None
    code.note("alpha", "2")
    assert code.of("alpha") == "2"
    code.forget()
    code.forget()
    assert list(tmp_path.iterdir()) == []
