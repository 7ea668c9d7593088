"""``python without_sendfile.py COMMAND...``: runs it under a seccomp filter that refuses sendfile with EINVAL."""

import ctypes
import errno
import os
import struct
import sys
from platform import machine

ARCHITECTURE, SENDFILE = {"x86_64": (0xC000003E, 40), "aarch64": (0xC00000B7, 71)}[machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
REFUSE, ALLOW = 0x00050000 | errno.EINVAL, 0x7FFF0000
FILTER = (
    (LOAD, 0, 0, ARCHITECTURE_AT),
    (JUMP_IF_EQUAL, 0, 3, ARCHITECTURE),
    (LOAD, 0, 0, NUMBER_AT),
    (JUMP_IF_EQUAL, 0, 1, SENDFILE),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW),
)


def main() -> None:
    """Filter, and become the command."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in FILTER)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(FILTER), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
