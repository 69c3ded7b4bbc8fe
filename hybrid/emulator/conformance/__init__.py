"""What the installed clients of Dagster+ can send, and what is said of each: served or not, why, and tested where.

``sources`` names the packages that are looked at; ``documents`` finds their GraphQL documents and ``paths`` the REST
paths, both from the source, without importing it; ``recount`` counts the same by other means, so that a gap in the
first count shows. ``register.yaml`` says what each is to be; ``answering`` finds out whether it is so, by validating
each document against the emulator's own schemas; ``faults`` lists where the two differ; ``page`` makes
docs/conformance.md of it (``python -m hybrid.emulator.conformance``).

Rests on: ``client`` throughout. That a document is answered does not prove that Dagster+ answers the same.
"""
