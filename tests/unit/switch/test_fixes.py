"""What is proposed about findings other than images: executors, workflows, build files, variables, stored values."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from hybrid.switch.finding import Finding, FindingKind, Weight
from hybrid.switch.fixes.catalogue import fixes_for
from hybrid.switch.fixes.fix import Texts, Wishes
from hybrid.switch.fixes.mark import is_unedited, marked
from hybrid.switch.fixes.secret_store import ClusterSecrets, SecretsManager
from hybrid.switch.fixes.variables import INSTEAD
from hybrid.switch.serverless_words import VARIABLES
from hybrid.workflows.github import github_files
from hybrid.workflows.gitlab import gitlab_files
from hybrid.workflows.pipeline import DeployedStack, Pipeline

pytestmark = pytest.mark.unit

DEFS = "from dagster import Definitions\n\ndefs = Definitions(assets=[])\n"


def made(kind, texts=None, where="dagster_cloud.yaml:2", location="hello", wishes=None, weight=Weight.MUST, **facts):
    finding = Finding(FindingKind(kind), weight, where, "what", "why", location, facts)
    found = fixes_for([finding], Texts(texts or {}), wishes or Wishes("prod"))
    return found.fixes[0], {each.path: each for each in found.files}


def test_without_a_choice_no_code_is_edited_and_all_three_ways_are_shown_with_their_costs():
    fix, files = made("non_isolated_runs", {"hello/d.py": DEFS}, folder="hello")

    assert files == {}
    assert [each.name for each in fix.choices] == ["in_process", "multiprocess", "tag"]
    assert all(each.costs and each.paste for each in fix.choices)


def test_the_chosen_executor_is_put_into_the_code_of_the_locations_that_had_such_runs():
    texts = {"a/d.py": DEFS, "b/d.py": DEFS, "c/d.py": DEFS}
    wishes = Wishes("prod", executor="in_process", folders={"one": "a", "two": "b", "three": "c"})
    fix, files = made(
        "non_isolated_runs", texts, where="deployment prod", location=None, wishes=wishes, locations="one, three, gone"
    )

    assert sorted(files) == ["a/d.py", "c/d.py"], "the location that had none is left"
    assert files["a/d.py"].before == DEFS
    assert "executor=in_process_executor" in files["a/d.py"].text
    assert fix.by_hand == ()


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"a/d.py": DEFS, "a/e.py": DEFS}, "2 files have a call"),
        ({"a/d.py": "x = 1\n"}, "no file has a call"),
        ({"a/d.py": DEFS + "y = Definitions()\n"}, "2 calls"),
        ({"a/d.py": "(" * 3000}, "no file has a call"),
    ],
)
def test_where_there_is_not_one_place_a_snippet_is_given_instead(texts, why):
    fix, files = made("non_isolated_runs", texts, wishes=Wishes("prod", executor="multiprocess"), folder="a")

    assert files == {}
    assert why in fix.by_hand[0]
    assert "executor=multiprocess_executor" in fix.by_hand[-1]


def test_an_executor_that_was_written_asks_for_nothing_more():
    wishes = Wishes("prod", executor="in_process")
    (written,) = made("non_isolated_runs", {"a/d.py": DEFS}, wishes=wishes, folder="a")[1].values()
    fix, files = made("non_isolated_runs", {"a/d.py": written.text}, wishes=wishes, folder="a")
    assert fix.by_hand == (), "what was written a moment ago is called unclear"
    assert files["a/d.py"].text == written.text
    other = Wishes("prod", executor="multiprocess")
    fix, _ = made("non_isolated_runs", {"a/d.py": written.text}, wishes=other, folder="a")
    assert "has an executor already" in fix.by_hand[0]


def test_for_a_deployment_whose_locations_are_not_known_nothing_is_guessed():
    wishes = Wishes("prod", executor="in_process")
    fix, files = made("non_isolated_runs", {"d.py": DEFS}, where="deployment prod", location=None, wishes=wishes)
    assert files == {}
    assert "not known" in fix.by_hand[0]


def test_the_tag_edits_nothing():
    fix, files = made("non_isolated_runs", {"a/d.py": DEFS}, wishes=Wishes("prod", executor="tag"), folder="a")
    assert files == {}
    assert "dagster/isolation" in fix.by_hand[0]


PIPELINE = Pipeline(deploy=(DeployedStack("prod"),))


@pytest.mark.parametrize(
    ("provider", "where", "texts"),
    [
        ("github", ".github/workflows/dagster-cloud-deploy.yml:9", github_files(PIPELINE)),
        ("gitlab", ".gitlab-ci.yml:4", gitlab_files(PIPELINE)),
    ],
)
def test_what_ci_init_writes_takes_the_place_of_a_serverless_workflow_and_the_old_one_is_only_named(
    provider, where, texts
):
    wishes = Wishes("prod", workflows={provider: texts})
    fix, files = made("serverless_workflow", where=where, location=None, wishes=wishes, provider=provider)

    assert {path: each.text for path, each in files.items() if path in texts} == texts
    assert files["stacks/pipeline.yaml"].before is None
    assert yaml.safe_load(files["stacks/pipeline.yaml"].text)["deploy"] == [{"stack": "prod"}]
    old = where.rpartition(":")[0]
    assert fix.obsolete == (old,)
    assert old not in files, "it deploys to Serverless until the switch"


def test_a_pipeline_that_is_there_is_kept_and_another_ci_is_said_to_be():
    _, files = made(
        "serverless_workflow",
        {"stacks/pipeline.yaml": "branch: trunk\n"},
        wishes=Wishes("prod", workflows={"github": {"x.yml": "a"}}),
        provider="github",
    )
    assert set(files) == {"x.yml"}
    fix, files = made("serverless_workflow", where="Jenkinsfile:3", provider="other")
    assert files == {}
    assert "docs/ci.md" in fix.by_hand[0]


LEGACY = """locations:
  - location_name: hello
    code_source: {module_name: hello.definitions}
    build: {directory: hello, registry: 1.dkr.ecr.us-west-2.amazonaws.com/serverless/acme}
    executable_path: /opt/venv/bin/python
    container_context: {ecs: {env_vars: [A=b]}}
  - location_name: file
    code_source: {python_file: jobs.py}
