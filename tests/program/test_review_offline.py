"""`hybrid review --offline`: the real program of this checkout, run with nobody behind it, at base and head. It proves
what the review says of a change and that nobody is asked; what AWS, Docker and Dagster+ would make of it, it cannot."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybrid.engine.exported_state import ExportedResource, ExportedState
from hybrid.engine.recording import Program, StackConfig, record
from hybrid.engine.state_copy import state_copy
from hybrid.review.document import Review
from hybrid.review.markdown import markdown
from hybrid.toolchain import Pulumi
from tests.program.offline_checkout import ECS, STACKS, Repository, said, steps

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(600)]

PLANTED = "swordfish" + "-of-a-test-4711"
CODE = "locations/hello/src/hello/definitions.py"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository.made(tmp_path_factory.mktemp("offline") / "origin")


@pytest.fixture
def repository(origin: Repository, tmp_path: Path) -> Repository:
    return origin.cloned(tmp_path / "checkout")


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("whole", [False, True], ids=["one program", "two programs"])
def test_where_nothing_changed_nothing_would_change(repository: Repository, stack: str, whole: bool) -> None:
    found = repository.review(stack, whole=whole)
    assert found.standing == "present", said(found, "preview")
    assert not said(found, "base"), "the base's program runs as the head's does"
    assert (found.steps, found.restarts, found.images, found.iam, found.build_files) == ((), (), (), (), ())
    assert found.locations, "the program was really run: it declares locations"
    assert {each.standing for each in found.locations} == {"same"}
    assert not found.changes, "a comment on every pull request of what it does not do helps nobody"


def test_a_changed_file_of_a_location_builds_its_image_and_loads_it_again(repository: Repository) -> None:
    repository.write(CODE, (repository.root / CODE).read_text() + "# more\n")
    found = repository.reviewed()
    assert set(found) == {"prod", "staging", "laptop"}, "all serve hello"
    for stack in ("prod", "staging"):
        (image,) = found[stack].images
        assert (image.location, image.operation, image.because) == ("hello", "build", ("src/hello/definitions.py",))
        assert image.repository, "where it would go is known without a registry"
        told = steps(found[stack])
        assert told["CodeLocation hello-location"] == "update", "Dagster+ is told of the new image"
        assert told["LocationCheck hello-check"] == "update", "it is checked before"
        assert not [name for name in told if "migrated" in name], "the other location stays as it is"
        (change,) = next(each for each in found[stack].locations if each.name == "hello").changes
        assert (change.path, change.old, change.new) == ("image", "(as it is)", "(made by this change)"), (
            "a digest that was made up is shown to nobody"
        )
        assert not found[stack].restarts, "the agent goes on"
    assert steps(found["laptop"])["CodeLocation hello-location"] == "update"
    assert not found["laptop"].images, "a local agent has none"


def test_a_file_that_no_image_gets_builds_none(repository: Repository) -> None:
    repository.write("locations/hello/.dockerignore", "notes\n")
    repository.commit("rules")
    repository.git("branch", "--force", "main")
    repository.write("locations/hello/notes/idea.md", "an idea\n")
    assert not repository.review("staging").images, "it is left out of the context"
    repository.write("locations/hello/.dockerignore", "other\n")
    (image,) = repository.review("staging").images
    assert image.because == (".dockerignore", "notes/idea.md"), "and by other rules it is sent"


def test_a_changed_setting_of_the_agent_updates_it_and_restarts_it(repository: Repository) -> None:
    repository.replace(
        "stacks/Pulumi.prod.yaml", "    kind: ecs\n", "    kind: ecs\n    cpu: 1024\n    memoryMib: 4096\n"
    )
    repository.replace(
        "stacks/Pulumi.staging.yaml", "    kind: docker\n", "    kind: docker\n    environment: {STAGE: b}\n"
    )
    found = repository.reviewed()
    assert set(found) == {"prod", "staging"}, "another stack's file is not this one's"
    prod, staging = found["prod"], found["staging"]
    assert steps(prod)["TaskDefinition agent-task"] == "replace", "a revision never changes"
    assert steps(prod)["Service agent-service"] == "update"
    (restart,) = prod.restarts
    assert restart.resource == "TaskDefinition agent-task"
    assert "`cpu` of its task" in restart.because
    assert prod.costs is not None
    assert (prod.costs.after or 0) > (prod.costs.before or 0) > 0, "list prices need nobody"
    assert steps(staging)["Container agent-container"] == "replace"
    assert [(each.resource, each.because) for each in staging.restarts] == [
        (
            "Container agent-container",
            ("the variable STAGE", "`user_code_launcher.config.env_vars` of its dagster.yaml"),
        )
    ], "names alone"


def test_a_changed_setting_of_a_local_agent_restarts_it(repository: Repository) -> None:
    repository.replace("stacks/Pulumi.laptop.yaml", "    kind: local\n", "    kind: local\n    label: other\n")
    found = repository.review("laptop")
    assert steps(found)["Process agent-process"] == "update"
    assert [each.resource for each in found.restarts] == ["Process agent-process"]


def test_a_location_that_is_let_go_is_removed_with_all_that_is_its(repository: Repository) -> None:
    for stack in ("prod", "staging"):
        repository.replace(f"stacks/Pulumi.{stack}.yaml", "[hello, migrated]", "[hello]")
    for stack, found in repository.reviewed().items():
        told = steps(found)
        assert told["CodeLocation migrated-location"] == "delete", stack
        assert [(each.location, each.operation) for each in found.images] == [("migrated", "remove")]
        assert {each.name: each.standing for each in found.locations} == {"hello": "same", "migrated": "removed"}
    assert steps(repository.review("prod"))["Repository migrated-images-repository"] in ("delete", "keep")


def test_a_new_location_is_added_and_its_rights_are_told(repository: Repository) -> None:
    shutil.copytree(repository.root / "locations/hello", repository.root / "locations/second")
    repository.replace(
        "locations/second/pyproject.toml", 'code_location_name = "hello"', 'code_location_name = "second"'
    )
    repository.replace("stacks/Pulumi.prod.yaml", "[hello, migrated]", "[hello, migrated, second]")
    found = repository.review("prod")
    assert steps(found)["CodeLocation second-location"] == "create"
    assert {each.name: each.standing for each in found.locations}["second"] == "added"
    added = [statement.resource for change in found.iam for statement in change.added]
    assert any(resource.endswith("repository/hybrid-prod/second") for resource in added), "its image has to be pulled"
    assert not [change for change in found.iam if change.unknown], "names decide, so that all of it can be told"


def test_a_changed_program_is_compared_with_the_bases_own(repository: Repository) -> None:
    repository.replace("agent/ecs_ground.py", 'f"{name}-cluster"', 'f"{name}-the-cluster"')
    repository.replace("stacks/stack.py", '"agent-token",', '"the-agent-token",')
    prod = repository.reviewed("prod")["prod"]
    told = steps(prod)
    assert (told["Cluster ground-the-cluster"], told["Cluster ground-cluster"]) == ("create", "delete")
    assert (told["AgentToken the-agent-token"], told["AgentToken agent-token"]) == ("create", "delete")
    with_one = repository.review("prod", whole=False)
    assert not with_one.steps, "this shows that it was the base's program that told them apart"


def test_a_moved_resource_with_an_alias_is_the_same(repository: Repository) -> None:
    repository.replace("stacks/stack.py", "pulumi.ResourceOptions(depends_on=[agent.component])", _ALIASED)
    repository.replace("stacks/stack.py", '            "drain",\n', '            "the-drain",\n')
    found = repository.review("staging", whole=True)
    assert found.standing == "present", said(found, "preview")
    assert not found.steps, "Pulumi would find it by its former name"


_ALIASED = 'pulumi.ResourceOptions(depends_on=[agent.component], aliases=[pulumi.Alias(name="drain")])'


def test_another_secret_in_the_stack_file_is_a_change_without_its_value(repository: Repository) -> None:
    assert "c29tZSBjaXBoZXJ0ZXh0" in ECS
    repository.replace("stacks/Pulumi.prod.yaml", "c29tZSBjaXBoZXJ0ZXh0", "YW5vdGhlcg==")
    found = repository.review("prod")
    told = {step.resource: step.because for step in found.steps}
    assert told["EnvironmentVariable DB_PASSWORD-variable"] == ("value",)
    assert "EnvironmentVariable FROM_OUTSIDE-variable" not in told, "that one is the same"


def test_a_base_whose_program_fails_is_compared_with_nothing(repository: Repository) -> None:
    repository.replace("stacks/stack.py", "def build(self) -> None:", "def build(self) -> None:\n        1 / 0")
    repository.commit("broken")
    repository.git("branch", "--force", "main")
    repository.replace("stacks/stack.py", "        1 / 0\n", "")
    found = repository.review("staging", whole=True)
    assert found.standing == "failed", "that all is new would be a lie, and that nothing changes, too"
    assert found.steps == ()
    assert found.locations == ()
    assert "ZeroDivisionError" in said(found, "base")
    assert "nothing to compare with" in said(found, "preview")


def test_a_program_of_the_base_that_lacks_a_module_is_not_given_todays(repository: Repository) -> None:
    """This checkout is importable wherever the tests run: what the base has not must not be taken from here."""
    repository.git("rm", "--quiet", "-r", "infra")
    repository.commit("without")
    repository.git("branch", "--force", "main")
    repository.git("checkout", "--quiet", "HEAD~1", "--", "infra")
    found = repository.review("prod", whole=True)
    assert "is not part of the program of that commit" in said(found, "base")
    assert found.standing == "failed"


def test_a_program_that_cannot_be_read_fails_with_its_own_words(repository: Repository) -> None:
    repository.replace("stacks/Pulumi.staging.yaml", "    kind: docker\n", "    kind: docker\n    wings: 2\n")
    found = repository.review("staging")
    assert found.standing == "failed"
    assert "agent.wings" in said(found, "preview") or "wings" in said(found, "preview")


def test_a_stack_that_the_change_adds_is_new(repository: Repository) -> None:
    repository.write("stacks/Pulumi.dev.yaml", STACKS["staging"])
    found = repository.review("dev")
    assert found.standing == "new"
    assert set(steps(found).values()) == {"create"}
    assert {each.standing for each in found.locations} == {"added"}


# what stands, by an exported state


def test_an_exported_state_decides_what_is_created_and_deleted(repository: Repository, tmp_path: Path) -> None:
    program = Program(
        repository.root, repository.root, "staging", StackConfig.of_file(STACKS["staging"], STACKS["staging"])
    )
    urns = list(record(program).by_urn())
    hello = [urn for urn in urns if urn.endswith("::hello-location")]
    gone = "urn:pulumi:staging::hybrid::docker:index/volume:Volume::old"
    kept = [urn for urn in urns if urn not in hello]
    _export(tmp_path, "staging", [*kept, gone])
    found = repository.review("staging", state=tmp_path)
    assert found.standing == "present"
    assert steps(found) == {"CodeLocation hello-location": "create", "Volume old": "delete"}
    assert "2026-01-02" in said(found, "preview"), "a reader wants to know how old it is"


def test_a_stack_without_anything_in_its_exported_state_is_new(repository: Repository, tmp_path: Path) -> None:
    _export(tmp_path, "staging", [])
    found = repository.review("staging", state=tmp_path)
    assert found.standing == "new"
    assert set(steps(found).values()) == {"create"}, "though the base's program asks for the same"


def test_without_its_exported_state_the_base_decides_and_it_is_said(repository: Repository, tmp_path: Path) -> None:
    found = repository.review("staging", state=tmp_path)
    assert (found.standing, found.steps) == ("present", ())
    assert "no exported state of the stack 'staging'" in said(found, "preview")


def _export(folder: Path, stack: str, urns: list[str]) -> None:
    resources = tuple(ExportedResource(urn=urn) for urn in urns)
    state = ExportedState(stack=stack, exported_at="2026-01-02T03:04:05+00:00", resources=resources)
    (folder / f"{stack}.json").write_text(state.text(), encoding="utf-8")


def test_the_state_is_exported_as_names_alone_and_read_again(
    repository: Repository, tmp_path: Path, pulumi: Pulumi
) -> None:
    """By Pulumi's real command, from a backend in a folder, whose state has secrets."""
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": f"v1:{PLANTED}"}
    token = {
        "urn": "urn:pulumi:staging::hybrid::dagsterhybrid:index:AgentToken::agent-token",
        "type": "dagsterhybrid:index:AgentToken",
        "custom": True,
        "id": PLANTED,
        "inputs": {"description": PLANTED},
        "outputs": {"token": secret},
    }
    manifest = {"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""}
    state = {"deployment": {"manifest": manifest, "resources": [token]}}
    with state_copy("staging", state, STACKS["staging"], None, withheld=False) as copy:
        environment = {
            **os.environ,
            **copy.variables,
            "HYBRID_ROOT": str(repository.root),
            "PULUMI_CONFIG_PASSPHRASE": "",
        }
        environment["HYBRID_PULUMI"] = str(pulumi.executable)
        answer = subprocess.run(
            [sys.executable, "-m", "hybrid.cli.main", "review", "export", "staging", "--to", str(tmp_path / "to")],
            cwd=repository.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "to" / "staging.json").read_text()
    assert PLANTED not in text + answer.stdout + answer.stderr
    assert list(ExportedState.read(tmp_path / "to", "staging").standing.resources) == [token["urn"]]


# nobody is asked, and nothing secret comes out


@pytest.mark.parametrize("how", ["connect", "start"])
def test_a_program_that_asks_somebody_is_refused(repository: Repository, how: str, tmp_path: Path) -> None:
    with _listening() as (port, callers):
        made = tmp_path / "made"
        asks = {
            "connect": f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)",
            "start": f"import subprocess; subprocess.run(['touch', {str(made)!r}], check=True)",
        }[how]
        repository.replace("stacks/stack.py", "def build(self) -> None:", f"def build(self) -> None:\n        {asks}")
        found = repository.review("staging", whole=True)
    assert not callers, "offline means that nobody is asked"
    assert not made.exists(), "nor another program started"
    assert found.standing == "failed"
    assert "offline" in said(found, "preview"), "and the review says why"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a network namespace of its own")
