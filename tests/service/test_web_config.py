"""--web.config.file with curl, Prometheus and httpx as clients, while certificates and users change."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.exporter_process import ExporterProcess, refused
from tests.support.prometheus import Prometheus, every_second
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

from .web_config_files import HOST, PASSWORD, USER, WebConfigFiles, bcrypt_hash, serial_number

ROTATIONS = 12
SAN = "prometheus.example"
HEADERS = {"X-Frame-Options": "deny"}
CURLE_SSL_CONNECT_ERROR, CURLE_GOT_NOTHING, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE = 35, 52, 60, 77


@pytest.fixture(scope="module")
def files() -> Iterator[WebConfigFiles]:
    with WebConfigFiles() as made:
        yield made


@pytest.fixture(scope="module")
def service(files: WebConfigFiles) -> Iterator[ExporterProcess]:
    """One service for the module; each test restores what it changes."""
    files.write_config({USER: PASSWORD}, HEADERS, min_version="TLS12")
    with ExporterProcess("--web.config.file", str(files.config), client=files.client_options()) as started:
        yield started


def curl(service: ExporterProcess, files: WebConfigFiles, *options: str) -> tuple[int, str]:
    """Exit status of curl, and HTTP status of the answer."""
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(files / "ca.pem")]
    done = subprocess.run([*command, *options, service.url + "/metrics"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_curl(service: ExporterProcess, files: WebConfigFiles) -> None:
    credentials = ("-u", f"{USER}:{PASSWORD}")
    assert curl(service, files, *credentials) == (0, "200")
    assert curl(service, files, *credentials, "--tls-max", "1.2") == (0, "200")
    assert curl(service, files, "-u", f"{USER}:wrong") == (0, "401")
    assert curl(service, files, "-u", f"nobody:{PASSWORD}") == (0, "401")
    assert curl(service, files) == (0, "401")
    assert curl(service, files, *credentials, "--tls-max", "1.1")[0] == CURLE_SSL_CONNECT_ERROR
    assert curl(service, files, *credentials, "--cacert", "/etc/ssl/certs/ca-certificates.crt")[0] in (
        CURLE_PEER_FAILED_VERIFICATION,
        CURLE_SSL_CACERT_BADFILE,
    )
    plain = subprocess.run(["curl", "-s", f"http://{HOST}:{service.port}/metrics"], capture_output=True, check=False)
    assert (plain.returncode, plain.stdout) == (CURLE_GOT_NOTHING, b"")


def test_without_a_password_every_path_has_the_same_answer(service: ExporterProcess, files: WebConfigFiles) -> None:
    answers = []
    with httpx.Client(verify=files.client_context(), base_url=service.url) as client:
        for path in ("/", "/metrics", "/openapi.json", "/-/healthy", "/-/ready", "/nothing"):
            answers += [client.get(path), client.post(path), client.options(path)]
        answers.append(client.get("/", headers={"authorization": "Basic !"}))
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


def test_prometheus_with_tls_and_a_password(service: ExporterProcess, files: WebConfigFiles, tmp_path: Path) -> None:
    config = every_second(
        service.port,
        scheme="https",
        tls_config={"ca_file": str(files / "ca.pem")},
        basic_auth={"username": USER, "password": PASSWORD},
    )
    with Prometheus(tmp_path, config) as server:
        wait_until(server.ready, "Prometheus")
        wait_until(lambda: server.number("count_over_time(up[1m])") >= 3, "three scrapes")
        assert server.number("min_over_time(up[1m])") == 1
        assert server.number("min(copy_exporter_scrape_success)") == 1


class ScrapingThread:
    """Scrapes without a pause until the end of the context, twice per connection."""

    def __init__(self, service: ExporterProcess, **options: object) -> None:
        self._service, self._options = service, options
        self.statuses: list[int] = []
        self.errors: list[Exception] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "ScrapingThread":
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with httpx.Client(base_url=self._service.url, timeout=30, **self._options) as client:  # type: ignore[arg-type]
                    self.statuses += [client.get("/metrics").status_code for _ in range(2)]
            except httpx.HTTPError as error:
                self.errors.append(error)


def served_serial_number(service: ExporterProcess, files: WebConfigFiles) -> int:
    """Serial number of the certificate in a new handshake."""
    with (
        socket.create_connection((HOST, service.port), timeout=10) as plain,
        files.client_context().wrap_socket(plain, server_hostname=HOST) as wrapped,
    ):
        certificate = wrapped.getpeercert(binary_form=True)
        assert certificate
        return serial_number(certificate)


def test_certificates_and_users_change_during_scrapes(service: ExporterProcess, files: WebConfigFiles) -> None:
    correct = ScrapingThread(service, **files.client_options())
    wrong = ScrapingThread(service, verify=files.client_context(), auth=(USER, "wrong"))
    bob = httpx.Client(verify=files.client_context(), auth=("bob", "b"), base_url=service.url)
    with correct, wrong, bob:
        for turn in range(ROTATIONS):
            before = served_serial_number(service, files)
            new = files.issue_server_certificate()
            assert before != new
            assert served_serial_number(service, files) == new
            users = {USER: PASSWORD, "bob": "b"} if turn % 2 == 0 else {USER: PASSWORD}
            files.write_config(users, HEADERS)
            status = bob.get("/-/healthy").status_code
            assert status == (200 if "bob" in users else 401), "users also change for open connections"
    assert correct.errors == []
    assert wrong.errors == []
    assert set(correct.statuses) == {200}
    assert set(wrong.statuses) == {401}
    assert len(correct.statuses) >= ROTATIONS
    assert service.log().count("reloaded") >= 2 * ROTATIONS


def test_the_last_usable_files_stay_in_effect(start: Callable[..., ExporterProcess], files: WebConfigFiles) -> None:
    """In a service of its own: the lines are limited by rate, and the test before causes such lines too."""
    files.write_config({USER: PASSWORD}, HEADERS, min_version="TLS12")
    service = start("--web.config.file", str(files.config), client=files.client_options())
    usable = files.issue_server_certificate()
    assert served_serial_number(service, files) == usable
    contents = {name: (files / name).read_bytes() for name in ("cert.pem", "key.pem", "web.yml")}
    log_length = len(service.log())
    for name, content in (("key.pem", b"nonsense"), ("cert.pem", b""), ("web.yml", b"tls_server_config: [")):
        (files / name).write_bytes(content)
        for _ in range(3):
            assert served_serial_number(service, files) == usable
        assert service.get("/metrics").status_code == 200
        (files / name).write_bytes(contents[name])
    (files / "web.yml").write_text("{}")  # neither TLS nor users
    assert httpx.get(service.url, verify=files.client_context()).status_code == 401
    (files / "web.yml").write_bytes(contents["web.yml"])
    errors = [line for line in service.log()[log_length:].splitlines() if "level=error" in line]
    assert len(errors) == 4, "\n".join(errors)
    for error in errors:
        assert "--web.config.file=" in error
        assert "previous configuration stays in effect" in error
    new = files.issue_server_certificate()
    assert served_serial_number(service, files) == new


def test_client_certificates(service: ExporterProcess, files: WebConfigFiles) -> None:
    """Required from the next handshake on: signed by the authority, and with an allowed name."""
    allowed = files.issue_client_certificate(SAN)
    other_name = files.issue_client_certificate("other.example")
    other_authority = files.issue_client_certificate("unknown", trustme.CA())
    required = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}

    def is_accepted(certificate: Path | None) -> bool:
        try:
            return httpx.get(f"{service.url}/metrics", **files.client_options(certificate)).status_code == 200
        except httpx.HTTPError:
            return False

    def accepted() -> list[bool]:
        return [is_accepted(certificate) for certificate in (allowed, other_name, other_authority, None)]

    try:
        files.write_config({USER: PASSWORD}, **required)
        assert accepted() == [True, True, False, False]
        assert curl(service, files, "-u", f"{USER}:{PASSWORD}", "--cert", str(allowed)) == (0, "200")
        files.write_config({USER: PASSWORD}, **required, client_allowed_sans=[SAN])
        assert accepted() == [True, False, False, False]
        files.write_config({USER: PASSWORD}, **{**required, "client_auth_type": "VerifyClientCertIfGiven"})
        assert accepted() == [True, True, False, True]
    finally:
        files.write_config({USER: PASSWORD}, HEADERS)
    assert is_accepted(None)


def test_versions_ciphers_and_curves(service: ExporterProcess, files: WebConfigFiles) -> None:
    credentials = ("-u", f"{USER}:{PASSWORD}")
    try:
        files.write_config({USER: PASSWORD}, min_version="TLS13")
        assert curl(service, files, *credentials, "--tls-max", "1.2")[0] == CURLE_SSL_CONNECT_ERROR
        assert curl(service, files, *credentials) == (0, "200")
        suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
        files.write_config(
            {USER: PASSWORD}, max_version="TLS12", cipher_suites=[suite], curve_preferences=["CurveP256"]
        )
        assert curl(service, files, *credentials, "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384") == (0, "200")
        for options in (("--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("--tlsv1.3",), ("--curves", "X25519")):
            assert curl(service, files, *credentials, *options)[0] == CURLE_SSL_CONNECT_ERROR
    finally:
        files.write_config({USER: PASSWORD}, HEADERS)


def test_a_correct_password_is_compared_once(start: Callable[..., ExporterProcess]) -> None:
    """A comparison at cost 12 takes 0.2 s of CPU. A hundred requests with the same password take little more."""
    with WebConfigFiles() as files:
        files.config.write_text(json.dumps({"basic_auth_users": {USER: bcrypt_hash(PASSWORD, 12)}}))
        service = start("--web.config.file", str(files.config), client={"auth": (USER, PASSWORD)})
        before = cpu_seconds(service)
        for _ in range(100):
            assert service.get("/-/healthy").status_code == 200
        assert cpu_seconds(service) - before < 5


def cpu_seconds(service: ExporterProcess) -> float:
    seconds = Scrape(service.metrics()).sum("process_cpu_seconds_total")
    assert seconds > 0
    return seconds


SERVE = ("serve", "--web.listen-address", "127.0.0.1:0")


def test_the_user_of_the_service_must_be_able_to_read_the_key() -> None:
    with WebConfigFiles() as files:
        files.write_config()
        (files / "key.pem").chmod(0o600)
        status, line = refused(*SERVE, "--web.config.file", str(files.config))
        assert status == 2
        for word in ("--web.config.file=", f"key_file={files / 'key.pem'}", "--user", "CAP_DAC_READ_SEARCH"):
            assert word in line
        os.chown(files / "key.pem", 65534, -1)
        keep = ("--capabilities.keep", "CAP_DAC_READ_SEARCH")
        for flags, mode in (((), 0o600), (keep, 0o000)):
            (files / "key.pem").chmod(mode)
            client = files.client_options()
            with ExporterProcess("--web.config.file", str(files.config), *flags, client=client) as service:
                assert service.url.startswith("https://")


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ({"cert_file": "none.pem"}, "cert_file="),
        ({"key_file": "ca.pem"}, "are not a certificate and its private key"),
        ({"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}, "is not one of TLS_AES_128_GCM_SHA256"),
        ({"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": "key.pem"}, "does not contain certificates"),
        ({"min_version": "SSL30"}, "TLS12"),
    ],
)
def test_unusable_settings_end_the_start(tls: dict[str, object], problem: str) -> None:
    with WebConfigFiles() as files:
        status, line = refused(*SERVE, "--web.config.file", str(files.write_config(**tls)))
        assert status == 2
        assert f"--web.config.file={files.config}" in line
        assert problem in line


def test_a_missing_file_ends_the_start() -> None:
    status, line = refused(*SERVE, "--web.config.file", "/nowhere/web.yml")
    assert status == 2
    assert "--web.config.file=/nowhere/web.yml: cannot be read" in line
