"""The commands of the documentation, and for each one what runs it, or why nothing does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.doc_queries import PAGES
from tests.support.paths import ROOT

_PROGRAMS = (
    r"amtool|apt-get|bash|bpftool|buildah|cat|copy-exporter|cp|curl|docker|dpkg|echo|ethtool|git|grep|helm|htpasswd|"
    r"journalctl|kafka-configs\.sh|kafka-consumer-groups\.sh|kill|kubectl|ls|make|openssl|perf|pip|promtool|ps|python3?|rpm|"
    r"sed|ss|strace|sudo|systemctl"
)
_LINE = re.compile(rf"^ {{4,}}(?:\$ )?((?:[A-Z_]+=\S+ )*(?:\S*/)?(?:{_PROGRAMS})(?: .*)?)$")
_OUTPUT = re.compile(r"^ +python3 sender\.py, process ")
"""Lines that only look like a command."""


@dataclass(frozen=True)
class Run:
    """``tests/service/test_doc_commands.py`` runs it, beside an exporter on its usual port, and finds ``prints``."""

    prints: str


@dataclass(frozen=True)
class By:
    """This test does what the command does, or make does in it."""

    test: str


@dataclass(frozen=True)
class NotRun:
    """No test runs it."""

    why: str


_IMAGE = By("tests/packaging/test_image.py")
_SYSTEMD = By("tests/packaging/test_systemd.py")
_ITSELF = NotRun("it is the command that the tests are, or that CI starts")
_DOCKER = NotRun("no Docker engine where the tests run; tests/packaging compares the flags and the files")
_CLUSTER = NotRun("no Kubernetes cluster; tests/packaging/test_kubernetes.py builds and checks the manifests")
_BROKER_TOOLS = NotRun("tools of Apache Kafka, with a broker of the reader's")
_HARDWARE = NotRun("needs a network card")
_PACKAGES = By("tests/packages/test_packages.py")
_RELEASE = NotRun("a step of a release")
_MANUAL = NotRun("takes minutes and is not a test: run by hand for the figures of the page")
HOW: dict[str, Run | By | NotRun] = {
    "make run": By("tests/service/test_doc_commands.py"),
    "make test": _ITSELF,
    "make doctor": Run("copy-exporter can run on this host"),
    "copy-exporter doctor": Run("copy-exporter can run on this host"),
    "copy-exporter demo": By("tests/demo/test_experiment.py"),
    "curl -s localhost:10435/metrics | grep 'pid=\"4411\"'": Run("copy_bytes_total{"),
    "curl -s localhost:10435/api/v1/live | python3 -m json.tool": Run('"moved_bytes_per_second"'),
    "curl -sN localhost:10435/api/v1/live/stream": Run("event: live"),
    "copy-exporter top": Run("probes attached"),
    "copy-exporter top http://broker-1:10435/": By("tests/service/test_top.py"),
    "copy-exporter top --user alice --password-file pw --ca-file ca.pem https://broker-1:10435/": By(
        "tests/service/test_top.py"
    ),
    "pip install '.[top]'": By("tests/packaging/test_top.py"),
    "/opt/copy-exporter/bin/pip install .": By("tests/packaging/test_wheel.py"),
    "/opt/copy-exporter/bin/copy-exporter doctor": By("tests/service/test_doc_commands.py"),
    "apt-get install libbpf1 linux-libc-dev python3-bpfcc python3-venv": _IMAGE,
    "/usr/bin/python3 -m venv --system-site-packages /opt/copy-exporter": By("tests/packaging/test_wheel.py"),
    "cp deploy/systemd/copy-exporter.service /etc/systemd/system/": _SYSTEMD,
    "echo 'OPTIONS=--process.labels comm' > /etc/default/copy-exporter": _SYSTEMD,
    "systemctl enable --now copy-exporter": _SYSTEMD,
    "make deb": _PACKAGES,
    "make deb SUITE=trixie": _PACKAGES,
    "apt-get install ./dist/copy-exporter_*.deb": _PACKAGES,
    "systemctl status copy-exporter": _PACKAGES,
    "curl http://localhost:10435/metrics": _PACKAGES,
    "systemctl disable --now copy-exporter": _PACKAGES,
    "systemctl daemon-reload": NotRun("needs the reader's systemd"),
    "make lock audit": _RELEASE,
    "make test matrix chart packages": _ITSELF,
    "make version NEW=0.2.0": By("tests/packaging/test_release.py"),
    "make version NEW=0.3.0-dev0": By("tests/packaging/test_release.py"),
    'git tag --annotate v$(make version) --message "copy-exporter $(make version)"': _RELEASE,
    ".venv/bin/python -m pytest tests/packaging/test_release.py": _ITSELF,
    "helm package deploy/helm/copy-exporter --destination dist": By("tests/packaging/test_chart.py"),
    ".venv/bin/python -m build --outdir dist": By("tests/packaging/test_wheel.py"),
    "systemctl status copy-exporter; journalctl -u copy-exporter -n 50": NotRun("needs the reader's systemd"),
    "curl -sS localhost:10435/-/healthy; curl -sS localhost:10435/-/ready": Run("ready"),
    "ss -tlnp 'sport = :10435'": Run("10435"),
    "ss -tnp | grep pid=4711": NotRun("shows connections of the reader's process; the same ss as above"),
    "ss -tnip | grep -A1 pid=4711": NotRun("the same"),
    "ss -tni | grep -c retrans": NotRun("the same"),
    "ss -tlnp 'sport = :9092'": NotRun("the same"),
    "grep -E 'Seccomp|NoNewPrivs' /proc/4711/status": Run("Seccomp:"),
    "grep -E '^(listeners|listener.security|remote.log)' /etc/kafka/server.properties": NotRun("the reader's file"),
    "perf top -p 4711": NotRun("perf is a package of the reader's kernel"),
    "strace -f -e trace=sendfile,copy_file_range -p 4711": NotRun(
        "attaches to the reader's process until it is stopped"
    ),
    "ps -o pid,ppid,lstart,cmd -p 4711": Run("mover"),
    "ps -o lstart,cmd -p PID": Run("mover"),
    "ls -l /proc/4711/fd | head -50": Run("socket:"),
    "ls -l /proc/4711/exe": Run("mover"),
    "journalctl -u copy-exporter -n 50": NotRun("needs the reader's systemd"),
    "strace -f -c -p 4711": NotRun("the same"),
    "strace -f -c -e trace=sendfile,read,pread64,write,writev -p PID": NotRun("the same"),
    "openssl s_client -connect broker1:9092 </dev/null": _BROKER_TOOLS,
    "kafka-consumer-groups.sh --bootstrap-server broker1:9092 --describe --all-groups": _BROKER_TOOLS,
    "kafka-configs.sh --bootstrap-server broker1:9092 --describe --entity-type brokers --all "
    "| grep -i listener": _BROKER_TOOLS,
    "kafka-configs.sh --bootstrap-server broker1:9092 --describe --entity-type topics": _BROKER_TOOLS,
    "ethtool eth0 | grep Speed": _HARDWARE,
    "sed -i 's#docs/runbooks/#https://wiki.example.com/copy-exporter/#' alerts.rules.yml": Run(""),
    "make kafka-demo": _MANUAL,
    "make bench-kafka": _MANUAL,
    'make bench ARGS="--rounds 10"': _MANUAL,
    "make image": _IMAGE,
    "make image BASE=debian:12.12-slim": NotRun("no image registry where the tests run"),
    "buildah --root .cache/containers --runroot .cache/containers.run "
    "push copy-exporter:$(make version) docker-archive:copy-exporter.tar": NotRun(
        "writes the image that tests/packaging/test_image.py has built to a file"
    ),
    "docker build --build-arg VERSION=$(make version) --build-arg REVISION=$(git rev-parse HEAD) "
    "--tag copy-exporter .": _DOCKER,
    "docker run --name copy-exporter --detach --pid host --network host --read-only --cap-drop ALL \\": _DOCKER,
    "docker compose --file deploy/compose.yaml up --build": _DOCKER,
    "docker compose --file deploy/compose.yaml --profile kafka up --build": _DOCKER,
    "kubectl create namespace copy-exporter": _CLUSTER,
    "kubectl label namespace copy-exporter pod-security.kubernetes.io/enforce=privileged": _CLUSTER,
    "helm install copy-exporter deploy/helm/copy-exporter --namespace copy-exporter \\": _CLUSTER,
    "kubectl apply -k deploy/kubernetes": _CLUSTER,
    "kubectl apply -k deploy/kubernetes-with-users": _CLUSTER,
}


def doc_commands() -> Iterator[tuple[str, str]]:
    """Each command, without the comment after it, after the page that has it."""
    for page in PAGES:
        for line in page.read_text().splitlines():
            if (found := _LINE.match(line)) and not _OUTPUT.match(line):
                yield str(page.relative_to(ROOT)), re.sub(r"\s+# .*", "", found[1]).strip()
