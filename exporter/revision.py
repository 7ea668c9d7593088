"""The git revision of this build, which ``hatch_build.py`` writes into wheels and sdists."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
FILE = "REVISION"
"""The file beside this module in wheels and sdists; a checkout has its ``.git`` instead."""


def _revision() -> str:
    written = _PACKAGE / FILE
    try:
        return written.read_text().strip() if written.exists() else _checked_out(_PACKAGE.parent / ".git")
    except OSError:
        return "unknown"


def _checked_out(git: Path) -> str:
    """HEAD, from git's files: git is not on every host, and rejects other users' checkouts. Raises OSError."""
    if git.is_file():  # a worktree's: it names the directory
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    shared = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    if (shared / ref).exists():
        return (shared / ref).read_text().strip()
    packed = (line.split(" ") for line in (shared / "packed-refs").read_text().split("\n"))
    return next((words[0] for words in packed if words[1:] == [ref]), "unknown")


REVISION = _revision()
"""40 hexadecimal digits, or ``unknown``. Read on import: the unprivileged user may not be able to read the checkout."""
