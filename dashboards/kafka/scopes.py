"""Which ports, processes and listeners the panels of brokers speak of."""

from dashboards import queries as q

NO_PORT = "No data: no broker was found here and no port is watched (exporter with --kafka, or --watch.port N)"

WATCHED = 'port!=""'
SENT = (q.PORTS, WATCHED, 'destination="tcp"')
RECEIVED = (q.PORTS, WATCHED, 'source="tcp"')
LISTENER = "{{listener}} {{protocol}} {{port}}, {{instance}}"
WHO = "{{comm}} {{pid}}, {{instance}}"
BROKERS = f"group by ({q.OF_PROCESS}) ({q.lately('copy_syscalls_total', q.PORTS, WATCHED)})"
"""Processes that move bytes on the ports: the local port is meant, so their clients are not among them."""
LISTENERS = (
    "topk by (instance, port) (1, max by (instance, port, listener, protocol, node_id) "
    f"({q.lately('copy_kafka_listener_info', q.PORTS)}))"
)
"""One for each port, even while a broker restarts, or where two containers have the same one."""


def named(expression: str) -> str:
    """With the listener's name where it is known; ``expression`` is by instance and port."""
    joined = f"{expression} * on (instance, port) group_left (listener, protocol, node_id) {LISTENERS}"
    return f"{joined} or on (instance, port) {expression}"
