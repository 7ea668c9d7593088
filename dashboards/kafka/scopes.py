"""What the panels of brokers select: listeners, ports that no broker has, and processes."""

from dashboards import queries as q

NO_PORT = "No data: no broker was found and no port is watched (run the exporter with --kafka or --watch.port N)"

WATCHED = 'port!=""'
SENT_BY_BROKER, RECEIVED_BY_BROKER = 'direction="sent"', 'direction="received"'
LISTENERS = f'{q.PORTS}, node_id=~"$broker", listener=~"$listener"'
LISTENER_LABELS = "instance, cluster_id, node_id, listener, port"
"""A port number is not unique on a host: two containers can have the same."""
LISTENER_LEGEND = "{{listener}} {{port}} {{instance}}"
BROKERS = f"group by ({q.PROCESS_LABELS}) ({q.recent('copy_syscalls_total', q.PORTS, WATCHED)})"
"""Processes that move bytes on the ports. The label is the local port, so clients are not selected."""
ENCRYPTED = 'protocol=~"(SASL_)?SSL"'
"""Selects listeners that are configured with TLS."""


def sent(mechanism: str = q.NOT_DMA) -> str:
    """Bytes per second that each listener sends; and each watched port that no broker has."""
    return _by_listener(
        "bytes", SENT_BY_BROKER, mechanism, _on_ports("copy_bytes_total", 'destination="tcp"', mechanism)
    )


def received() -> str:
    """Bytes per second that each listener, or watched port, receives."""
    on_ports = _on_ports("copy_bytes_total", 'source="tcp"', q.NOT_DMA)
    return _by_listener("bytes", RECEIVED_BY_BROKER, q.NOT_DMA, on_ports)


def sending_calls() -> str:
    """System calls per second with which each listener, or watched port, sends."""
    on_ports = _on_ports("copy_syscalls_total", 'destination="tcp"', q.MODE_SWITCHING)
    return _by_listener("calls", SENT_BY_BROKER, q.NOT_DMA, on_ports)


def zero_copy_share() -> str:
    """The part of the bytes that each listener, or watched port, sends by zero copy."""
    return q.share(sent(q.ZERO_COPY), sent())


def plaintext(expression: str) -> str:
    """Without the listeners that encrypt: TLS is configured, and they have not sent by sendfile.

    ``expression`` is by listener.
    """
    encrypts = q.recent("copy_kafka_zero_copy_lost", LISTENERS, 'reason="tls"')
    return f"({expression} unless on ({LISTENER_LABELS}) {encrypts})"


def with_protocol(expression: str) -> str:
    """Add the listener's protocol where it is known; ``expression`` is by listener."""
    infos = q.recent("copy_kafka_listener_info", LISTENERS)
    one = f"topk by ({LISTENER_LABELS}) (1, max by ({LISTENER_LABELS}, protocol) ({infos}))"
    joined = f"{expression} * on ({LISTENER_LABELS}) group_left (protocol) {one}"
    return f"{joined} or on ({LISTENER_LABELS}) {expression}"


def _on_ports(metric: str, *scope: str) -> str:
    return q.total(metric, q.PORT_LABELS, q.PORTS, WATCHED, *scope)


def _by_listener(counted: str, direction: str, mechanism: str, on_ports: str) -> str:
    """A rate by listener, and by port where no broker has the port: those of --watch.port."""
    metric = f"copy_kafka_listener_{counted}_total"
    of_listeners = q.total(metric, LISTENER_LABELS, LISTENERS, direction, mechanism)
    return f"({of_listeners} or {on_ports} unless on ({q.PORT_LABELS}) {q.recent(metric, q.PORTS)})"
