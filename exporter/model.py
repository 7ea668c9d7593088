"""The data that probes and exporter share: endpoints, operations, kinds of rows, and what the probes count.

The loader makes C enumerations and ``-D`` flags of it, and compares the layouts with the structures in the C
(:mod:`exporter.loading.compiler`); :mod:`exporter.counting.maps` unpacks by them. The maps are in
:mod:`exporter.kernel.probe_maps`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Endpoint(IntEnum):
    """Where bytes are: the ends of a hop."""

    UNKNOWN = 0
    DISK = 1
    PAGE_CACHE = 2
    USER = 3
    TCP = 4
    UDP = 5
    UNIX = 6
    SOCKET = 7
    PIPE = 8
    DEVICE = 9
    PSEUDO = 10
    ANON = 11
    QUEUE = 12
    """Message queues of POSIX and System V."""
    REMOTE = 13
    """Files that another process or machine serves, without the page cache."""


class RowKind(IntEnum):
    """What a row counts."""

    ERROR = 0
    """Calls that returned an error; ``errno_or_bucket`` is the errno."""
    CPU_COPY = 1
    """Bytes of system calls that the CPU copied; ``errno_or_bucket`` is a :class:`CopyReason`."""
    ZERO_COPY = 2
    """Bytes of system calls that were passed by reference."""
    DMA = 3
    """Bytes that a device moved: for a system call with O_DIRECT, or for the block layer (``Operation.NONE``)."""
    KERNEL_COPY = 4
    """Bytes that the kernel's own copy functions copied, for whichever system call."""
    DURATION = 5
    """System calls by duration; ``errno_or_bucket`` is the bucket, the amount is in nanoseconds."""
    TO_USER = 6
    """Calls of the kernel's own copy_to_user, and the requested bytes."""
    FROM_USER = 7
    """The same for copy_from_user."""
    COPY_TIME = 8
    """Samples of the CPU clock inside the kernel's copy routines; the amount is in nanoseconds."""
    CIPHER_TIME = 9
    """The same inside its cipher routines."""


MECHANISMS = {RowKind.CPU_COPY: "cpu", RowKind.ZERO_COPY: "zero_copy", RowKind.DMA: "dma"}
"""How bytes get over a hop: values of the label ``mechanism``, by the kinds of rows that count hops."""


class CopyReason(IntEnum):
    """Why sendfile or splice copied what they could have passed by reference."""

    NONE = 0
    """They did not, or an end of the hop never has pages or takes none."""
    KERNEL_TLS = 1
    """The kernel encrypted or decrypted."""


class Operation(IntEnum):
    """The system calls that move data, by their kernel names, and the requests of io_uring that do."""

    NONE = 0
    READ = 1
    PREAD64 = 2
    READV = 3
    PREADV = 4
    PREADV2 = 5
    RECVFROM = 6
    RECVMSG = 7
    RECVMMSG = 8
    WRITE = 9
    PWRITE64 = 10
    WRITEV = 11
    PWRITEV = 12
    PWRITEV2 = 13
    SENDTO = 14
    SENDMSG = 15
    SENDMMSG = 16
    SENDFILE = 17
    SPLICE = 18
    TEE = 19
    VMSPLICE = 20
    COPY_FILE_RANGE = 21
    IO_URING_READ = 22
    IO_URING_READV = 23
    IO_URING_READ_FIXED = 24
    IO_URING_READV_FIXED = 25
    IO_URING_READ_MULTISHOT = 26
    IO_URING_RECV = 27
    IO_URING_RECVMSG = 28
    IO_URING_WRITE = 29
    IO_URING_WRITEV = 30
    IO_URING_WRITE_FIXED = 31
    IO_URING_WRITEV_FIXED = 32
    IO_URING_SEND = 33
    IO_URING_SENDMSG = 34
    IO_URING_SEND_ZC = 35
    IO_URING_SENDMSG_ZC = 36
    IO_URING_SPLICE = 37
    IO_URING_TEE = 38
    PROCESS_VM_READV = 39
    PROCESS_VM_WRITEV = 40
    MQ_TIMEDSEND = 41
    MQ_TIMEDRECEIVE = 42
    MSGSND = 43
    MSGRCV = 44
    GETRANDOM = 45
    GETDENTS64 = 46
    GETSOCKOPT = 47
    """With TCP_ZEROCOPY_RECEIVE only."""


