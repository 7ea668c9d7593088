"""The versions of a broker's software, from the names of its jars and from the file of its JDK."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from exporter.kafka.process_files import ProcessFiles

_KAFKA = re.compile(r"/kafka(?:-clients|-server-common|_[0-9.]+)-([0-9][^/]*)\.jar")
_JDK = re.compile(r'^JAVA_VERSION="([^"]{1,100})"', re.MULTILINE)


def kafka_version(jars: Iterable[str]) -> str:
    """The version of Kafka; empty when no name has it.

    >>> kafka_version(["/opt/kafka/libs/kafka_2.13-3.9.0.jar"])
    '3.9.0'
    """
    return next((match[1] for jar in jars if (match := _KAFKA.search(jar))), "")


def jdk_version(files: ProcessFiles, executable: str) -> str:
    """The version in the JDK's file ``release``; empty without one."""
    home = PurePosixPath(files.path_inside(executable)).parent.parent
    for directory in (home, home.parent):  # Java 8 has bin/java in its folder jre
        try:
            match = _JDK.search(files.read(str(directory / "release")))
        except OSError:
            continue
        return match[1] if match else ""
    return ""
