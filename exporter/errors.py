"""The two ways in which the program ends early: each one line for the user, never a traceback."""


class CopyExporterError(Exception):
    """A condition that ends the program.

    ``str()`` of it is the one line that the user reads: what is wrong, and what to do.
    """

    exit_status = 1


class UsageError(CopyExporterError):
    """An unusable flag or file: names the flag, the value and what would do."""

    exit_status = 2


class KernelError(CopyExporterError):
    """A missing privilege or kernel feature: names it and the remedy."""
