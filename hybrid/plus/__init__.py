"""The only door to Dagster+: endpoints, the typed client, its GraphQL documents and its errors."""
