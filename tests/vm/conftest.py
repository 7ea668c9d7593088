import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix: boots a kernel that is not part of `make test`")
