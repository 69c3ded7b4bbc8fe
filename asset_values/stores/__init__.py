"""Places where values lie: S3, a folder, Dagster+'s presigned addresses. Each is a source, a destination or both."""
