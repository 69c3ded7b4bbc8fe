"""How the embedded Dagster+ is asked: authentication, the two GraphQL APIs, and which of them answers a document."""
