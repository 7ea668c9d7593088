"""Errors that end the program: one line for the user, never a traceback."""


class CopyExporterError(Exception):
    """Ends the program. ``str()`` of it is the line that the user reads: what is wrong, the value, what to do."""

    exit_status = 1


class UsageError(CopyExporterError):
    """A flag or file that cannot be used: names the flag, its value and a valid one."""

    exit_status = 2


class KernelError(CopyExporterError):
    """A missing privilege or kernel feature: names it and the remedy."""
