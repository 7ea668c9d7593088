"""After giving up root, the service loads no module of its environment, which its user may be unable to read.

A checkout in root's home is one example. uvicorn and anyio import some of their modules only when they start or serve.
"""

import re
import sys

from tests.support.exporter_process import OPENMETRICS, SERVE, ExporterProcess

FROM_ENVIRONMENT = re.compile(r"^# (?:code object from|.* matches) .*site-packages.*$", re.MULTILINE)
PATHS = ("/", "/metrics", "/openapi.json", "/-/healthy", "/-/ready", "/nowhere")


def test_no_module_is_loaded_after_the_start():
    # not PYTHONVERBOSE, which the exporter discards
    with ExporterProcess(command=(sys.executable, "-v", *SERVE)) as service:
        for path in PATHS:
            service.get(path)
        service.client.get("/metrics", headers=OPENMETRICS)
        before, after = service.log().split("listening on", 1)
    assert FROM_ENVIRONMENT.search(before), "the interpreter logs where modules come from"
    assert FROM_ENVIRONMENT.findall(after) == []
