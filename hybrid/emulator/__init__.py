"""Dagster+ embedded: what agents, code servers, run workers and the API's clients need, on this machine.

``server`` starts it; ``organization`` is what it knows; ``api`` is how it is asked; ``runtime`` is Dagster itself,
loaded after everything else. Each module says what its behaviour rests on: ``client`` (the installed client's source
implies it), ``schema`` (the published GraphQL schema), ``docs``, or ``invented``.
"""
