"""File systems by the magic numbers of statfs(2) (include/uapi/linux/magic.h, or their own source).

The keys are types as in /proc/filesystems, where the kernel has the type there. The loader makes lists for the probes
of :data:`TABLES` (``probes/files.h``).
"""

import ctypes as ct

from exporter.kernel import libc

PSEUDO = {
    "apparmorfs": 0x5A3C69F0,
    "binfmt_misc": 0x42494E4D,
    "bpf": 0xCAFE4A11,
    "cgroup": 0x27E0EB,
    "cgroup2": 0x63677270,
    "configfs": 0x62656570,
    "cpuset": 0x27E0EB,
    "debugfs": 0x64626720,
    "efivarfs": 0xDE5E81E4,
    "fusectl": 0x65735543,
    "mqueue": 0x19800202,
    "nfsd": 0x6E667364,
    "nsfs": 0x6E736673,
    "proc": 0x9FA0,
    "pstore": 0x6165676C,
    "resctrl": 0x7655821,
    "rpc_pipefs": 0x67596969,
    "securityfs": 0x73636673,
    "selinuxfs": 0xF97CFF8C,
    "smackfs": 0x43415D53,
    "sysfs": 0x62656572,
    "tracefs": 0x74726163,
    "xenfs": 0xABBA1974,
}
"""Files that the kernel makes up when they are read: they have no pages."""
ANONYMOUS = {
    "anon_inodefs": 0x09041934,  # regular files inside the kernel since cfd86ef7e8e7 (v6.16)
    "dmabuf": 0x444D4142,
    "pidfs": 0x50494446,
}
MEMORY = {"hugetlbfs": 0x958458F6, "ramfs": 0x858458F6, "tmpfs": 0x01021994}
"""They accept O_DIRECT and ignore it: they copy nevertheless."""
SERVED = {
    "9p": 0x01021997,
    "afs": 0x5346414F,
    "ceph": 0x00C36400,
    "cifs": 0xFF534D42,
    "coda": 0x73757245,
    "fuse": 0x65735546,
    "kafs": 0x6B414653,
    "lustre": 0x0BD00BD0,
    "nfs": 0x6969,
    "nfs4": 0x6969,
    "orangefs": 0x20030528,
    "smb3": 0xFE534D42,
    "smbfs": 0x517B,
    "vboxsf": 0x786F4256,
    "virtiofs": 0x65735546,
}
"""Another process (FUSE) or machine serves their files."""
SEVERAL_DISKS = {"bcachefs": 0xCA451A4E, "btrfs": 0x9123683E}
"""Their super_block has no device."""
OVERLAY = {"overlay": 0x794C7630}
TABLES = {
    "PSEUDO": PSEUDO,
    "ANONYMOUS": ANONYMOUS,
    "MEMORY": MEMORY,
    "SERVED": SERVED,
    "SEVERAL_DISKS": SEVERAL_DISKS,
    "OVERLAY": OVERLAY,
}
"""By the names that the C has."""
_STATFS_BYTES = 256  # more than any architecture's struct statfs


def is_pseudo(descriptor: int) -> bool:
    """Whether a file, also an O_PATH descriptor, is the kernel's own: reading it can have effects."""
    return _magic(descriptor) in PSEUDO.values()


def is_overlay(descriptor: int) -> bool:
    """Whether a file, also an O_PATH descriptor, is on overlayfs: its data is a file of another file system."""
    return _magic(descriptor) in OVERLAY.values()


def _magic(descriptor: int) -> int:
    statfs = ct.create_string_buffer(_STATFS_BYTES)
    libc.call("fstatfs", descriptor, statfs)
    return ct.c_long.from_buffer(statfs).value & 0xFFFFFFFF