"""


def test_a_legacy_file_is_converted_only_when_wished_for_and_nothing_of_it_is_lost_in_silence():
    fix, files = made("legacy_file", {"dagster_cloud.yaml": LEGACY}, file="dagster_cloud.yaml")
    assert files == {}
    assert [each.name for each in fix.choices] == ["convert"]

    texts = {"dagster_cloud.yaml": LEGACY, "hello/pyproject.toml": "[project]\nname = 'hello'  # mine\n"}
    fix, files = made("legacy_file", texts, wishes=Wishes("prod", convert=True), file="dagster_cloud.yaml")
    assert set(files) == {"hello/container_context.yaml", "hello/pyproject.toml"}
    assert files["hello/pyproject.toml"].text.startswith(texts["hello/pyproject.toml"]), "what is there stays"
    assert is_unedited(files["hello/container_context.yaml"].text)
    assert yaml.safe_load(files["hello/container_context.yaml"].text) == {"ecs": {"env_vars": ["A=b"]}}
    assert any("registry is Serverless's" in note for note in fix.notes)
    assert any("executable_path" in each for each in fix.by_hand)
    assert any("jobs.py" in each for each in fix.by_hand)
    assert fix.obsolete == (), "one location has no other words"


@pytest.mark.parametrize("text", ["- [", "a: 1", "locations: 3", "\x00", "&a [*a, *a]"])
def test_a_legacy_file_that_is_wrong_is_told_and_nothing_breaks(text):
    fix, files = made("legacy_file", {"f.yaml": text}, file="f.yaml", wishes=Wishes("prod", convert=True))
    assert files == {}
    assert fix.by_hand


def test_an_executable_path_is_dropped_kept_or_put_on_path():
    pex = Finding(FindingKind.PEX_BUILD, Weight.MUST, "f:1", "", "", "hello", {"folder": "hello"})
    named = Finding(
        FindingKind.EXECUTABLE_PATH, Weight.SHOULD, "f:1", "", "", "hello", {"folder": "hello", "executable_path": "/p"}
    )
    dropped = fixes_for([pex, named], Texts({}), Wishes("prod")).fixes[1]
    assert "dropped" in dropped.title
    kept, _ = made("executable_path", {"hello/Dockerfile": ""}, folder="hello", executable_path="/p")
    assert "kept" in kept.title
    moved, _ = made("executable_path", {}, folder="hello", executable_path="/p")
    assert "PATH" in moved.title


def test_a_secret_stays_or_moves_and_its_value_is_nowhere():
    store = SecretsManager("prod", "123456789012", "eu-central-1")
    fix, _ = made("secret", wishes=Wishes("prod", secret_store=store), name="STRIPE_KEY", scopes="full deployments")
    assert "stays" in fix.title
    assert [each.name for each in fix.choices] == ["dagster_plus", "secrets_manager"]

    wishes = Wishes("prod", secret_store=store, moves_secrets=True)
    fix, _ = made("secret", wishes=wishes, name="STRIPE_KEY", scopes="full deployments, local")
    pasted = yaml.safe_load(fix.by_hand[1].partition("\n")[2])
    (secret,) = pasted["ecs"]["secrets"]
    assert secret["name"] == "STRIPE_KEY"
    assert secret["valueFrom"].startswith(
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hybrid/prod/STRIPE_KEY"
    )
    assert "--secret-string file://" in fix.by_hand[0], "a value in argv can be seen by others"
    assert "branch" in fix.notes[0] or "beyond" in fix.notes[0]


@pytest.mark.parametrize("name", ["x; rm -rf /", "$(id)", "", "A\nB"])
def test_a_hostile_name_of_a_secret_is_no_part_of_a_command(name):
    wishes = Wishes("prod", secret_store=SecretsManager("prod"), moves_secrets=True)
    fix, _ = made("secret", wishes=wishes, name=name, scopes="")
    assert fix.by_hand[0].endswith("--name hybrid/prod/NAME --secret-string file:///dev/stdin")
    wishes = Wishes("prod", secret_store=ClusterSecrets("prod", "hybrid-prod"), moves_secrets=True)
    fix, _ = made("secret", wishes=wishes, name=name, scopes="")
    assert fix.by_hand[0] == (
        "kubectl create secret generic hybrid-prod-name --namespace hybrid-prod --from-file=NAME=/dev/stdin"
    )


def test_on_kubernetes_a_secret_becomes_one_of_the_cluster_and_elsewhere_it_stays() -> None:
    wishes = Wishes("prod", secret_store=ClusterSecrets("prod", "data", " --context eu"), moves_secrets=True)
    fix, _ = made("secret", wishes=wishes, name="STRIPE_KEY", scopes="")
    assert fix.by_hand[0] == (
        "kubectl create secret generic hybrid-prod-stripe-key --namespace data --context eu "
        "--from-file=STRIPE_KEY=/dev/stdin"
    ), "the value comes by standard input"
    pasted = yaml.safe_load(fix.by_hand[1].partition("\n")[2])
    assert pasted == {"k8s": {"env_secrets": ["hybrid-prod-stripe-key"]}}
    stays, _ = made("secret", name="STRIPE_KEY", scopes="")
    assert [each.name for each in stays.choices] == ["dagster_plus"], "no store of AWS is offered elsewhere"


def test_there_is_something_instead_of_every_variable_of_serverless():
    assert set(INSTEAD) == set(VARIABLES), "the same as inspection looks for"
    fix, _ = made("serverless_variable", where="a.py:3", variable="DAGSTER_CLOUD_SERVERLESS_STORAGE_S3_BUCKET")
    assert "ASSET_VALUES_BUCKET" in fix.by_hand[0]
    unknown, _ = made("serverless_variable", where="a.py:3", variable="DAGSTER_CLOUD_SERVERLESS_NEW")
    assert "Serverless alone" in unknown.by_hand[0]


def test_nothing_is_written_into_the_codes_repository_that_works_in_the_checkout_of_the_stack_alone():
    wishes = Wishes("prod", apart=True, workflows={"github": github_files(PIPELINE)})
    fix, files = made("serverless_workflow", where=".github/workflows/a.yml:3", wishes=wishes, provider="github")
    assert files == {}, "a workflow that starts what that repository has not"
    assert "hybrid ci init github" in fix.by_hand[0]
    assert fix.obsolete == (".github/workflows/a.yml",)

    fix, files = made("default_io_manager", wishes=wishes, folder="hello")
    assert "in the checkout of the stack" in fix.by_hand[0], "that file is not in this repository"
    on = Wishes("prod", apart=True, io_manager=True)
    fix, files = made(
        "default_io_manager", {"hello/requirements.txt": "./dagster_asset_values-1.whl"}, wishes=on, folder="hello"
    )
    assert (files, fix.by_hand) == ({}, ())


def test_the_library_is_asked_of_every_location_of_the_stack_and_once():
    folders = {"hello": "hello", "none": "no-assets", "has": "has"}
    wishes = Wishes("prod", apart=True, io_manager=True, folders=folders)
    texts = {"has/requirements.txt": "dagster_asset_values\n"}
    findings = [
        Finding(FindingKind.DEFAULT_IO_MANAGER, Weight.MUST, f"{each}/a.py:1", "", "", each, {"folder": each})
        for each in ("hello", "more")
    ]
    first, second = fixes_for(findings, Texts(texts), replace(wishes, folders=folders | {"more": "more"})).fixes
    assert "hello, more, no-assets" in first.by_hand[0], "the stack sets its IO manager for all of them"
    assert second.by_hand == (), "it is said twice"


STACK = "config:\n  hybrid:organization: acme  # ours\n"


def test_the_default_io_manager_is_turned_on_in_the_stack_file_and_the_library_is_asked_for():
    fix, files = made("default_io_manager", {"stacks/Pulumi.prod.yaml": STACK}, folder="hello")

    file = files["stacks/Pulumi.prod.yaml"]
    assert file.before == STACK
    assert file.text.startswith(STACK)
    assert yaml.safe_load(file.text)["config"]["hybrid:assetValues"] == {"ioManager": True}
    assert "True" not in file.text
    assert "dagster-asset-values" in fix.by_hand[0]

    texts = {"stacks/Pulumi.prod.yaml": file.text, "hello/requirements.txt": "dagster-asset-values\n"}
    fix, files = made("default_io_manager", texts, folder="hello")
    assert (files, fix.by_hand) == ({}, ())


@pytest.mark.parametrize("text", [None, "- a\n", "config: &a {x: *a}\n", "config: [1]\n"])
def test_a_stack_file_that_cannot_be_changed_in_place_is_said(text):
    fix, files = made("default_io_manager", {} if text is None else {"stacks/Pulumi.prod.yaml": text}, folder="hello")
    assert files == {}
    assert "ioManager: true" in fix.by_hand[0]


@pytest.mark.parametrize("kind", list(FindingKind))
def test_every_kind_of_finding_has_an_answer(kind):
    fix, files = made(kind)
    assert fix.title
    assert fix.files or fix.by_hand or fix.notes or fix.choices, "something is said"
    assert fix.document()["kind"] == kind.value
    assert not any(each.text == "" for each in files.values())


def test_two_fixes_of_one_file_are_one_edit_of_it():
    texts = {"stacks/Pulumi.prod.yaml": STACK}
    findings = [
        Finding(FindingKind.DEFAULT_IO_MANAGER, Weight.MUST, "a:1", "", "", name, {"folder": name}) for name in "ab"
    ]
    found = fixes_for(findings, Texts(texts), Wishes("prod"))
    (file,) = found.files
    assert file.before == STACK
    assert file.text.count("ioManager") == 1


def test_a_folder_with_hooks_gets_one_dockerfile_whatever_else_is_found():
    findings = [
        Finding(kind, Weight.MUST, "f:1", "", "", "hello", {"folder": "hello"})
        for kind in (FindingKind.NO_IMAGE, FindingKind.DOCKER_HOOKS)
    ]
    found = fixes_for(findings, Texts({"hello/dagster_cloud_post_install.sh": ""}), Wishes("prod"))
    (file,) = found.files
    assert "./dagster_cloud_post_install.sh" in file.text
    assert is_unedited(file.text)


def test_a_mark_is_of_what_was_written_and_of_nothing_else():
    text = marked("FROM a\n")
    assert is_unedited(text)
    assert is_unedited(text.replace("\n", "\r\n")), "git may change line ends"
    assert not is_unedited(text + "RUN mine\n")
    assert not is_unedited("FROM a\n")
