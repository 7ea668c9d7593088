"""Why a probe is not attached, and what to do: the kernel's errors in words, by the attach method that got them."""

import errno

from exporter.kernel.kallsyms import HiddenAddressesError

_PRIVILEGES = "run as root, or with CAP_BPF and CAP_PERFMON, in a container too"
_ON_FUNCTIONS = ("fentry", "fexit", "kprobe", "kprobe.session", "kretprobe.multi")
_ENOTSUPP = 524  # the kernel's own, include/linux/errno.h
_NO_TRAMPOLINES = (
    "this kernel cannot put fentry and fexit programs onto functions (arm64 before v6.4)",
    "use a newer kernel",
)
_WORDS: dict[tuple[str, int], tuple[str, str]] = {
    ("tracepoint", errno.ENOENT): (
        "this kernel is built without that tracepoint",
        "use a kernel with CONFIG_FTRACE_SYSCALLS=y",
    ),
    ("tracepoint", errno.EACCES): (
        "tracefs is for root alone to read",
        "start with CAP_DAC_READ_SEARCH, which is given up after the start",
    ),
    ("tracepoint", errno.EPERM): (
        "tracefs is not mounted and cannot be mounted from here, or the kernel is locked down",
        "mount it at /sys/kernel/tracing (into a container: read-only), or start with CAP_SYS_ADMIN",
    ),
    ("kprobe", errno.EOPNOTSUPP): ("this kernel is built without kprobes", "use a kernel with CONFIG_KPROBE_EVENTS=y"),
    ("kprobe", errno.ENOENT): ("this kernel has no such function, or it was inlined", "none"),
    ("kprobe", errno.EINVAL): (
        "the function is not traceable: the kernel builds it without ftrace and forbids kprobes there",
        "none, but CONFIG_KPROBE_EVENTS_ON_NOTRACE=y",
    ),
    ("fentry", errno.EBUSY): ("the function is not traceable: the kernel builds it without ftrace", "none"),
    ("fentry", _ENOTSUPP): _NO_TRAMPOLINES,
    ("fexit", _ENOTSUPP): _NO_TRAMPOLINES,
    ("fexit", errno.EBUSY): ("the function is not traceable: the kernel builds it without ftrace", "none"),
}
_FUNCTIONS_FORBIDDEN = (
    "this kernel lets no program onto kernel functions (lockdown, or built without ftrace or kprobes)",
    "use a distribution's kernel, without lockdown=confidentiality",
)


def explain(attach_method: str, error: Exception) -> tuple[str, str]:
    """Reason and remedy."""
    if isinstance(error, HiddenAddressesError):
        return str(error), "start as root or with CAP_SYSLOG, and with kernel.kptr_restrict at 0 or 1"
    if isinstance(error, LookupError):
        return str(error), "none: this kernel is built differently"
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and (attach_method, number) in _WORDS:
        return _WORDS[attach_method, number]
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if number in (errno.EPERM, errno.EACCES, errno.ENOTSUP) and attach_method in _ON_FUNCTIONS:
        return f"{_FUNCTIONS_FORBIDDEN[0]}: {reason}", _FUNCTIONS_FORBIDDEN[1]
    if number in (errno.EPERM, errno.EACCES):
        return reason, _PRIVILEGES
    return reason, "none known: please report it with the output of `copy-exporter doctor --json`"
