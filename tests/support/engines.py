"""The engines of versions.txt as servers on loopback."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import CACHE, ROOT
from tests.support.ports import LOOPBACK, free_port
from tests.support.prometheus import QueryServer

VERSIONS = ROOT / "tests/engines/versions.txt"
_LINES = [line.split() for line in VERSIONS.read_text().splitlines() if not line.startswith("#")]
VERSION = {name: version for name, _, version, *_ in _LINES}


def program(name: str) -> Path:
    """What ``tests/support/build-go`` has built."""
    return CACHE / "engines" / f"{name}-{VERSION[name]}"


class VictoriaMetrics(QueryServer):
    """A VictoriaMetrics that takes remote writes; queries see a sample as soon as it has arrived."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        command = [
            str(program("victoria-metrics")),
            f"-storageDataPath={directory}/victoria-metrics",
            f"-httpListenAddr={LOOPBACK}:{self.port}",
            "-search.latencyOffset=0s",
            "-search.disableCache",
        ]
        super().__init__(command, self.port, directory / "victoria-metrics.log")


class VmAlert(QueryServer):
    """A vmalert that evaluates rules every second, and writes what they record back to the same store."""

    def __init__(self, directory: Path, store: VictoriaMetrics, alertmanager: str, rules: Sequence[Path]) -> None:
        port = free_port()
        command = [
            str(program("vmalert")),
            *(f"-rule={file}" for file in rules),
            f"-httpListenAddr={LOOPBACK}:{port}",
            *(f"-{role}.url={store.url}" for role in ("datasource", "remoteRead", "remoteWrite")),
            f"-notifier.url=http://{alertmanager}",
            "-evaluationInterval=1s",
            "-rule.evalDelay=0s",
            "-rule.resendDelay=10s",
        ]
        super().__init__(command, port, directory / "vmalert.log")


class Thanos(QueryServer):
    """A component of Thanos; other components reach it at the address ``grpc``."""

    def __init__(self, directory: Path, component: str, grpc: str, *flags: str) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        addresses = (f"--http-address={LOOPBACK}:{self.port}", f"--grpc-address={grpc}")
        super().__init__(
            [str(program("thanos")), component, *addresses, *flags], self.port, directory / f"thanos-{component}.log"
        )


class Receive(Thanos):
    """Thanos Receive: stores what is written to ``write_url``."""

    def __init__(self, directory: Path, grpc: str) -> None:
        address = f"{LOOPBACK}:{free_port()}"
        self.write_url = f"http://{address}/api/v1/receive"
        super().__init__(
            directory,
            "receive",
            grpc,
            f"--remote-write.address={address}",
            f"--receive.capnproto-address={LOOPBACK}:{free_port()}",
            f"--tsdb.path={directory}/receive",
            '--label=receive="1"',
        )


class Query(Thanos):
    """Thanos Query, which hides the label of a :class:`Ruler`: rules divide what they record by what Receive stores."""

    def __init__(self, directory: Path, grpc: str, *endpoints: str) -> None:
        super().__init__(
            directory,
            "query",
            grpc,
            *(f"--endpoint={endpoint}" for endpoint in endpoints),
            "--query.replica-label=ruler",
        )


class Ruler(Thanos):
    """Thanos Rule: evaluates rules every second against a Thanos Query."""

    def __init__(self, directory: Path, grpc: str, query: Query, alertmanager: str, rules: Sequence[Path]) -> None:
        super().__init__(
            directory,
            "rule",
            grpc,
            *(f"--rule-file={file}" for file in rules),
            f"--query={query.url}",
            f"--alertmanagers.url=http://{alertmanager}",
            f"--data-dir={directory}/rule",
            '--label=ruler="1"',
            "--eval-interval=1s",
            "--rule-query-offset=3s",  # of the time that samples take until they are in Receive
            "--resend-delay=10s",
        )
