"""Names of programs, from their command lines."""

import re
from collections.abc import Sequence
from pathlib import PurePath

_INTERPRETERS = re.compile(r"(?:python|perl|ruby|node|php|bash|dash|sh)[0-9.]*")
_JAVA_OPTIONS_WITH_VALUE = {
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
    "--source",
}


def display_name(arguments: list[str]) -> str:
    """The name that people know a program by: the main class of a JVM, the script of an interpreter, else empty.

    >>> display_name(["/usr/bin/java", "-Xmx1g", "-cp", "a.jar", "kafka.Kafka", "server.properties"])
    'kafka.Kafka'
    """
    if not arguments:
        return ""
    program = PurePath(arguments[0]).name
    if program == "java":
        return _java_main(arguments[1:])
    if _INTERPRETERS.fullmatch(program):
        return _script(arguments[1:])
    return ""


def java_command(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """What ``java`` runs with these arguments (main class, module, or path of a jar), and the arguments after it."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-jar", "-m", "--module"):
            return next(rest, ""), list(rest)
        if argument in _JAVA_OPTIONS_WITH_VALUE:
            next(rest, "")
        elif not argument.startswith(("-", "@")):
            return argument, list(rest)
    return "", []


def _java_main(arguments: list[str]) -> str:
    main, _ = java_command(arguments)
    return PurePath(main).name if "/" in main else main


def _script(arguments: list[str]) -> str:
    rest = iter(arguments)
    for argument in rest:
        if argument == "-m":
            return next(rest, "")
        if argument in ("-c", "-e"):
            return ""
        if not argument.startswith("-"):
            return PurePath(argument).name
    return ""
