"""Places where values lie: S3, a folder, Dagster+'s presigned addresses; each a ``Source``, a ``Destination`` or both."""
