"""The Helm chart, rendered by helm: valid, equal to what kustomize builds, and with the files of dashboards/."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from exporter import __version__
from tests.support.paths import CACHE, ROOT
from tests.support.rule_files import RULE_FILES, job_of_exporter_down

from .operator_schemas import OperatorSchemas
from .test_kubernetes import KUBERNETES, MANIFESTS, WITH_USERS

CHART = ROOT / "deploy/helm/copy-exporter"
DASHBOARDS = sorted((ROOT / "dashboards/grafana").glob("*.json"))
_NAME, _, _VERSION, _ = (ROOT / "tests/packaging/programs.txt").read_text().splitlines()[-1].split()
HELM = CACHE / "go" / f"{_NAME}-{_VERSION}"
ALL = ("podMonitor.enabled=true", "prometheusRule.enabled=true", "dashboards.enabled=true")
pytestmark = pytest.mark.chart


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(*values: str, release: str = "copy-exporter") -> tuple[dict[str, Any], ...]:
    sets = [word for value in values for word in ("--set", value)]
    done = helm("template", release, CHART, "--kube-version", KUBERNETES, "--namespace", "copy-exporter", *sets)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def only(kind: str, manifests: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    (found,) = (each for each in manifests if each["kind"] == kind)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def container(manifests: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    (found,) = only("DaemonSet", manifests)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def kustomized(folder: Path = MANIFESTS) -> dict[str, dict[str, Any]]:
    built = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True).stdout
    return {each["kind"]: each for each in yaml.safe_load_all(built)}


def without_labels(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what the chart adds: helm's labels, and the pull policy that Kubernetes would choose."""
    text = json.loads(json.dumps(manifest), object_hook=_without_labels)
    return dict(text)


def _without_labels(part: dict[str, Any]) -> dict[str, Any]:
    omitted = {"labels", "matchLabels", "imagePullPolicy"}
    return {key: value for key, value in part.items() if key not in omitted}


def test_lint() -> None:
    done = helm("lint", "--strict", "--kube-version", KUBERNETES, CHART)
    assert done.returncode == 0, done.stdout + done.stderr


def test_versions_are_those_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert container(rendered())["image"] == f"copy-exporter:{__version__}"


def test_by_default_only_the_daemon_set() -> None:
    assert [each["kind"] for each in rendered()] == ["DaemonSet"]


@pytest.mark.parametrize("kind", ["DaemonSet", "PodMonitor"])
def test_equal_to_kustomize(kind: str) -> None:
    assert without_labels(only(kind, rendered(*ALL))) == without_labels(kustomized()[kind])


def test_equal_to_kustomize_with_users(tmp_path: Path) -> None:
    """The same probes, flags, mounts and volumes; kustomize adds its own volumes at the front."""
    for folder in (MANIFESTS, WITH_USERS):
        subprocess.run(["cp", "-r", folder, tmp_path], check=True)
    for name in ("web.yml", "username", "password"):
        (tmp_path / WITH_USERS.name / name).write_text("{}")
    expected = kustomized(tmp_path / WITH_USERS.name)["DaemonSet"]["spec"]["template"]["spec"]
    made = only("DaemonSet", rendered("webConfigSecret=copy-exporter-web"))["spec"]["template"]["spec"]
    (wanted,), (got,) = expected["containers"], made["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert got[probe] == wanted[probe]
    assert sorted(got["args"]) == sorted(wanted["args"])
    by_name = lambda volumes: sorted(volumes, key=lambda volume: str(volume["name"]))  # noqa: E731
    assert by_name(got["volumeMounts"]) == by_name(wanted["volumeMounts"])
    assert by_name(made["volumes"]) == by_name(expected["volumes"])


def test_schemas(operator: OperatorSchemas) -> None:
    kinds = set()
    for manifest in rendered(*ALL):
        kinds.add(manifest["kind"])
        if manifest["apiVersion"].startswith("monitoring.coreos.com"):
            assert operator.errors(manifest) == ""
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert kinds == {"DaemonSet", "PodMonitor", "PrometheusRule", "ConfigMap"}


def test_values_arrive() -> None:
    values = (
        "image.repository=registry.example/copy-exporter",
        f"image.digest=sha256:{'0' * 64}",
        "port=9999",
        "flags={--no-kafka,--process.max=10}",
        "resources.limits.memory=1Gi",
        "nodeSelector.kafka=yes",
        "priorityClassName=system-node-critical",
        "podAnnotations.a=b",
        "podLabels.team=data",
        "podSecurityContext.fsGroup=1",
        "securityContext.seccompProfile.type=Unconfined",
        "tolerations=null",
        "imagePullSecrets[0].name=pull",
    )
    manifest = only("DaemonSet", rendered(*values))
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    template = manifest["spec"]["template"]
    (got,) = template["spec"]["containers"]
    assert got["image"] == f"registry.example/copy-exporter@sha256:{'0' * 64}"
    assert got["args"] == ["serve", "--web.listen-address=:9999", "--no-kafka", "--process.max=10"]
    assert got["ports"] == [{"name": "metrics", "containerPort": 9999, "protocol": "TCP"}]
    assert got["resources"]["limits"] == {"memory": "1Gi"}
    assert got["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert got["securityContext"]["runAsUser"] == 65534
    assert template["metadata"]["annotations"] == {"a": "b"}
    assert template["metadata"]["labels"]["team"] == "data"
    spec = template["spec"]
    assert spec["nodeSelector"] == {"kafka": "yes"}
    assert spec["priorityClassName"] == "system-node-critical"
    assert spec["securityContext"] == {"fsGroup": 1}
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert "tolerations" not in spec


def test_the_job_is_the_one_that_alerts_select() -> None:
    """Whatever the release is called."""
    manifests = rendered(*ALL, release="blue")
    labels = only("DaemonSet", manifests)["spec"]["template"]["metadata"]["labels"]
    monitor = only("PodMonitor", manifests)["spec"]
    assert labels[monitor["jobLabel"]] == job_of_exporter_down()
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert only("DaemonSet", manifests)["metadata"]["name"] == "blue-copy-exporter"


def test_the_pod_monitors_values_arrive(operator: OperatorSchemas) -> None:
    values = (
        "podMonitor.enabled=true",
        "podMonitor.labels.release=prometheus",
        "podMonitor.endpoint.scheme=https",
        "podMonitor.endpoint.basicAuth.username.name=scraper",
        "podMonitor.endpoint.basicAuth.username.key=username",
    )
    monitor = only("PodMonitor", rendered(*values))
    assert operator.errors(monitor) == ""
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["basicAuth"] == {"username": {"name": "scraper", "key": "username"}}


def test_the_rules_are_the_shipped_files() -> None:
    specs = {each["metadata"]["name"]: each["spec"] for each in rendered(*ALL) if each["kind"] == "PrometheusRule"}
    shipped = {f"copy-exporter-{file.name.partition('.')[0]}": yaml.safe_load(file.read_text()) for file in RULE_FILES}
    assert specs == shipped


def test_the_dashboards_are_the_shipped_files() -> None:
    maps = [each for each in rendered(*ALL) if each["kind"] == "ConfigMap"]
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in maps} == {"1"}
    data = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    assert data == {file.name: json.loads(file.read_text()) for file in DASHBOARDS}


def test_a_packaged_chart_has_the_files_of_the_links(tmp_path: Path) -> None:
    done = helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*.tgz")
    names = subprocess.run(["tar", "tzf", package], check=True, capture_output=True, text=True).stdout.splitlines()
    for file in (*DASHBOARDS, *RULE_FILES):
        assert [name for name in names if name.endswith(f"/{file.name}")], file.name
