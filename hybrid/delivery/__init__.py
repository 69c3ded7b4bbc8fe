"""Code locations as they lie in folders: found, read and turned into the documents that Dagster+ takes."""
