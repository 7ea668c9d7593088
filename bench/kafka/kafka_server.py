"""A real broker, for benches and tests: Apache Kafka in KRaft mode, driven by Kafka's own tools."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.kafka.java import Java
from tests.support.page_cache import drop_from_page_cache
from tests.support.ports import free_ports
from tests.support.wait import wait_until

PASSWORD = "copy-exporter"
CLUSTER_ID = "Y29weS1leHBvcnRlci10ZX"  # 16 bytes in base 64
_START_SECONDS = 180
_STOP_SECONDS = 60
_CONSUMER_TIMEOUT_MS = 120_000
"""How long a consumer waits for the next record: after the default of 10 s it gives up on a busy host."""
_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_OUT
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c %m%n
"""


class KafkaServer:
    """One node that is broker and controller, with a PLAINTEXT and an SSL listener. It can be started repeatedly."""

    def __init__(
        self, java: Java, directory: Path, number: int = 0, *, controller: "KafkaServer | None" = None
    ) -> None:
        """Format the log directory below ``directory``; ``number`` distinguishes several servers of one process.

        With ``controller`` this is only a broker, of the cluster of that one.
        """
        self.node_id = str(10 * os.getpid() + number)  # unique on this host
        self.java = java
        self._controller = controller
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._log_directory = directory / "data"
        self.plaintext_port, self.ssl_port, self.controller_port = free_ports(3)
        make_certificate(directory)
        self._config = directory / "server.properties"
        self._config.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        (directory / "logging.properties").write_text(_LOGGING)
        java.run("kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", str(self._config))

    def _properties(self) -> dict[str, str]:
        keystore = self._directory / "broker.p12"
        controller = self._controller or self
        own_controller = "" if self._controller else f",CONTROLLER://127.0.0.1:{self.controller_port}"
        return {
            "process.roles": "broker" if self._controller else "broker,controller",
            "node.id": self.node_id,
            "controller.quorum.voters": f"{controller.node_id}@127.0.0.1:{controller.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.plaintext_port},SSL://127.0.0.1:{self.ssl_port}{own_controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "ssl.keystore.location": str(keystore),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": PASSWORD,
            "log.dirs": str(self._log_directory),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.segment.bytes": str(32 << 20),
            "log.retention.check.interval.ms": "1000",
            "log.initial.task.delay.ms": "1000",
            "log.segment.delete.delay.ms": "1000",
        }

    def __enter__(self) -> "KafkaServer":
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
        """Start the process, and return when both listeners accept connections."""
        log = self._directory / "server.log"
        flags = [f"-Dlog4j2.configurationFile={self._directory}/logging.properties"]
        with log.open("ab") as output:
            start = output.tell()
            self._process = subprocess.Popen(
                self.java.command("kafka.Kafka", self._config.name, flags=flags),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

        def is_started() -> bool:
            assert self._process
            text = log.read_bytes()[start:]
            if self._process.poll() is not None:
                reasons = [line for line in text.decode().splitlines() if line.startswith(("ERROR", "FATAL", "Caused"))]
                raise RuntimeError(f"the broker exited: {reasons}")
            return b"Kafka Server started" in text

        wait_until(is_started, "the broker is started", _START_SECONDS)

    def stop(self) -> None:
        """Stop the process as an operator does, and return when it has exited."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOP_SECONDS)
        self._process = None

    def segments(self, topic: str) -> list[Path]:
        """The files of a topic's log segments."""
        return sorted(self._log_directory.glob(f"{topic}-0/*.log"))

    def drop_from_page_cache(self, topic: str) -> None:
        """Remove a topic's log segments from the page cache."""
        for file in self.segments(topic):
            drop_from_page_cache(file)

    def create_topic(self, topic: str, *, replicas: Sequence["KafkaServer"] = (), **settings: object) -> None:
        """Create a topic with one partition; ``settings``: its configuration, with ``_`` for ``.``.

        ``replicas``: the brokers that have it, the leader first.
        """
        configs = [
            flag for name, value in settings.items() for flag in ("--config", f"{name.replace('_', '.')}={value}")
        ]
        nodes = ":".join(server.node_id for server in replicas)
        where = ["--replica-assignment", nodes] if replicas else ["--partitions", "1"]
        self._run_topic_command("--create", "--topic", topic, *where, *configs)

    def delete_topic(self, topic: str) -> None:
        self._run_topic_command("--delete", "--topic", topic)

    def _run_topic_command(self, *arguments: str) -> None:
        address = f"127.0.0.1:{self.plaintext_port}"
        self.java.run("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", address, *arguments)

    def produce(self, topic: str, records: int, size: int) -> str:
        """Write records of ``size`` random bytes by ``ProducerPerformance``, and return what it printed."""
        return self.java.run(
            "org.apache.kafka.tools.ProducerPerformance",
            *("--topic", topic, "--num-records", str(records), "--record-size", str(size), "--throughput", "-1"),
            *("--producer.config", str(self._write_client_config(self.plaintext_port))),
            *("--producer-props", "batch.size=524288", "linger.ms=10"),
        )

    def produce_with_keys(self, topic: str, records: int, keys: int) -> str:
        """Write short records by ``VerifiableProducer``, whose keys repeat, and return what it printed."""
        return self.java.run(
            "org.apache.kafka.tools.VerifiableProducer",
            *("--bootstrap-server", f"127.0.0.1:{self.plaintext_port}", "--topic", topic),
            *("--max-messages", str(records), "--repeating-keys", str(keys)),
        )

    def consume(self, topic: str, records: int, port: int = 0) -> str:
        """Read ``records`` from the beginning by ``ConsumerPerformance``, and return what it printed.

        ``port``: of the listener, by default the PLAINTEXT one.
        """
        port = port or self.plaintext_port
        return self.java.run(
            "org.apache.kafka.tools.ConsumerPerformance",
            *("--bootstrap-server", f"127.0.0.1:{port}", "--topic", topic, "--messages", str(records)),
            *("--timeout", str(_CONSUMER_TIMEOUT_MS), "--consumer.config", str(self._write_client_config(port))),
        )

    def _write_client_config(self, port: int) -> Path:
        """Write the properties file of a client of one listener."""
        file = self._directory / f"client-{port}.properties"
        lines = [f"bootstrap.servers=127.0.0.1:{port}"]
        if port == self.ssl_port:
            lines += [
                "security.protocol=SSL",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self._directory}/broker.pem",
                "ssl.endpoint.identification.algorithm=",
            ]
        file.write_text("\n".join(lines))
        return file


def make_certificate(directory: Path) -> None:
    """Make ``broker.p12`` for the broker and ``broker.pem`` for its clients."""
    store = [
        *("-alias", "broker", "-keystore", str(directory / "broker.p12")),
        *("-storepass", PASSWORD, "-storetype", "PKCS12"),
    ]
    names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1"]
    keytool = ["keytool", "-J-XX:TieredStopAtLevel=1"]
    subprocess.run([*keytool, "-genkeypair", *store, *names, "-keyalg", "EC"], check=True, capture_output=True)
    pem = [*keytool, "-exportcert", "-rfc", *store, "-file", str(directory / "broker.pem")]
    subprocess.run(pem, check=True, capture_output=True)
