"""File systems by the magic numbers of statfs(2) (include/uapi/linux/magic.h)."""

import ctypes as ct

from exporter.kernel import libc

_PSEUDO = frozenset(
    {
        0x9FA0,  # proc
        0x62656572,  # sysfs
        0x74726163,  # tracefs
        0x64626720,  # debugfs
        0x27E0EB,  # cgroup
        0x63677270,  # cgroup2
        0xCAFE4A11,  # bpf
        0x73636673,  # securityfs
        0x62656570,  # configfs
        0xF97CFF8C,  # selinuxfs
        0x43415D53,  # smackfs
        0xDE5E81E4,  # efivarfs
        0x6165676C,  # pstore
        0x42494E4D,  # binfmt_misc
        0x6E736673,  # nsfs
        0x65735543,  # fusectl
        0x7655821,  # resctrl
    }
)
_STATFS_BYTES = 256  # more than any architecture's struct statfs


def is_pseudo(descriptor: int) -> bool:
    """Whether a file, also an O_PATH descriptor, is the kernel's own: reading it can have effects."""
    statfs = ct.create_string_buffer(_STATFS_BYTES)
    libc.call("fstatfs", descriptor, statfs)
    return ct.c_long.from_buffer(statfs).value & 0xFFFFFFFF in _PSEUDO
