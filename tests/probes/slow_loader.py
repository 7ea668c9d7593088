"""The loader without what the first argument names: a feature of the verifier, or the addresses of functions."""

import sys

from exporter.kernel.btf import Btf
from exporter.kernel.kallsyms import HiddenAddressesError
from exporter.loading import compiler, kernel_constants, loader
from exporter.loading.kernel_constants import VerifierFeatures

LACKING = {
    "rdonly_cast": VerifierFeatures(typed_task=True, rdonly_cast=0),  # before v6.2
    "typed_task": VerifierFeatures(typed_task=False, rdonly_cast=0),  # before v5.11
}


def without(lacking: str) -> None:
    """Replace what the loader asks the kernel."""

    def verifier_features(_: Btf) -> VerifierFeatures:
        return LACKING[lacking]

    def function_address(_: str) -> int:
        raise HiddenAddressesError

    if lacking == "addresses":
        kernel_constants.function_address = function_address
    else:
        compiler.verifier_features = verifier_features


def main() -> None:
    without(sys.argv.pop(1))
    loader.main()


if __name__ == "__main__":
    main()
