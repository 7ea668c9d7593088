"""The scrape configuration that the Prometheus operator makes of a PodMonitor, and pods as targets with their labels.

The relabelings are those of the golden files of the operator's tests, as far as these PodMonitors use them.
"""

import re
from collections.abc import Mapping
from typing import Any

_META = "__meta_kubernetes_pod"
_Manifest = Mapping[str, Any]


def scrape_configuration(
    monitor: _Manifest, secrets: Mapping[tuple[str, str], str], targets: list[dict[str, Any]]
) -> dict[str, Any]:
    """Of a PodMonitor with one endpoint; ``targets`` stand for the service discovery of Kubernetes.

    ``secrets``: values by the name of the secret and the key.
    """
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
    job = f"podMonitor/{namespace}/{name}/0"
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    relabelings = [
        _rule("drop", [f"{_META}_phase"], "(Failed|Succeeded)"),
        *(_rule("keep", _selector(label), f"({value});true") for label, value in selected),
        _rule("keep", [f"{_META}_container_port_name"], endpoint["port"]),
        _rule("replace", ["__meta_kubernetes_namespace"], target_label="namespace"),
        _rule("replace", [f"{_META}_container_name"], target_label="container"),
        _rule("replace", [f"{_META}_name"], target_label="pod"),
        {"target_label": "job", "replacement": f"{namespace}/{name}"},
        *_job_label(monitor),
        {"target_label": "endpoint", "replacement": endpoint["port"]},
        *(_snake_case(relabeling) for relabeling in endpoint.get("relabelings", ())),
    ]
    config = {
        "job_name": job,
        "scheme": endpoint.get("scheme", "http"),
        "metrics_path": endpoint.get("path", "/metrics"),
        "static_configs": targets,
        "relabel_configs": relabelings,
        "metric_relabel_configs": [_snake_case(each) for each in endpoint.get("metricRelabelings", ())],
    }
    if "basicAuth" in endpoint:
        config["basic_auth"] = {key: secrets[ref["name"], ref["key"]] for key, ref in endpoint["basicAuth"].items()}
    return config


def pod(address: str, node: str, labels: Mapping[str, str], *, port: str, phase: str = "Running") -> dict[str, Any]:
    """A port of a pod as a target, with the labels that Prometheus gives to it before relabeling."""
    meta = {
        "__meta_kubernetes_namespace": "copy-exporter",
        f"{_META}_name": f"copy-exporter-{node}",
        f"{_META}_container_name": "copy-exporter",
        f"{_META}_container_port_name": port,
        f"{_META}_node_name": node,
        f"{_META}_phase": phase,
        **{_selector(label)[0]: value for label, value in labels.items()},
        **{_selector(label)[1]: "true" for label in labels},
    }
    return {"targets": [address], "labels": meta}


def _rule(action: str, sources: list[str], regex: str = "(.*)", **rest: str) -> dict[str, Any]:
    return {"action": action, "source_labels": sources, "regex": regex, **rest}


def _selector(label: str) -> list[str]:
    return [f"{_META}_label_{_escaped(label)}", f"{_META}_labelpresent_{_escaped(label)}"]


def _job_label(monitor: _Manifest) -> list[dict[str, Any]]:
    label = monitor["spec"].get("jobLabel")
    return [_rule("replace", _selector(label)[:1], "(.+)", target_label="job")] if label else []


def _escaped(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


def _snake_case(relabeling: _Manifest) -> dict[str, Any]:
    """The keys as Prometheus has them: ``sourceLabels`` becomes ``source_labels``."""
    return {re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), key): value for key, value in relabeling.items()}
