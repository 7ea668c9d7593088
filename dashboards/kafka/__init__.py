"""Kafka brokers: zero copy by broker, listener and topic, why it is lost, and what it is worth."""

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame, health
from dashboards.kafka import cost, listeners, topics


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.KAFKA,
        "Kafka broker: zero copy",
        "Are consumers served by zero copy, on which listener, for which topic, at what cost, and why not "
        "where not. Made from copy-exporter's code.",
        frame.instances(),
        frame.ports(),
        frame.topics(),
    )
    rows = {
        "Is zero copy alive?": listeners.glance(),
        "By listener and broker": listeners.listeners(),
        "By topic": topics.topics(),
        "Produce path": listeners.produce(),
        "Calls, and waiting for the disk": cost.calls(),
        "CPU against network: which saturates first?": cost.saturation(),
        "Can this be believed? Coverage and loss": (*cost.coverage(), *health.verdict()),
    }
    return frame.filled(built, rows)
