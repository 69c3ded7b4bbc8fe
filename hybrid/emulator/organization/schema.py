"""The tables of the organization's SQLite file, version by version.

A folder that an earlier version made is brought up to date by the versions that it lacks, each in one transaction.
A version that was released is not edited; what is new goes into the next.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = """
CREATE TABLE organization (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    public_id TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    agent_type TEXT NOT NULL
);
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    description TEXT,
    created_at REAL NOT NULL,
    revoked_at REAL
);
CREATE TABLE grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id INTEGER NOT NULL REFERENCES tokens (id),
    scope TEXT NOT NULL,
    deployment_id INTEGER REFERENCES deployments (id)
);
CREATE UNIQUE INDEX one_grant_a_scope ON grants (token_id, scope, coalesce(deployment_id, 0));
CREATE TABLE locations (
    deployment TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    metadata TEXT NOT NULL,
    metadata_timestamp REAL NOT NULL,
    uploaded_timestamp REAL,
    outdated INTEGER NOT NULL,
    manifest TEXT,
    error TEXT,
    PRIMARY KEY (deployment, name)
) WITHOUT ROWID;
CREATE TABLE agents (
    deployment TEXT NOT NULL,
    id TEXT NOT NULL,
    heard_at REAL NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (deployment, id)
) WITHOUT ROWID;
CREATE TABLE requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    deployment TEXT NOT NULL,
    queue TEXT,
    api TEXT NOT NULL,
    body TEXT NOT NULL
);
"""

# Times are seconds since the epoch; JSON is kept as text; a deployment is named by its name, as in the first version.
_SECOND: Final = """
ALTER TABLE organization ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

ALTER TABLE deployments ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE deployments ADD COLUMN parent_id INTEGER REFERENCES deployments (id);
ALTER TABLE deployments ADD COLUMN git TEXT;
ALTER TABLE deployments ADD COLUMN commits TEXT NOT NULL DEFAULT '[]';
ALTER TABLE deployments ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN agent_type_since REAL NOT NULL DEFAULT 0;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,
    name TEXT,
    created_at REAL NOT NULL,
    removed_at REAL
);
ALTER TABLE tokens ADD COLUMN user_id INTEGER REFERENCES users (id);
ALTER TABLE tokens ADD COLUMN revoked_by INTEGER REFERENCES users (id);
CREATE TABLE user_grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    scope TEXT NOT NULL,
    deployment_id INTEGER REFERENCES deployments (id)
);
CREATE UNIQUE INDEX one_role_a_scope ON user_grants (user_id, scope, coalesce(deployment_id, 0));
-- What the first version called API tokens, each of which might do everything, are the administrator's from here on.
INSERT INTO users (email, name, created_at)
    VALUES ('administrator@local', 'Administrator', CAST(strftime('%s', 'now') AS REAL));
INSERT INTO user_grants (user_id, role, scope) SELECT id, 'ADMIN', 'ORGANIZATION' FROM users;
UPDATE tokens SET kind = 'user', user_id = (SELECT id FROM users) WHERE kind = 'api';

CREATE TABLE secrets (
    id TEXT PRIMARY KEY,
    deployment TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    scopes TEXT NOT NULL,
    locations TEXT NOT NULL,
    updated_by INTEGER,
    updated_at REAL NOT NULL
);
CREATE TABLE alert_policies (
    deployment TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (deployment, name)
) WITHOUT ROWID;
CREATE TABLE issues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    context TEXT,
    links TEXT NOT NULL,
    created_by INTEGER,
    created_at REAL NOT NULL
);
CREATE INDEX issues_of_deployment ON issues (deployment, id);
CREATE TABLE artifacts (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    stored_at REAL NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE definitions_state (
    deployment TEXT NOT NULL,
    key TEXT NOT NULL,
    info TEXT NOT NULL,
    PRIMARY KEY (deployment, key)
) WITHOUT ROWID;
CREATE TABLE atlan_settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL,
    domain TEXT NOT NULL
);
"""

VERSIONS: Final = (_FIRST, _SECOND)
