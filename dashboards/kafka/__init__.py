"""Kafka brokers: zero copy by broker, listener and topic, why it is lost, and what it saves."""

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame, health
from dashboards.kafka import cost, listeners, roles, topics


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.KAFKA,
        "Kafka broker: zero copy",
        "Which listeners and topics are served by zero copy, why others are not, and what copying costs. Generated "
        "from copy-exporter's code.",
        frame.brokers(),
        frame.listeners(),
        frame.ports(),
        frame.topics(),
        frame.partitions(),
    )
    rows = {
        "Summary": listeners.summary(),
        "By listener and broker": listeners.listeners(),
        "By topic": topics.topics(),
        "Who moves bytes, and CPU time by listener": roles.roles(),
        "Produce path": listeners.produce(),
        "Calls, and time in sendfile": cost.calls(),
        "Which saturates first, CPU or network?": cost.saturation(),
        "Is the data complete? Coverage and health of the exporter": (*cost.coverage(), *health.summary()),
    }
    return frame.with_rows(built, rows)
