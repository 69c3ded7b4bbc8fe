"""Cloud nouns as components, ignorant of Dagster: network, storage, registry, secrets, policies."""
