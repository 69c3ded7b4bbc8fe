"""Cloud nouns as components, ignorant of Dagster: network, bucket, repositories, secrets, roles and their policies,
alarms. Who owns a resource grants the use of it."""
