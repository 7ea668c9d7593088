"""Compile, load and attach the probes: short-lived, privileged, the only place that imports BCC."""
