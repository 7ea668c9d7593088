"""The loader without a feature of the verifier, which the first argument names."""

import sys

from exporter.kernel.btf import Btf
from exporter.loading import compiler, loader
from exporter.loading.kernel_constants import VerifierFeatures

LACKING = {
    "rdonly_cast": VerifierFeatures(typed_task=True, rdonly_cast=0),  # before v6.2
    "typed_task": VerifierFeatures(typed_task=False, rdonly_cast=0),  # before v5.11
}


def main() -> None:
    features = LACKING[sys.argv.pop(1)]

    def verifier_features(_: Btf) -> VerifierFeatures:
        return features

    compiler.verifier_features = verifier_features
    loader.main()


if __name__ == "__main__":
    main()
