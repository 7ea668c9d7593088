"""Whose are the counts? Turns samples into series that only grow, whatever processes come and go.

Pure: no clock, no kernel, no /proc. Every process whose rows are in a sample belongs to at most one :class:`Account`,
and every account is one set of series. What a process has counted up to the moment when it leaves an account (because
it ended, or took another name) is *settled*: it stays there for good, and the process begins anew in the next account.
So no byte is ever in two accounts, and none moves from one to another.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from exporter.counting import ledger
from exporter.host.procfs import ProcessInfo, Stat
from exporter.model import Exit, Identity, Rows

OTHER = "other"
UNKNOWN = "unknown"
_UNSEEN_SCRAPES = 3
"""So many scrapes without a sight of a process in /proc, and it counts as one of unknown name."""
_LATE_NS = 10_000_000_000
"""How long rows may still come of a process that has ended: its exit reads pages after its last system call."""


@dataclass(frozen=True)
class Limits:
    """What bounds the series; `copy-exporter serve --help` explains each."""

    process_max: int = 500
    comms_max: int = 200
    linger_ns: int = 120_000_000_000
    by_comm: bool = False
    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def leave_out(self, comm: str) -> bool:
        """Whether a process of this name counts in the host's totals alone."""
        included = self.include is None or self.include.search(comm)
        return not included or bool(self.exclude and self.exclude.search(comm))


@dataclass
class Account:
    """One set of per-process series: of one process (its ``pid`` and ``comm``), or of all that share a name."""

    pid: str
    """Empty with ``--process.labels=comm``."""
    comm: str
    since_ns: int
    """CLOCK_BOOTTIME of its first count."""
    owner: Identity | None = None
    """The process, when it is the account of one."""
    settled: Rows = field(default_factory=dict)
    ended_ns: int | None = None
    """When its process left it."""
    info: ProcessInfo | None = None
    stat: Stat | None = None


@dataclass
class _Member:
    """A process and the account that it counts in, from ``base`` on; None: in the host's totals alone."""

    account: Account | None
    base: Rows = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """What one account shows."""

    pid: str
    comm: str
    since_ns: int
    rows: Rows
    info: ProcessInfo | None = None
    """None when the account is not that of one process; so is ``stat``."""
    stat: Stat | None = None


@dataclass(frozen=True)
class Snapshot:
    """What one scrape shows."""

    host: Rows
    series: list[Series]
    tracked: int
    """Processes with series of their own."""
    exited: int
    """Processes that have ended and whose series linger."""
    aggregated: int
    """Processes that count in a common series."""
    by_comm: bool = False
    """Whether series have no ``pid``."""

    def pid_label(self, pid: int) -> str:
        """Return the label ``pid`` of a process; empty where series have none."""
        return "" if self.by_comm else str(pid)