def test_it_works_where_there_is_no_network_at_all(repository: Repository, tmp_path: Path) -> None:
    """No engine of Docker, no Pulumi on PATH, no home and no interface but a loopback one that is down."""
    repository.write(CODE, (repository.root / CODE).read_text() + "# more\n")
    git = Path(shutil.which("git") or "").parent
    answer = subprocess.run(
        [
            "unshare",
            "--net",
            sys.executable,
            "-m",
            "hybrid.cli.main",
            "review",
            "--base",
            "main",
            "--offline",
            "--json",
        ],
        cwd=repository.root,
        env={"PATH": str(git), "HYBRID_ROOT": str(repository.root), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["offline"] is True
    assert {each["stack"]: each["standing"] for each in document["stacks"]} == dict.fromkeys(STACKS, "present")


def test_what_is_secret_here_is_nowhere_in_the_review(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "DAGSTER_CLOUD_API_TOKEN", "OUTER_PASSWORD", "COLOUR"):
        monkeypatch.setenv(name, PLANTED)
    token = "agent:acme:" + "0f" * 12
    repository.replace("stacks/Pulumi.prod.yaml", "c29tZSBjaXBoZXJ0ZXh0", PLANTED)
    repository.write("locations/hello/.env", f"PASSWORD={PLANTED}\n")
    context = f"docker:\n  env_vars:\n    - DB_PASSWORD={PLANTED}\n    - TOLD={token}\n"
    repository.write("locations/hello/container_context.yaml", context)
    repository.replace(
        "stacks/outputs.py",
        "    def export(self) -> None:",
        "    def export(self) -> None:\n        import os\n"
        "        told = [each for each in os.environ.values() if 'fish' in each or 'checkout' in each]\n"
        "        raise ValueError(told)\n\n    def formerly(self) -> None:",
    )
    for stack in STACKS:
        broken = repository.review(stack, whole=True)
        assert "ValueError" in said(broken, "preview"), "the environment of the program is in its words"
        assert "checkout" in said(broken, "preview"), "where the settings are it has to know"
        assert PLANTED not in broken.model_dump_json(), f"{stack}: it had what is secret here"
    repository.git("checkout", "--", "stacks/outputs.py")
    found = repository.reviewed("prod", "staging")
    assert any(each.changes for each in found["staging"].locations), "the variables are told of"
    review = Review.model_validate(
        {
            "base": {"reference": "main", "sha": "0" * 40},
            "head": {"reference": "HEAD", "sha": "1" * 40},
            "offline": True,
            "made_at": "2026-01-02T03:04:05+00:00",
            "stacks": [each.model_dump() for each in found.values()],
        }
    )
    for text in (review.model_dump_json(), markdown(review)):
        assert PLANTED not in text
        assert token not in text


@contextmanager
def _listening() -> Iterator[tuple[int, list[str]]]:
    """A port of this machine, and who has called."""
    callers: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            callers.append(str(address))
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], callers
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)
