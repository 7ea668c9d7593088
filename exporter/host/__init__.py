"""The host: /proc, network devices, privileges, signals, child processes."""
