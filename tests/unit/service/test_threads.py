"""Background threads start and stop together."""

import threading

from exporter.service.threads import BackgroundThreads

SECONDS = 20


def test_tasks_run_until_they_are_stopped() -> None:
    ended = threading.Semaphore(0)

    def task(stopped: threading.Event) -> None:
        if stopped.wait(SECONDS):
            ended.release()

    threads = BackgroundThreads()
    threads.add("first", task)
    threads.add("second", task)
    threads.start()
    named = {thread.name: thread for thread in threading.enumerate()}
    assert all(named[name].daemon for name in ("first", "second"))
    assert not ended.acquire(blocking=False)
    threads.stop()
    assert ended.acquire(timeout=SECONDS)
    assert ended.acquire(timeout=SECONDS)
