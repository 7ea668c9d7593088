"""How a virtual machine that hangs is noticed, with a command in its place."""

from pathlib import Path

from tests.matrix.virtual_machine import complaint, run_until_it_hangs


def test_a_command_that_writes_nothing_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script").touch()
    (tmp_path / "console").touch()
    with (tmp_path / "console").open("wb") as console:
        chatty = ["sh", "-c", "while sleep 0.2; do echo still here; done"]
        assert run_until_it_hangs(chatty, console.fileno(), tmp_path, 60, 1) == "wrote nothing for 1 s"
    assert b"still here" in (tmp_path / "console").read_bytes()


def test_a_command_that_writes_goes_on_until_the_deadline(tmp_path: Path) -> None:
    with (tmp_path / "console").open("wb") as console:
        writing = ["sh", "-c", f"while sleep 0.2; do date >{tmp_path}/pytest.log; done"]
        assert run_until_it_hangs(writing, console.fileno(), tmp_path, 4, 2) == "did not finish in 4 s"


def test_a_command_that_ends_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "script").touch()
    with (tmp_path / "console").open("wb") as console:
        assert not run_until_it_hangs(["true"], console.fileno(), tmp_path, 60, 60)


def test_the_kernels_first_complaint_is_shown(tmp_path: Path) -> None:
    lines = [
        *(f"[ 1.{number}] quiet" for number in range(100)),
        "[ 2.0] watchdog: BUG: soft lockup - CPU#1",
        "[ 2.1] stack",
    ]
    (tmp_path / "console").write_text("\n".join(lines))
    assert complaint(tmp_path / "console") == "[ 2.0] watchdog: BUG: soft lockup - CPU#1\n[ 2.1] stack"
    (tmp_path / "console").write_text("\n".join(lines[:100]))
    assert complaint(tmp_path / "console").splitlines() == lines[60:100]
