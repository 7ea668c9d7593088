"""Why a probe cannot be attached, and what to do about it: the kernel's errors in words, by attach method."""

import errno

from exporter.kernel.kallsyms import HiddenAddressesError

_ENOTSUPP = 524  # not in Python's errno: include/linux/errno.h
_ON_FUNCTIONS = ("fentry", "fexit", "fentry.syscalls", "fexit.syscalls", "kprobe", "kprobe.session", "kretprobe.multi")
_PRIVILEGES = "run as root, or with CAP_BPF and CAP_PERFMON, in a container too"
_OTHER_KERNEL = "use another kernel, or do without this probe"
_NO_TRAMPOLINES = ("this kernel cannot attach fentry and fexit programs (arm64 before v6.4)", "use a newer kernel")
_NO_FTRACE = ("the function cannot be traced: this kernel builds it without ftrace", _OTHER_KERNEL)
_EXPLANATIONS: dict[tuple[str, int], tuple[str, str]] = {
    ("tracepoint", errno.ENOENT): (
        "this kernel is built without this tracepoint",
        "use a kernel with CONFIG_FTRACE_SYSCALLS=y",
    ),
    ("tracepoint", errno.EACCES): (
        "only root can read tracefs",
        "start with CAP_DAC_READ_SEARCH, which is dropped after start-up",
    ),
    ("tracepoint", errno.EPERM): (
        "tracefs is not mounted and this process may not mount it, or the kernel is locked down",
        "mount tracefs at /sys/kernel/tracing (in a container: read-only), or start with CAP_SYS_ADMIN",
    ),
    ("kprobe", errno.EOPNOTSUPP): ("this kernel is built without kprobes", "use a kernel with CONFIG_KPROBE_EVENTS=y"),
    ("kprobe", errno.ENOENT): ("this kernel does not have the function, or inlines it", _OTHER_KERNEL),
    ("kprobe", errno.EINVAL): (
        "the function cannot be probed: this kernel builds it without ftrace",
        "use a kernel with CONFIG_KPROBE_EVENTS_ON_NOTRACE=y",
    ),
    ("fentry", errno.EBUSY): _NO_FTRACE,
    ("fexit", errno.EBUSY): _NO_FTRACE,
    ("fentry", _ENOTSUPP): _NO_TRAMPOLINES,
    ("fexit", _ENOTSUPP): _NO_TRAMPOLINES,
    ("fexit.syscalls", _ENOTSUPP): _NO_TRAMPOLINES,
}
_FUNCTIONS_FORBIDDEN = (
    "this kernel allows no programs on kernel functions (locked down, or built without ftrace or kprobes)",
    "use a distribution's kernel, without lockdown=confidentiality",
)


def explain(attach_method: str, error: Exception) -> tuple[str, str]:
    """Return why an attach method failed with this error, and what to do about it."""
    if isinstance(error, HiddenAddressesError):
        return str(error), "start as root or with CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1"
    if isinstance(error, LookupError):
        return str(error), _OTHER_KERNEL
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and (attach_method, number) in _EXPLANATIONS:
        return _EXPLANATIONS[attach_method, number]
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if number in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP) and attach_method in _ON_FUNCTIONS:
        return f"{_FUNCTIONS_FORBIDDEN[0]}: {reason}", _FUNCTIONS_FORBIDDEN[1]
    if number in (errno.EPERM, errno.EACCES):
        return reason, _PRIVILEGES
    return reason, "not known: report it with the output of `copy-exporter doctor --json`"
