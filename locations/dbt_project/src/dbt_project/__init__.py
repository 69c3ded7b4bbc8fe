"""A year of a small bakery's sales, modelled by dbt."""
