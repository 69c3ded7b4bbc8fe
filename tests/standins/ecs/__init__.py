"""A double of ECS for tests: moto's AWS with the gaps closed that matter here, whose services and tasks are containers
of a Docker engine.

What is like AWS: the API as far as moto has it; rolling deployments, circuit breaker, stopped tasks with AWS's own
reasons; credentials of the task's role at the address that real tasks ask; IAM in front of every call that is made
with a role's credentials (``tests.standins.iam``), also of what ECS itself does with the execution role.
What is not: one flat network, so that nothing is shown about security groups, routes and NAT; no limit of CPU; a Cloud
Map name is the network's alias of a container, without a TTL; no EC2 launch type, no ECS Exec, no load balancers; an
image of ECR comes from the tests' registry.

``python -m tests.standins.ecs serve`` is a process of its own; ``tests.standins.ecs.client`` starts and asks it.
"""
