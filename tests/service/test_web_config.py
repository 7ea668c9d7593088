"""--web.config.file: TLS and users; asked by curl, Prometheus and strangers, while certificates and users change."""

import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.exporter_process import ExporterProcess, refused
from tests.support.prometheus import Prometheus, every_second
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

from .secrets import HOST, PASSWORD, USER, Secrets, serial

ROTATIONS = 12
SAN = "prometheus.example"


@pytest.fixture(scope="module")
def secrets() -> Iterator[Secrets]:
    made = Secrets()
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(secrets: Secrets) -> Iterator[ExporterProcess]:
    """One service for the module; tests put back what they change."""
    secrets.write({USER: PASSWORD}, {"X-Frame-Options": "deny"}, min_version="TLS12")
    with ExporterProcess("--web.config.file", str(secrets.config), client=secrets.client()) as started:
        yield started


def curl(service: ExporterProcess, secrets: Secrets, *options: str) -> tuple[int, str]:
    """Exit status of curl and the status of the answer."""
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(secrets / "ca.pem")]
    done = subprocess.run([*command, *options, service.url + "/metrics"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_curl(service: ExporterProcess, secrets: Secrets) -> None:
    right = ("-u", f"{USER}:{PASSWORD}")
    assert curl(service, secrets, *right) == (0, "200")
    assert curl(service, secrets, *right, "--tls-max", "1.2") == (0, "200")
    assert curl(service, secrets, "-u", f"{USER}:wrong") == (0, "401")
    assert curl(service, secrets, "-u", f"nobody:{PASSWORD}") == (0, "401")
    assert curl(service, secrets) == (0, "401")
    assert curl(service, secrets, *right, "--tls-max", "1.1")[0] == 35  # CURLE_SSL_CONNECT_ERROR
    assert curl(service, secrets, *right, "--cacert", "/etc/ssl/certs/ca-certificates.crt")[0] in (60, 77)
    plain = subprocess.run(["curl", "-s", f"http://{HOST}:{service.port}/metrics"], capture_output=True, check=False)
    assert (plain.returncode, plain.stdout) == (52, b"")  # CURLE_GOT_NOTHING


def test_strangers_learn_nothing(service: ExporterProcess, secrets: Secrets) -> None:
    """Not even which paths there are."""
    answers = []
    with httpx.Client(verify=secrets.context(), base_url=service.url) as stranger:
        for path in ("/", "/metrics", "/docs", "/openapi.json", "/-/healthy", "/-/ready", "/nothing"):
            answers += [stranger.get(path), stranger.post(path), stranger.options(path)]
        answers.append(stranger.get("/", headers={"authorization": "Basic !"}))
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.text for answer in answers} == {"Unauthorized\n"}
    (headers,) = {json.dumps({**answer.headers, "date": ""}) for answer in answers}
    assert json.loads(headers) == {
        "date": "",
        "content-length": "13",
        "content-type": "text/plain; charset=utf-8",
        "www-authenticate": 'Basic realm="copy-exporter", charset="UTF-8"',
        "x-frame-options": "deny",
    }


def test_headers_are_on_every_answer(service: ExporterProcess) -> None:
    for path in ("/", "/metrics", "/nothing"):
        assert service.get(path).headers["x-frame-options"] == "deny"


def test_prometheus_with_tls_and_a_password(service: ExporterProcess, secrets: Secrets, tmp_path: Path) -> None:
    config = every_second(
        service.port,
        scheme="https",
        tls_config={"ca_file": str(secrets / "ca.pem")},
        basic_auth={"username": USER, "password": PASSWORD},
    )
    with Prometheus(tmp_path, config) as server:
        wait_until(server.ready, "Prometheus")
        wait_until(lambda: server.number("count_over_time(up[1m])") >= 3, "three scrapes")
        assert server.number("min_over_time(up[1m])") == 1
        assert server.number("min(copy_exporter_scrape_success)") == 1


class Scraping:
    """A client that scrapes without a pause, with connections that it keeps and with new ones."""

    def __init__(self, service: ExporterProcess, **options: object) -> None:
        self._service, self._options = service, options
        self.statuses: list[int] = []
        self.problems: list[Exception] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Scraping":
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with httpx.Client(base_url=self._service.url, timeout=30, **self._options) as client:  # type: ignore[arg-type]
                    self.statuses += [client.get("/metrics").status_code for _ in range(2)]
            except httpx.HTTPError as problem:
                self.problems.append(problem)


def served_serial(service: ExporterProcess, context: ssl.SSLContext) -> int:
    with (
        socket.create_connection((HOST, service.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as wrapped,
    ):
        certificate = wrapped.getpeercert(binary_form=True)
        assert certificate
        return serial(certificate)


def test_certificates_and_users_change_while_scraped(service: ExporterProcess, secrets: Secrets) -> None:
    right = Scraping(service, **secrets.client())
    wrong = Scraping(service, verify=secrets.context(), auth=(USER, "wrong"))
    bob = httpx.Client(verify=secrets.context(), auth=("bob", "b"), base_url=service.url)
    with right, wrong, bob:
        for turn in range(ROTATIONS):
            assert served_serial(service, secrets.context()) != (new := secrets.issue())
            assert served_serial(service, secrets.context()) == new
            with_bob = turn % 2 == 0
            secrets.write({USER: PASSWORD, **({"bob": "b"} if with_bob else {})}, {"X-Frame-Options": "deny"})
            assert bob.get("/-/healthy").status_code == (200 if with_bob else 401), "on a connection that goes on"
    assert right.problems == []
    assert wrong.problems == []
    assert set(right.statuses) == {200}
    assert set(wrong.statuses) == {401}
    assert len(right.statuses) >= ROTATIONS
    assert service.log().count("reloaded") >= 2 * ROTATIONS


def test_the_last_good_pair_goes_on(service: ExporterProcess, secrets: Secrets) -> None:
    good = secrets.issue()
    assert served_serial(service, secrets.context()) == good
    kept = {name: (secrets / name).read_bytes() for name in ("cert.pem", "key.pem", "web.yml")}
    said = len(service.log())
    for name, content in (("key.pem", b"nonsense"), ("cert.pem", b""), ("web.yml", b"tls_server_config: [")):
        (secrets / name).write_bytes(content)
        for _ in range(3):
            assert served_serial(service, secrets.context()) == good
        assert service.get("/metrics").status_code == 200
        (secrets / name).write_bytes(kept[name])
    (secrets / "web.yml").write_text("{}")  # neither TLS nor users
    assert httpx.get(service.url, verify=secrets.context()).status_code == 401
    (secrets / "web.yml").write_bytes(kept["web.yml"])
    complaints = [line for line in service.log()[said:].splitlines() if "level=error" in line]
    assert len(complaints) == 4, "\n".join(complaints)
    assert all("--web.config.file=" in line and "previous configuration stays in effect" in line for line in complaints)
    new = secrets.issue()
    assert served_serial(service, secrets.context()) == new


def test_client_certificates(service: ExporterProcess, secrets: Secrets) -> None:
    """Asked for from the next handshake on; only those of the authority, only under an allowed name."""
    import trustme

    mine, other = secrets.client_certificate(SAN), secrets.client_certificate("other.example")
    stranger = secrets.client_certificate("stranger", trustme.CA())
    required = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}

    def ask(certificate: Path | None) -> bool:
        try:
            return httpx.get(f"{service.url}/metrics", **secrets.client(certificate)).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        secrets.write({USER: PASSWORD}, **required)
        assert [ask(one) for one in (mine, other, stranger, None)] == [True, True, False, False]
        assert curl(service, secrets, "-u", f"{USER}:{PASSWORD}", "--cert", str(mine)) == (0, "200")
        secrets.write({USER: PASSWORD}, **required, client_allowed_sans=[SAN])
        assert [ask(one) for one in (mine, other, stranger, None)] == [True, False, False, False]
        secrets.write({USER: PASSWORD}, **{**required, "client_auth_type": "VerifyClientCertIfGiven"})
        assert [ask(one) for one in (mine, stranger, None)] == [True, False, True]
    finally:
        secrets.write({USER: PASSWORD}, {"X-Frame-Options": "deny"})
    assert ask(None)


def test_versions_ciphers_and_curves(service: ExporterProcess, secrets: Secrets) -> None:
    right = ("-u", f"{USER}:{PASSWORD}")
    try:
        secrets.write({USER: PASSWORD}, min_version="TLS13")
        assert curl(service, secrets, *right, "--tls-max", "1.2")[0] == 35
        assert curl(service, secrets, *right) == (0, "200")
        suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
        secrets.write({USER: PASSWORD}, max_version="TLS12", cipher_suites=[suite], curve_preferences=["CurveP256"])
        assert curl(service, secrets, *right, "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384") == (0, "200")
        assert curl(service, secrets, *right, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")[0] == 35
        assert curl(service, secrets, *right, "--tlsv1.3")[0] == 35
    finally:
        secrets.write({USER: PASSWORD}, {"X-Frame-Options": "deny"})


def test_a_password_costs_once(start: Callable[..., ExporterProcess]) -> None:
    """A hash of cost 12 takes a fifth of a second; a hundred scrapes with the same password, together, little more."""
    import bcrypt

    made = Secrets()
    try:
        users = {USER: bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12)).decode()}
        made.config.write_text(json.dumps({"basic_auth_users": users}))
        service = start("--web.config.file", str(made.config), client={"auth": (USER, PASSWORD)})
        before = cpu_seconds(service)
        for _ in range(100):
            assert service.get("/-/healthy").status_code == 200
        assert cpu_seconds(service) - before < 5
    finally:
        made.close()


def cpu_seconds(service: ExporterProcess) -> float:
    return Scrape(service.metrics()).sum("process_cpu_seconds_total")


SERVE = ("serve", "--web.listen-address", "127.0.0.1:0")


def test_a_key_that_the_user_cannot_read_ends_the_start() -> None:
    made = Secrets()
    try:
        made.write()
        (made / "key.pem").chmod(0o600)
        status, line = refused(*SERVE, "--web.config.file", str(made.config))
        assert status == 2
        for word in ("--web.config.file=", f"key_file={made / 'key.pem'}", "--user", "CAP_DAC_READ_SEARCH"):
            assert word in line
        os.chown(made / "key.pem", 65534, -1)
        kept = ("--capabilities.keep", "CAP_DAC_READ_SEARCH")
        for flags, mode in (((), 0o600), (kept, 0o000)):
            (made / "key.pem").chmod(mode)
            with ExporterProcess("--web.config.file", str(made.config), *flags, client=made.client()) as service:
                assert service.url.startswith("https://")
    finally:
        made.close()


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        ({"cert_file": "none.pem"}, "cert_file="),
        ({"key_file": "ca.pem"}, "are not a certificate and its private key"),
        ({"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}, "is not one of TLS_AES_128_GCM_SHA256"),
        ({"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "key.pem"}, "does not contain certificates"),
        ({"min_version": "SSL30"}, "TLS12"),
    ],
)
def test_what_cannot_be_used_ends_the_start(tls: dict[str, object], says: str) -> None:
    made = Secrets()
    try:
        status, line = refused(*SERVE, "--web.config.file", str(made.write(**tls)))
        assert status == 2
        assert f"--web.config.file={made.config}" in line
        assert says in line
    finally:
        made.close()


def test_a_file_that_is_not_there() -> None:
    status, line = refused(*SERVE, "--web.config.file", "/nowhere/web.yml")
    assert (status, "--web.config.file=/nowhere/web.yml: cannot be read" in line) == (2, True)
