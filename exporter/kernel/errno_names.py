"""The kernel's names of error numbers, which are the values of the label ``errno``."""

import errno

_FIRST_NAMES = {11: "EAGAIN", 35: "EDEADLK", 95: "EOPNOTSUPP"}
"""Linux gives two names to each of these numbers, and Python keeps another one."""

_INTERNAL_NAMES = {521: "EBADHANDLE", 524: "ENOTSUPP"}
"""Numbers of the kernel itself that reach programs nevertheless (include/linux/errno.h)."""

ERRNO_NAMES: dict[int, str] = {**errno.errorcode, **_FIRST_NAMES, **_INTERNAL_NAMES}
"""Names by number: the first that include/uapi/asm-generic/errno.h gives to it."""


def errno_name(number: int) -> str:
    """The name, or the number in decimal where Linux has none."""
    return ERRNO_NAMES.get(number, str(number))
