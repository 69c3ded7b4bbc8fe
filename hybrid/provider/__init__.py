"""Our Pulumi provider: the server, its schema, one module a resource, and the resource classes that programs use."""
