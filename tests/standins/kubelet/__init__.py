"""A double of a node for tests: Pods of a real API server are containers of a Docker engine.

Around it is the real thing (``tests.kubernetes``): API server, etcd, controllers, scheduler. What this double is: the
kubelet, the node's network, the names of services.

What is like a node: a Pod's volumes, environment, service account token, security context and limits of memory; pulls
with the Pod's own pull secrets; init containers, restarts with backoff, probes; grace period and SIGKILL; statuses,
events and reasons as the kubelet words them; logs, by the API server, from a kubelet's port.
What is not: one flat network, so that nothing is shown about network policies; a service has no address of its own, its
names lead to its ready Pods, and the port asked is the Pod's; no limits of CPU; no exec, attach and port-forward; no
volumes that keep data; a config map or secret that changes is not brought into Pods that run.
"""