class FolderTransfer(IntEnum):
    """How bytes went from or to a file of a broker."""

    BY_REFERENCE = 0
    """From the page cache, by zero copy."""
    CPU_READ = 1
    """From the page cache, by the CPU."""
    CPU_WRITTEN = 2
    """To the page cache, by the CPU."""
    DMA_READ = 3
    """From the disk."""


class Role(IntEnum):
    """What the thread of a broker does that moved bytes: values of the label ``role``, in lower case."""

    UNKNOWN = 0
    """It has a name that ``probes/roles.h`` does not know."""
    NETWORK = 1
    """It serves clients, followers included: the network threads and the request handlers."""
    REPLICA_FETCHER = 2
    """It writes what it fetches from a leader."""
    CLEANER = 3
    """It compacts logs."""
    REMOTE = 4
    """It copies segments to and from a remote tier."""
    RECOVERY = 5
    """It checks logs at the start, after a broker was not stopped in order."""
    OTHER = 6
    """Another thread of Kafka: coordinators, controller, scheduler."""


ROLES_MAX = 8
"""``ROLES`` of ``probes/types.h``."""

FIRST_BUCKET_NS = 16_000
BUCKET_FACTOR = 4
DURATION_BUCKETS = 10
DURATION_BUCKETS_NS = tuple(FIRST_BUCKET_NS * BUCKET_FACTOR**power for power in range(DURATION_BUCKETS))
"""Upper bounds of durations, inclusive, in nanoseconds: 16 us to 4.2 s."""

EXACT_PREEMPTION_MODES = ("none", "voluntary")
"""Modes in which the kernel does not preempt itself: programs on its functions then lose no runs."""

SYSCALL_HOOKS = ("auto", "functions", "sys_exit")
"""Values of ``--probe.syscalls.hook``."""

NS_PER_TICK = 10_000_000
"""A tick of /proc: USER_HZ is 100 on all supported architectures."""

DEFAULT_SAMPLING_RATE = 99
"""Samples per second per CPU. It is not 100, so that samples do not coincide with the kernel's timer tick."""


@dataclass(frozen=True)
class Layout:
    """A structure of ``probes/types.h``, as :mod:`struct` unpacks it."""

    name: str
    members: dict[str, str]
    """The format of each member, in order. No padding is implicit."""

    def part(self, *members: str) -> struct.Struct:
        """The members with these names, which follow each other; all when no name is given."""
        return struct.Struct("=" + "".join(self.members[member] for member in members or self.members))

    def offset(self, member: str) -> int:
        """Where a member begins, in bytes."""
        names = list(self.members)
        before = names[: names.index(member)]
        return self.part(*before).size if before else 0


class Identity(NamedTuple):
    """A process, distinguished from an earlier one with the same id."""

    start: int
    """``start_boottime`` of the thread-group leader, in nanoseconds."""
    pid: int
    """Thread-group id in the initial pid namespace."""

    @property
    def start_ticks(self) -> int:
        """The start in clock ticks since boot, as /proc/PID/stat has it."""
        return self.start // NS_PER_TICK


class Thread(NamedTuple):
    """A thread of a process."""

    identity: Identity
    tid: int
    """In the initial pid namespace."""


KERNEL = Identity(0, 0)
"""Stands for all kernel threads, which have no series of their own."""


