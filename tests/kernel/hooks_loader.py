"""exporter.loader where one mechanism alone attaches to the entries of functions: the first argument names it."""

import errno
import os
import sys

from exporter import loader
from exporter.attachers import ATTACHERS
from exporter.compiler import Compiled
from exporter.probe_table import Hook


def refuse(_: Compiled, hook: Hook) -> tuple[int, int]:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), hook.target)


def main() -> None:
    wanted = sys.argv.pop(1)
    for mechanism in {"fentry", "kprobe"} - {wanted}:
        ATTACHERS[mechanism] = refuse
    loader.main()


if __name__ == "__main__":
    main()
