"""Which build this is: the git revision that it was made from, written into wheels and sdists by ``hatch_build.py``."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
FILE = "REVISION"
"""Beside this module in what was built; a checkout has its ``.git`` instead."""


def _revision() -> str:
    written = _PACKAGE / FILE
    try:
        return written.read_text().strip() if written.exists() else _checked_out(_PACKAGE.parent / ".git")
    except OSError:
        return "unknown"


def _checked_out(git: Path) -> str:
    """HEAD by git's files: git itself is not on every host, and refuses other users' checkouts. Raises OSError."""
    if git.is_file():  # of a worktree: names its directory
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    shared = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    if (shared / ref).exists():
        return (shared / ref).read_text().strip()
    packed = (line.split() for line in (shared / "packed-refs").read_text().splitlines())
    return next((words[0] for words in packed if words[1:] == [ref]), "unknown")


REVISION = _revision()
"""40 hexadecimal digits, or ``unknown``. Read while importing: later the checkout may be out of reach."""
