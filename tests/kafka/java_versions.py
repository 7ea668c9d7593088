"""The JDKs that are installed on this host."""

from pathlib import Path


def installed_javas() -> list[Path]:
    """The ``java`` programs, the oldest version first."""
    found = {}
    for program in Path("/usr/lib/jvm").glob("*/bin/java"):
        version = _version(program.parents[1] / "release")
        if version:
            found[version] = program
    return [found[version] for version in sorted(found)]


def newest_java(at_least: int) -> Path | None:
    """The newest ``java`` if it is of this version or later."""
    javas = [program for program in installed_javas() if _version(program.parents[1] / "release") >= at_least]
    return javas[-1] if javas else None


def _version(release: Path) -> int:
    """The major version; 0 when it is not known."""
    text = release.read_text() if release.exists() else ""
    version = text.partition('JAVA_VERSION="')[2].split(".")[0].split('"')[0]
    return int(version) if version.isdigit() else 0
