"""The command that messages name is one that sudo finds."""

from pathlib import Path

from exporter.host.own_command import sudo_command


def test_in_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "copy-exporter").touch()
    assert sudo_command("doctor", str(tmp_path)) == f"sudo {tmp_path}/bin/copy-exporter doctor"


def test_where_sudo_searches() -> None:
    assert sudo_command("doctor", "/usr") == "sudo copy-exporter doctor"


def test_without_an_installed_command(tmp_path: Path) -> None:
    assert sudo_command("…", str(tmp_path)) == "sudo copy-exporter …"
