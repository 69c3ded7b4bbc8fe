"""Serverless, embedded: deployments whose agent Dagster Labs runs, for rehearsing the switch to Hybrid.

- ``options`` is what nobody knows of the real service, as settings;
- ``agents`` keeps a real ``dagster-cloud agent run`` for each SERVERLESS deployment, and lets it go after the switch;
  ``home`` is what that process gets, ``guardian`` what ends it with us;
- ``pex_files`` are the locations' Python executables.

The agent's launcher is ``hybrid.emulator.runtime.serverless_launcher``, as only ``runtime`` knows Dagster. Values and
files come and go by ``hybrid.emulator.rest``.
"""