class Attribution:
    """The accounts, from one sample to the next. Times are nanoseconds of CLOCK_BOOTTIME."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._host: Rows = {}
        self._members: dict[Identity, _Member] = {}
        self._unseen: dict[Identity, int] = {}
        self._ended: dict[Identity, tuple[Account | None, int]] = {}
        self._own = _OwnAccounts(limits)
        self._common: dict[str, Account] = {}

    def due(self, exits: Iterable[Exit], processes: Mapping[Identity, Rows]) -> list[Identity]:
        """Whose rows :meth:`settle` will book: of the processes that end now, and late ones of those that ended."""
        ending = {gone.identity for gone in exits}
        return [identity for identity in processes if identity in ending or identity in self._ended]

    def settle(self, exits: Iterable[Exit], processes: Mapping[Identity, Rows], now_ns: int) -> None:
        """Book the last counts of processes that have ended, once they have been deleted from the map.

        A process that no scrape ever saw alive counts in the common account of its name.
        """
        for identity in processes.keys() & self._ended.keys():
            self._book(self._ended[identity][0], processes[identity], {})
        for gone in exits:
            if gone.identity not in self._ended:  # its last two threads may both have told of the end
                self._end(gone, processes.get(gone.identity, {}), now_ns)
        self._expire(now_ns)

    def view(
        self,
        processes: Mapping[Identity, Rows],
        alive: Mapping[Identity, Stat],
        now_ns: int,
        describe: Callable[[int, str], ProcessInfo],
    ) -> Snapshot:
        """What to show of the processes in a sample, the ``alive`` of which were seen in /proc after it was taken."""
        self._expire(now_ns)
        for identity, rows in processes.items():
            stat = alive.get(identity)
            if stat:
                self._place(identity, stat, rows, now_ns, describe)
            else:
                self._miss(identity, rows, now_ns)
        return self._snapshot(processes)

    def comm_of(self, identity: Identity) -> str:
        """The name that a process was last seen under."""
        member = self._members.get(identity)
        return member.account.comm if member and member.account else UNKNOWN

    def _end(self, gone: Exit, rows: Rows, now_ns: int) -> None:
        member = self._members.pop(gone.identity, None)
        if member is None and not rows:
            return  # most of those that end have counted nothing: they shall take no name
        account = member.account if member else self._common_account(gone.comm, rows, now_ns)
        self._book(account, rows, member.base if member else {})
        if account and account.owner:
            account.ended_ns = now_ns
        self._unseen.pop(gone.identity, None)
        self._ended[gone.identity] = (account, now_ns)

    def _book(self, account: Account | None, rows: Rows, base: Rows) -> None:
        ledger.add(self._host, rows)
        if account:
            ledger.add(account.settled, rows, base)

    def _place(
        self, identity: Identity, stat: Stat, rows: Rows, now_ns: int, describe: Callable[[int, str], ProcessInfo]
    ) -> None:
        self._unseen.pop(identity, None)
        member = self._members.get(identity)
        account = None if self._limits.leave_out(stat.comm) else self._account(identity, stat.comm, rows, now_ns)
        if member is None:
            self._members[identity] = _Member(account)
        elif member.account is not account:
            self._move(member, account, rows, now_ns)
        if account and account.owner:
            account.ended_ns = None
            account.stat = stat
            account.info = account.info or describe(identity.pid, stat.comm)

    def _account(self, identity: Identity, comm: str, rows: Rows, now_ns: int) -> Account | None:
        if self._limits.by_comm:
            return self._common_account(comm, rows, now_ns)
        since_ns = now_ns if identity in self._members else _first_ns(rows, now_ns)
        return self._own.of(identity, comm, since_ns) or self._common_account(comm, rows, now_ns)

    def _move(self, member: _Member, account: Account | None, rows: Rows, now_ns: int) -> None:
        if member.account:
            ledger.add(member.account.settled, rows, member.base)
            if member.account.owner:
                member.account.ended_ns = now_ns
        member.account = account
        member.base = rows

    def _miss(self, identity: Identity, rows: Rows, now_ns: int) -> None:
        if identity in self._members:
            return
        self._unseen[identity] = self._unseen.get(identity, 0) + 1
        if self._unseen[identity] >= _UNSEEN_SCRAPES:
            self._members[identity] = _Member(self._common_account(UNKNOWN, rows, now_ns))

    def _common_account(self, comm: str, rows: Rows, now_ns: int) -> Account | None:
        if self._limits.leave_out(comm):
            return None
        name = comm if comm in self._common or len(self._common) < self._limits.comms_max else OTHER
        if name not in self._common:
            pid = "" if self._limits.by_comm else OTHER
            self._common[name] = Account(pid, name, _first_ns(rows, now_ns))
        return self._common[name]

    def _expire(self, now_ns: int) -> None:
        self._own.expire(now_ns)
        while self._ended:
            identity, (_, ended_ns) = next(iter(self._ended.items()))
            if now_ns - ended_ns <= _LATE_NS:
                return
            del self._ended[identity]

    def _snapshot(self, processes: Mapping[Identity, Rows]) -> Snapshot:
        host = dict(self._host)
        live: dict[int, list[tuple[Rows, Rows]]] = {}
        for identity, rows in processes.items():
            ledger.add(host, rows)
            member = self._members.get(identity)
            if member and member.account:
                live.setdefault(id(member.account), []).append((rows, member.base))
        accounts = [*self._own, *self._common.values()]
        tracked = sum(account.ended_ns is None for account in self._own)
        return Snapshot(
            host=host,
            series=[_series(account, live.get(id(account), [])) for account in accounts],
            tracked=tracked,
            exited=len(self._own) - tracked,
            aggregated=sum(len(live.get(id(account), ())) for account in self._common.values()),
            by_comm=self._limits.by_comm,
        )


class _OwnAccounts:
    """The accounts of one process each, at most ``process_max`` of them with those that linger."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[int, dict[str, Account]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Account]:
        for named in self._accounts.values():
            yield from named.values()

    def of(self, identity: Identity, comm: str, since_ns: int) -> Account | None:
        """The account of a process under its present name, opened when it is new; None when there is no room.

        An earlier process with the same id loses its series now: two of the same labels cannot be shown.
        """
        named = self._accounts.setdefault(identity.pid, {})
        for predecessor in [name for name, account in named.items() if account.owner != identity]:
            del named[predecessor]
            self._count -= 1
        if comm not in named and self._count < self._limits.process_max:
            named[comm] = Account(str(identity.pid), comm, since_ns, identity)
            self._count += 1
        return named.get(comm)

    def expire(self, now_ns: int) -> None:
        """End the series of those that left more than the linger time ago."""
        oldest_ns = now_ns - self._limits.linger_ns
        for pid, named in list(self._accounts.items()):
            for comm, account in list(named.items()):
                if account.ended_ns is not None and account.ended_ns < oldest_ns:
                    del named[comm]
                    self._count -= 1
            if not named:
                del self._accounts[pid]


def _first_ns(rows: Rows, now_ns: int) -> int:
    return min((count.since_ns for count in rows.values()), default=now_ns)


def _series(account: Account, live: list[tuple[Rows, Rows]]) -> Series:
    if not account.settled and len(live) == 1 and not live[0][1]:
        rows = live[0][0]
    else:
        rows = dict(account.settled)
        for present, base in live:
            ledger.add(rows, present, base)
    return Series(account.pid, account.comm, account.since_ns, rows, account.info, account.stat)
