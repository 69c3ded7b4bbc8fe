"""A program's part with what an organization has, and how a test imports such things into state."""

from __future__ import annotations

ORGANIZATION = """
EnvironmentVariable("warehouse", EnvironmentVariableArgs(connection=DAGSTER_PLUS, name="WAREHOUSE",
    value=VALUE, scopes=EnvironmentVariableScopes(full_deployment=True)), AFTER)
SETTINGS = DeploymentSettings("settings", DeploymentSettingsArgs(connection=DAGSTER_PLUS,
    settings={"run_queue": {"max_concurrent_runs": 7}}, agent_type="HYBRID", allow_agent_type_change=ALLOWED), AFTER)
AlertPolicy("away", AlertPolicyArgs(connection=DAGSTER_PLUS, name="agent-away",
    document={"event_types": ["AGENT_UNAVAILABLE"], "enabled": True},
    notification_service={"pagerduty": {"integration_key": VALUE}}), AFTER)
pulumi.export("runBy", SETTINGS.run_by)
"""


def speak_to(project, port):
    """From now on the project's engine is told where the embedded Dagster+ is, as `pulumi import` has no program."""
    token = (project.run_folder / "data" / "api-token").read_text().strip()
    project.environment |= {"DAGSTER_CLOUD_API_TOKEN": token, "DAGSTER_CLOUD_URL": f"http://127.0.0.1:{port}"}


def imported(project, kind, name, id, *, succeeds=True):
    what = (f"dagsterhybrid:index:{kind}", name, id)
    return project.pulumi("import", *what, "--yes", "--skip-preview", "--generate-code=false", succeeds=succeeds)
