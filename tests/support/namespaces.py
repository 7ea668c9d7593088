"""Starting a command in a mount namespace of its own."""


def in_mount_namespace(commands: str = ":") -> tuple[str, ...]:
    """To put before a command: it starts in a new mount namespace, after these shell commands."""
    return ("unshare", "--mount", "sh", "-ec", f'{commands}; exec "$@"', "sh")


HIDEPID = in_mount_namespace("mount -t proc -o hidepid=2 proc /proc")
"""To put before a command: /proc hides the processes of other users."""

PID_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""To put before a command: it starts in a pid namespace, as in a container without hostPID."""

TIME_NAMESPACE = ("unshare", "--time", "--boottime", "86400")
"""To put before a command: it starts in a time namespace, in which the host has booted a day earlier."""

WITHOUT_TRACEPOINTS = in_mount_namespace(
    "mount -t tracefs none /sys/kernel/tracing; mount -t tmpfs none /sys/kernel/tracing/events"
)
"""To put before a command: the files of tracepoints are hidden, which only the sendfile probe needs."""

WITH_TRACEFS = in_mount_namespace("mount -t tracefs none /sys/kernel/tracing")
"""To put before a command: tracefs is mounted, as by the systemd of every distribution."""

NETWORK_NAMESPACE = ("unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh")
"""To put before a command: it starts in a network namespace with a loopback device alone, where no process listens."""
