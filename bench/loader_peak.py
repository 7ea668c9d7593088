"""``python -m bench.loader_peak``: prints the loader's peak of resident memory in KiB. It has no other child."""

from resource import RUSAGE_CHILDREN, getrusage

from exporter.loading.handover import LoadRequest, load
from exporter.loading.probes import DEFAULT_PROBE_NAMES

if __name__ == "__main__":
    load(LoadRequest(probes=DEFAULT_PROBE_NAMES), timeout=60).close()
    print(getrusage(RUSAGE_CHILDREN).ru_maxrss)
