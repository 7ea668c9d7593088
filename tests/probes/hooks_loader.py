"""The loader with only one attach method for the entries of functions, which the first argument names."""

import errno
import os
import sys

from exporter.loading import loader
from exporter.loading.attach import ATTACHERS, Attached
from exporter.loading.compiler import Compiled
from exporter.loading.probes import Hook


def refuse(_: Compiled, hook: Hook) -> Attached:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), hook.target)


def main() -> None:
    wanted = sys.argv.pop(1)
    for attach_method in {"fentry", "fentry.syscalls", "kprobe"} - {wanted}:
        ATTACHERS[attach_method] = refuse
    loader.main()


if __name__ == "__main__":
    main()
