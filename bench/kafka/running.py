"""A real broker: Apache Kafka in KRaft mode, one node, with a PLAINTEXT and an SSL listener; and Kafka's own tools."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.page_cache import drop_from_page_cache
from tests.support.ports import free_ports
from tests.support.wait import wait_until

PASSWORD = "copy-exporter"
CLUSTER_ID = "Y29weS1leHBvcnRlci10ZX"  # 16 bytes in base 64
_START_SECONDS = 180
_PATIENCE_MS = 120_000
"""How long a consumer waits for the next record: with the default of 10 s a busy host ends it early."""
_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_OUT
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c %m%n
"""


class Java:
    """A JVM with Kafka's jars on its class path."""

    def __init__(self, jars: Path, program: str | Path = "java", flags: Sequence[str] = ()) -> None:
        """``program``: the ``java`` to run."""
        self._program = program
        self._flags = ["-Xmx512m", "-XX:+UseSerialGC", *flags]
        self._class_path = f"{jars}/*"
        (core,) = jars.glob("kafka-server-[0-9]*.jar")
        self.kafka_version = core.stem.removeprefix("kafka-server-")

    def command(self, main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """The command line that runs a class."""
        return [str(self._program), *self._flags, *flags, "-cp", self._class_path, main, *arguments]

    def run(self, main: str, *arguments: str) -> str:
        """Run a class to its end, which has to be a good one; what it printed."""
        done = subprocess.run(
            self.command(main, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{main} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


class Broker:
    """One node that is broker and controller; started and ended any number of times."""

    def __init__(self, java: Java, directory: Path, number: int = 0) -> None:
        """Format its log directory below ``directory``; ``number`` tells several brokers of one process apart."""
        self.node_id = str(10 * os.getpid() + number)  # nobody else's on this host
        self._java = java
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.data = directory / "data"
        self.plain, self.ssl, self.controller = free_ports(3)
        make_certificate(directory)
        self._file = directory / "server.properties"
        self._file.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        (directory / "logging.properties").write_text(_LOGGING)
        java.run("kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", str(self._file))

    def _properties(self) -> dict[str, str]:
        keystore = self._directory / "broker.p12"
        return {
            "process.roles": "broker,controller",
            "node.id": self.node_id,
            "controller.quorum.voters": f"{self.node_id}@127.0.0.1:{self.controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.plain},SSL://127.0.0.1:{self.ssl},"
            f"CONTROLLER://127.0.0.1:{self.controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "ssl.keystore.location": str(keystore),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": PASSWORD,
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.segment.bytes": str(32 << 20),
            "log.retention.check.interval.ms": "1000",
            "log.initial.task.delay.ms": "1000",
            "log.segment.delete.delay.ms": "1000",
        }

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Come back when both listeners answer."""
        log = self._directory / "server.log"
        flags = [f"-Dlog4j2.configurationFile={self._directory}/logging.properties"]
        with log.open("ab") as output:
            start = output.tell()
            self._process = subprocess.Popen(
                self._java.command("kafka.Kafka", self._file.name, flags=flags),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

        def started() -> bool:
            assert self._process
            text = log.read_bytes()[start:]
            if self._process.poll() is not None:
                reasons = [line for line in text.decode().splitlines() if line.startswith(("ERROR", "FATAL", "Caused"))]
                raise RuntimeError(f"the broker ended: {reasons}")
            return b"Kafka Server started" in text

        wait_until(started, "a started broker", _START_SECONDS)

    def stop(self) -> None:
        """As an operator stops it; its process has ended then."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._process = None

    def logs(self, topic: str) -> list[Path]:
        """The files of a topic's segments."""
        return sorted(self.data.glob(f"{topic}-0/*.log"))

    def drop_pages(self, topic: str) -> None:
        """Out of the page cache with a topic's segments."""
        for file in self.logs(topic):
            drop_from_page_cache(file)

    def client(self, port: int) -> Path:
        """The properties file of a client of one listener."""
        file = self._directory / f"client-{port}.properties"
        lines = [f"bootstrap.servers=127.0.0.1:{port}"]
        if port == self.ssl:
            lines += [
                "security.protocol=SSL",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self._directory}/broker.pem",
                "ssl.endpoint.identification.algorithm=",
            ]
        file.write_text("\n".join(lines))
        return file

    def create_topic(self, topic: str, **settings: object) -> None:
        """One partition."""
        configs = [
            flag for name, value in settings.items() for flag in ("--config", f"{name.replace('_', '.')}={value}")
        ]
        self._topics("--create", "--topic", topic, "--partitions", "1", *configs)

    def delete_topic(self, topic: str) -> None:
        self._topics("--delete", "--topic", topic)

    def _topics(self, *arguments: str) -> None:
        self._java.run(
            "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", f"127.0.0.1:{self.plain}", *arguments
        )

    def produce(self, topic: str, records: int, size: int, port: int = 0) -> str:
        """Records of ``size`` random bytes by ``ProducerPerformance``; what it says of itself."""
        return self._java.run(
            "org.apache.kafka.tools.ProducerPerformance",
            *("--topic", topic, "--num-records", str(records), "--record-size", str(size), "--throughput", "-1"),
            *("--producer.config", str(self.client(port or self.plain))),
            *("--producer-props", "batch.size=524288", "linger.ms=10"),
        )

    def consume(self, topic: str, records: int, port: int = 0) -> str:
        """All of ``records`` from the beginning by ``ConsumerPerformance``; what it says of itself."""
        return self._java.run(
            "org.apache.kafka.tools.ConsumerPerformance",
            *(
                "--bootstrap-server",
                f"127.0.0.1:{port or self.plain}",
                "--topic",
                topic,
                "--messages",
                str(records),
                "--timeout",
                "120000",
            ),
            *("--consumer.config", str(self.client(port or self.plain))),
        )


def make_certificate(directory: Path) -> None:
    """``broker.p12`` for the broker, ``broker.pem`` for its clients."""
    store = [
        "-alias",
        "broker",
        "-keystore",
        str(directory / "broker.p12"),
        "-storepass",
        PASSWORD,
        "-storetype",
        "PKCS12",
    ]
    names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1"]
    keytool = ["keytool", "-J-XX:TieredStopAtLevel=1"]
    subprocess.run([*keytool, "-genkeypair", *store, *names, "-keyalg", "EC"], check=True, capture_output=True)
    pem = [*keytool, "-exportcert", "-rfc", *store, "-file", str(directory / "broker.pem")]
    subprocess.run(pem, check=True, capture_output=True)
