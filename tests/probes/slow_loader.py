"""The loader without a feature of the verifier, which the first argument names."""

import sys

from exporter.kernel.btf import Btf
from exporter.loading import compiler, loader
from exporter.loading.kernel_constants import Abilities

LACKING = {
    "rdonly_cast": Abilities(typed_task=True, rdonly_cast=0),  # before v6.2
    "typed_task": Abilities(typed_task=False, rdonly_cast=0),  # before v5.11
}


def main() -> None:
    able = LACKING[sys.argv.pop(1)]

    def abilities(_: Btf) -> Abilities:
        return able

    compiler.abilities = abilities
    loader.main()


if __name__ == "__main__":
    main()
