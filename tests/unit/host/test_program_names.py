"""The names that people know programs by."""

import pytest

from exporter.host.program_names import display_name


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], ""),
        (["/usr/sbin/nginx", "-g", "daemon off;"], ""),
        (["java", "-Xmx1g", "-cp", "a.jar:b.jar", "-Dx=y", "kafka.Kafka", "server.properties"], "kafka.Kafka"),
        (["/opt/jdk/bin/java", "@options", "-jar", "/srv/app.jar", "serve"], "app.jar"),
        (["java", "-m", "com.example/com.example.Main"], "com.example.Main"),
        (["java", "-version"], ""),
        (["/usr/bin/python3.11", "-u", "/srv/worker.py", "--fast"], "worker.py"),
        (["python3", "-m", "http.server", "80"], "http.server"),
        (["python3", "-c", "print(1)"], ""),
        (["node", "--inspect", "/srv/app/server.js"], "server.js"),
        (["bash"], ""),
    ],
)
def test_display_name(arguments, name):
    assert display_name(arguments) == name
