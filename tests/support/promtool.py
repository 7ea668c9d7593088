"""Prometheus's own checks."""

import subprocess


def check_metrics(text: str) -> None:
    """Assert that promtool accepts an exposition in the text format, without a remark."""
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
