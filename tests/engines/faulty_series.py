"""Rows with which the alerts fire that the constant series do not raise, but ZeroCopyRegression: it needs a day."""

from tests.dashboards.constant_series import FILE_TO_USER, FROM_DISK, MIB, USER_TO_TCP, Row

COPIER = {"pid": "99", "comm": 'a "b" \\c'}
"""Its name would end a string of PromQL that is not escaped."""
SMALL = {"pid": "98", "comm": "small"}
PORT = "9099"
_SENT = {**COPIER, "syscall": "write", **USER_TO_TCP, "port": PORT}
_READ = {**SMALL, "syscall": "read", **FILE_TO_USER, "port": ""}
_FROM_DISK = {**COPIER, "syscall": "", **FROM_DISK, "port": ""}

ROWS = (
    Row("copy_bytes_total", {**_SENT, "mechanism": "cpu"}, 600 * MIB),
    Row("copy_syscalls_total", _SENT, 9600.0),
    Row("copy_bytes_total", {**_READ, "mechanism": "cpu"}, 100 * MIB),
    Row("copy_syscalls_total", _READ, 500_000.0),
    Row("copy_bytes_total", {**_FROM_DISK, "mechanism": "dma"}, 20 * MIB),
    Row("copy_sendfile_duration_seconds_bucket", {**COPIER, "le": "0.016384"}, 0.0),
    Row("copy_sendfile_duration_seconds_bucket", {**COPIER, "le": "0.065536"}, 100.0),
    Row("copy_sendfile_duration_seconds_bucket", {**COPIER, "le": "+Inf"}, 100.0),
    Row("copy_cpu_seconds_total", COPIER, 1.0),
    Row("copy_process_cpu_seconds_total", {**COPIER, "mode": "system"}, 2.0),
    *(
        Row("copy_process_info", {**process, "name": f"{process['comm']}.py", "cgroup": "", "container_id": ""}, 1)
        for process in (COPIER, SMALL)
    ),
    Row("copy_network_transmit_bytes_total", {"device": "eth0"}, 1200e6),
    Row("copy_network_receive_bytes_total", {"device": "eth0"}, 0.0),
    Row("copy_network_speed_bytes", {"device": "eth0"}, 1250e6),
    Row("copy_host_cpu_seconds_total", {}, 1.0),
    Row("copy_host_cpus", {}, 8),
    Row("copy_exporter_scrape_success", {"collector": "processes"}, 0),
    Row("copy_exporter_broker_discovery_success", {}, 0),
)
