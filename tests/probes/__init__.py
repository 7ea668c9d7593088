"""The real probes on the running kernel, against workloads whose truth is known."""
