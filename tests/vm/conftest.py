import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "matrix" in config.option.markexpr:
        return
    rest = pytest.mark.skip(reason="only of `make matrix`")
    for item in items:
        if item.get_closest_marker("matrix"):
            item.add_marker(rest)
