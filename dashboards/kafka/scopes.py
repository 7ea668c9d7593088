"""The ports, processes and listeners that the panels of brokers select."""

from dashboards import queries as q

NO_PORT = "No data: no broker was found and no port is watched (run the exporter with --kafka or --watch.port N)"

WATCHED = 'port!=""'
SENT = (q.PORTS, WATCHED, 'destination="tcp"')
RECEIVED = (q.PORTS, WATCHED, 'source="tcp"')
SENT_BY_BROKER = 'direction="sent"'
"""The same of the listeners' own counters, which continue when a broker restarts."""
LISTENER_LEGEND = "{{listener}} {{port}} {{instance}}"
BROKERS = f"group by ({q.PROCESS_LABELS}) ({q.recent('copy_syscalls_total', q.PORTS, WATCHED)})"
"""Processes that move bytes on the ports. The label is the local port, so clients are not selected."""
LISTENERS = (
    "topk by (instance, port) (1, max by (instance, port, listener, protocol, cluster_id, node_id) "
    f"({q.recent('copy_kafka_listener_info', q.PORTS)}))"
)
"""One per port, also while a broker restarts and where two containers use the same port."""


ENCRYPTED = 'protocol=~"(SASL_)?SSL"'
"""Selects listeners with TLS, whose bytes the broker has to copy."""


def plaintext(expression: str) -> str:
    """Without the listeners that are known to be encrypted; ``expression`` is by instance and port."""
    return f"({expression} unless on (instance, port) {q.recent('copy_kafka_listener_info', q.PORTS, ENCRYPTED)})"


def named(expression: str) -> str:
    """Add the listener's name where it is known; ``expression`` is by instance and port."""
    joined = f"{expression} * on (instance, port) group_left (listener, protocol, cluster_id, node_id) {LISTENERS}"
    return f"{joined} or on (instance, port) {expression}"
