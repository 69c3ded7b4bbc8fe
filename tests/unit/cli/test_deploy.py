"""``hybrid deploy`` and ``hybrid drift`` before they begin: what they are held against, and what they refuse. That they
do their work is shown in tests/emulated."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid.cli import main
from tests.unit.pipeline.git_repository import GitRepository
from tests.unit.pipeline.test_reviewed import review

pytestmark = pytest.mark.unit

Run = Callable[..., tuple[int, str, str]]

PIPELINE = "deploy:\n  - stack: prod\n  - stack: local\n"
PROD = """\
config:
  hybrid:organization: acme
  hybrid:agent: {kind: docker}
  hybrid:registry: {address: r.example/acme}
"""


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    stacks = tmp_path / "clone" / "stacks"
    stacks.mkdir(parents=True)
    (stacks / "pipeline.yaml").write_text(PIPELINE)
    (stacks / "Pulumi.prod.yaml").write_text(PROD)
    (stacks / "Pulumi.local.yaml").write_text("config: {}\n")
    return GitRepository(tmp_path / "clone", remote=tmp_path / "remote.git")


@pytest.fixture
def run(repository: GitRepository, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("HYBRID_ROOT", str(repository.root))
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hybrid", *arguments])
        monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_nobody_there_and_no_review_is_refused(run: Run) -> None:
    code, _, err = run("deploy", "--yes")
    assert code == 2
    assert "Nothing says what was reviewed" in err
    assert "--unreviewed" in err, "the ways on are named"


def test_an_organization_s_stack_needs_a_yes_where_nobody_can_be_asked(run: Run) -> None:
    code, _, err = run("deploy", "--unreviewed")
    assert code == 2
    assert "(prod)" in err, "the embedded one is not asked about"
    assert "--yes" in err


@pytest.mark.parametrize(
    "options",
    [("--unreviewed", "--from-comment"), ("--reviewed", "x.json", "--unreviewed")],
)
def test_ways_to_be_reviewed_exclude_each_other(options: tuple[str, ...], run: Run) -> None:
    code, _, err = run("deploy", "--yes", *options)
    assert code == 2
    assert "exclude each other" in err


@pytest.mark.parametrize("digest", ["abc", "g" * 64, "A" * 64, "a" * 63, ""])
def test_a_digest_is_whole_or_it_is_none(digest: str, run: Run) -> None:
    code, _, err = run("deploy", "--yes", "--accept", digest)
    assert code == 2
    assert "no digest" in err


def test_a_stack_that_the_pipeline_does_not_deploy_is_refused(run: Run) -> None:
    code, _, err = run("deploy", "--yes", "--unreviewed", "--stack", "dev")
    assert code == 2
    assert "prod, local" in err


def test_a_pipeline_without_stacks_has_nothing_to_do(run: Run, repository: GitRepository) -> None:
    (repository.root / "stacks" / "pipeline.yaml").unlink()
    code, out, _ = run("deploy", "--json")
    assert code == 0
    assert json.loads(out) == {"branch": "main", "commit": None, "stacks": []}


def test_a_review_that_is_none_or_saw_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "review.json"
    assert run("deploy", "--yes", "--reviewed", str(file))[0] == 2, "it is not there"
    file.write_text("{}")
    assert run("deploy", "--yes", "--reviewed", str(file))[0] == 3
    file.write_text(review("a" * 40, prod=["Bucket b"]).model_copy(update={"offline": True}).model_dump_json())
    code, _, err = run("deploy", "--yes", "--reviewed", str(file))
    assert code == 2
    assert "without a look at what stands" in err


def test_the_place_is_looked_at_before_anything_else(run: Run, repository: GitRepository) -> None:
    repository.git("switch", "-q", "-c", "feature")
    code, _, err = run("deploy", "--yes", "--unreviewed", "--unpushed")
    assert code == 2
    assert "the branch 'feature'" in err
    repository.git("switch", "-q", "main")
    (repository.root / "new").write_text("")
    code, _, err = run("deploy", "--yes", "--unreviewed", "--unpushed")
    assert code == 2
    assert "in no commit" in err


def test_drift_of_a_stack_without_a_file_is_refused(run: Run) -> None:
    code, _, err = run("drift", "--stack", "nonesuch")
    assert code == 2
    assert "local, prod" in err


def test_an_issue_is_refused_where_its_words_would_be_of_another_branch(run: Run, repository: GitRepository) -> None:
    repository.git("switch", "-q", "-c", "feature")
    code, _, err = run("drift", "--issue")
    assert code == 2
    assert "only 'main'" in err
