"""The manifests, as kustomize builds them, compared with the published schemas, the image and the systemd unit."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from exporter import __version__
from tests.support.paths import ROOT
from tests.support.rule_files import job_of_exporter_down

from .operator_schemas import OperatorSchemas

KUBERNETES = "1.31"
MANIFESTS = ROOT / "deploy/kubernetes"
WITH_USERS = ROOT / "deploy/kubernetes-with-users"


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """The manifests by kind."""
    built = subprocess.run(["kubectl", "kustomize", MANIFESTS], check=True, capture_output=True, text=True).stdout
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(built)}


@pytest.fixture
def with_users(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The manifests with users and an image by digest, by kind; secrets by name."""
    folder = tmp_path / WITH_USERS.name
    for original in (MANIFESTS, WITH_USERS):
        shutil.copytree(original, tmp_path / original.name)
    (folder / "web.yml").write_text("basic_auth_users: {prometheus: $2b$12$hash}\n")
    (folder / "username").write_text("prometheus")
    (folder / "password").write_text("secret")
    text = (folder / "kustomization.yaml").read_text()
    named = text.replace("    # newName: registry.example", "    newName: registry.example")
    (folder / "kustomization.yaml").write_text(
        named.replace("    # digest: sha256:…", f"    digest: sha256:{'0' * 64}")
    )
    built = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True).stdout
    assert text != (folder / "kustomization.yaml").read_text()
    documents = list(yaml.safe_load_all(built))
    return {each["metadata"]["name"] if each["kind"] == "Secret" else each["kind"]: each for each in documents}


def test_with_users(with_users: dict[str, dict[str, Any]], operator: OperatorSchemas) -> None:
    """The service has the users of one secret, Prometheus the password of the other, and the kubelet needs none."""
    kubernetes_validate.validate(with_users["DaemonSet"], KUBERNETES, strict=True)
    assert operator.errors(with_users["PodMonitor"]) == ""
    only = container(with_users)
    assert only["image"] == f"registry.example/copy-exporter@sha256:{'0' * 64}"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert only[probe]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in only[probe]
    (flag,) = [argument for argument in only["args"] if argument.startswith("--web.config.file=")]
    (mount,) = [mount for mount in only["volumeMounts"] if mount["name"] == "web"]
    assert flag.partition("=")[2] == f"{mount['mountPath']}/web.yml"
    volumes = {volume["name"]: volume for volume in with_users["DaemonSet"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes["web"]["secret"]["secretName"] == with_users["copy-exporter-web"]["metadata"]["name"]
    assert set(with_users["copy-exporter-web"]["data"]) == {"web.yml"}
    (endpoint,) = with_users["PodMonitor"]["spec"]["podMetricsEndpoints"]
    scraper = with_users["copy-exporter-scraper"]
    for key in ("username", "password"):
        assert endpoint["basicAuth"][key] == {"name": scraper["metadata"]["name"], "key": key}
        assert key in scraper["data"]


def test_profiles(manifests: dict[str, dict[str, Any]]) -> None:
    context = container(manifests)["securityContext"]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["appArmorProfile"] == {"type": "Unconfined"}


def container(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (only,) = manifests["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_kinds_and_names(manifests: dict[str, dict[str, Any]]) -> None:
    assert set(manifests) == {"Namespace", "DaemonSet", "PodMonitor"}
    assert {each["metadata"].get("namespace", "copy-exporter") for each in manifests.values()} == {"copy-exporter"}
    assert container(manifests)["image"] == f"copy-exporter:{__version__}"


@pytest.mark.parametrize("kind", ["Namespace", "DaemonSet"])
def test_schema(manifests: dict[str, dict[str, Any]], kind: str) -> None:
    kubernetes_validate.validate(manifests[kind], KUBERNETES, strict=True)


def test_the_schema_rejects_an_unknown_key(manifests: dict[str, dict[str, Any]]) -> None:
    wrong = json.loads(json.dumps(manifests["DaemonSet"]).replace("readOnlyRootFilesystem", "readOnlyRoot"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_pod_monitor(manifests: dict[str, dict[str, Any]], operator: OperatorSchemas) -> None:
    assert operator.errors(manifests["PodMonitor"]) == ""
    wrong = json.loads(json.dumps(manifests["PodMonitor"]).replace("15s", "15 seconds"))
    assert "must match pattern" in operator.errors(wrong)


def test_the_pod_monitor_finds_the_pods(manifests: dict[str, dict[str, Any]]) -> None:
    template = manifests["DaemonSet"]["spec"]["template"]
    assert manifests["PodMonitor"]["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = manifests["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in container(manifests)["ports"]}


def test_the_job_is_the_one_that_alerts_select(manifests: dict[str, dict[str, Any]]) -> None:
    """Without jobLabel, the operator would make the job NAMESPACE/NAME, and ExporterDown would never fire."""
    label = manifests["PodMonitor"]["spec"]["jobLabel"]
    assert manifests["DaemonSet"]["spec"]["template"]["metadata"]["labels"][label] == job_of_exporter_down()


def test_the_rights_are_those_of_the_unit(manifests: dict[str, dict[str, Any]]) -> None:
    """The file capabilities of the image's interpreter include them all."""
    rights = container(manifests)["securityContext"]["capabilities"]
    assert rights["drop"] == ["ALL"]
    capabilities = {f"CAP_{name}" for name in rights["add"]}
    assert capabilities
    unit = (ROOT / "deploy/systemd/copy-exporter.service").read_text()
    (ambient,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("AmbientCapabilities=")]
    assert capabilities == set(ambient.split())
    assert all(name.lower() in (ROOT / "Dockerfile").read_text() for name in capabilities)
    context = container(manifests)["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text()