class Row(NamedTuple):
    """What is counted, without the process."""

    kind: RowKind
    operation: Operation
    source: Endpoint
    destination: Endpoint
    port: int
    """The local TCP port when it is watched, else 0."""
    errno_or_bucket: int
    """Errno of an error, bucket of a duration, :class:`CopyReason` of a copy, else 0."""


ROW_LAYOUT = Layout(
    "row",
    {
        "start": "Q",
        "tgid": "I",
        "port": "H",
        "errno_or_bucket": "H",
        "operation": "B",
        "source": "B",
        "destination": "B",
        "kind": "B",
        "padding": "4x",
    },
)
"""An :class:`Identity`, then the members of :class:`Row`."""


class Count(NamedTuple):
    """The numbers of a row."""

    events: int
    amount: int
    """Bytes; nanoseconds for durations, copy time and cipher time."""
    since_ns: int
    """CLOCK_BOOTTIME of the first event."""


SLOT_LAYOUT = Layout("slot", {"row": "24s", "events": "Q", "amount": "Q", "since_ns": "Q", "padding": "16x"})
"""A row as :data:`ROW_LAYOUT`, then a :class:`Count`. All zeros while no row uses the slot."""


Rows = dict[Row, Count]


@dataclass(frozen=True)
class Exit:
    """The exit of a process. Its rows no longer change."""

    identity: Identity
    comm: str


PROCESS_LAYOUT = Layout("process", {"start": "Q", "tgid": "I", "padding": "4x"})
THREAD_KEY_LAYOUT = Layout("thread_key", {"start": "Q", "tgid": "I", "tid": "I"})
EXIT_EVENT_LAYOUT = Layout("exit_event", {"comm": "16s"})


class FileId(NamedTuple):
    """A file or folder of a host."""

    device: int
    """Of its file system, as the kernel numbers it: ``s_dev``, which is not what ``stat`` returns on btrfs."""
    inode: int


def kernel_device(major: int, minor: int) -> int:
    """A device number as :attr:`FileId.device` has it."""
    return major << 20 | minor


@dataclass(frozen=True)
class Folder:
    """A folder that a broker has used files of."""

    identity: Identity
    """The broker."""
    file: FileId
    name: str
    """Its name when it was first seen; empty while the probe has not read it yet."""
    parent: int
    """Inode number of its parent folder."""
    moved: tuple[int, ...]
    """Bytes, by :class:`Role` and :class:`FolderTransfer`: see :func:`moved_index`."""


def moved_index(role: Role, transfer: FolderTransfer) -> int:
    """The position in :attr:`Folder.moved`."""
    return role * len(FolderTransfer) + transfer


FOLDER_KEY_LAYOUT = Layout(
    "folder_key", {"start": "Q", "inode": "Q", "tgid": "I", "device": "I", "generation": "I", "padding": "4x"}
)
FOLDER_LAYOUT = Layout("folder", {"bytes": f"{ROLES_MAX * len(FolderTransfer)}Q", "parent": "Q", "name": "256s"})
PORT_SET_LAYOUT = Layout("port_set", {"words": "1024Q"})
"""One bit for each local TCP port."""


@dataclass(frozen=True)
class MapUse:
    """Entries of a map when it was last read."""

    name: str
    entries: int
    max_entries: int


@dataclass(frozen=True)
class ProbeRuns:
    """The kernel's statistics of a program. ``runs`` and ``seconds`` stay 0 without ``--probe.stats``."""

    probe: str
    runs: int
    seconds: float
    missed: int
    """Events that the kernel skipped the program for."""


@dataclass(frozen=True)
class ProbeState:
    """A probe after start-up."""

    name: str
    hook: str
    """The target of the hook that is attached, or of the one that ``reason`` is about."""
    attach_method: str
    attached: bool
    reason: str = ""
    """Why it is not attached; empty when it is."""
    remedy: str = ""
    """What to do about it."""
    preemptible: bool = False
    """Attached, but the kernel may preempt the program, and then skips it for other tasks of that CPU."""
