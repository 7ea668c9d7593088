"""The maps that the probes share with the exporter: one table, for the C, the loader, the reader and the metrics."""

from dataclasses import dataclass

from exporter.model import (
    EXIT_EVENT_LAYOUT,
    FOLDER_KEY_LAYOUT,
    FOLDER_LAYOUT,
    PORT_SET_LAYOUT,
    PROCESS_LAYOUT,
    ROW_LAYOUT,
    SLOT_LAYOUT,
    THREAD_KEY_LAYOUT,
    Layout,
)


@dataclass(frozen=True)
class Map:
    """A map that the probes share with the exporter."""

    name: str
    """As ``probes/`` declares it."""
    entries: int
    """How many it has room for, unless its flag sets another number."""
    holds: str
    """What its entries are."""
    access: str = "write"
    """What the serving process may do with it: ``write``, ``read``, or nothing (empty): then it gets no descriptor."""
    as_many_as: str = ""
    """The map that has the same number of entries, and whose constant the C uses; empty for a number of its own."""
    flag: str = ""
    """The flag that sets its entries; empty when the number is fixed."""
    lost: str = ""
    """What is lost when it is full; empty for those that are never full. ``DROPPED_<NAME>`` counts it in C."""
    cause: str = "it is full"
    """Why updates are lost, the full map last."""
    key: Layout | None = None
    value: Layout | None = None
    """Layouts of keys and values that are structures; None when the exporter does not read or write them."""

    @property
    def entries_in_c(self) -> str:
        """The constant of the C that is the number of entries."""
        return f"{(self.as_many_as or self.name).upper()}_ENTRIES"


_DROPPABLE = (
    Map(
        "counts",
        65_536,
        "rows of counts; a process takes about 15",
        flag="--map.entries",
        lost="counts of rows that are new",
        value=SLOT_LAYOUT,
    ),
    Map(
        "exits",
        16_384,
        "processes that have exited in the last second",
        flag="--map.exits.entries",
        lost="exits of processes; a scrape finds them in /proc instead",
        key=PROCESS_LAYOUT,
        value=EXIT_EVENT_LAYOUT,
    ),
    Map(
        "sendfile_starts",
        16_384,
        "threads that are inside sendfile at the same time",
        access="",
        flag="--map.sendfile_starts.entries",
        lost="durations in copy_sendfile_duration_seconds",
    ),
    Map(
        "multishots",
        16_384,
        "io_uring requests that complete many times; the least recently used give way",
        access="",
        flag="--map.multishots.entries",
        lost="completions of such requests",
        cause="they were submitted before the exporter started, or it is full",
    ),
    Map(
        "folders",
        16_384,
        "folders of Kafka brokers, one per partition",
        flag="--map.folders.entries",
        lost="bytes of topics whose folders are new",
        key=FOLDER_KEY_LAYOUT,
        value=FOLDER_LAYOUT,
    ),
)
FREED_SLOTS_MAX = 512
"""How many slots one run of the program frees that makes slots free. The verifier follows its loop no further."""
_NEVER_FULL = (
    Map("slot_numbers", 65_536, "numbers of the slots in `counts`, by row", as_many_as="counts", key=ROW_LAYOUT),
    Map("hints", 4_096, "numbers of slots, by a few bits of the row; a power of two", access=""),
    Map("free_slots", 65_536, "numbers of the slots that no row uses", access="", as_many_as="counts"),
    Map("freed", FREED_SLOTS_MAX, "numbers of the slots to make free"),
    Map("dropped", len(_DROPPABLE), "lost updates, by the map that was full", access="read"),
    Map("running_programs", 1, "a map, written to wait until the programs that are running have ended"),
    Map("ports", 1, "one bit for each local TCP port: whether it is watched", value=PORT_SET_LAYOUT),
    Map(
        "network_threads",
        4_096,
        "threads of Kafka brokers that use a listener's port; the least recently used give way",
        access="read",
        key=THREAD_KEY_LAYOUT,
    ),
    Map("brokers", 4_194_304 // 64, "one bit for each process id (PID_MAX_LIMIT): whether it is a Kafka broker"),
)
MAPS = {spec.name: spec for spec in (*_DROPPABLE, *_NEVER_FULL)}
DROPPABLE_MAPS = tuple(spec.name for spec in _DROPPABLE)
"""The maps whose lost updates are counted, in the order of the map ``dropped``."""
