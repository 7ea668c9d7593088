"""``python -m tests.support.password_flood``: clients that send wrong passwords as fast as they are answered.

Arguments: port, number of connections, address of the clients, a user name, and "one" or "many" passwords. With
``{}`` in it, each request has another user name. Plain HTTP. It writes the number of answers of each status at its end.
"""

import asyncio
import base64
import contextlib
import itertools
import signal
import sys
from collections import Counter


async def flood(port: int, connections: int, address: str, name: str, passwords: str) -> Counter[str]:
    numbers = itertools.count()
    statuses: Counter[str] = Counter()

    async def attack() -> None:
        while True:
            number = next(numbers)
            password = f"wrong{number if passwords == 'many' else ''}"
            credentials = base64.b64encode(f"{name.format(number)}:{password}".encode()).decode()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                writer.write(f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {credentials}\r\n\r\n".encode())
                statuses[(await reader.readline())[9:12].decode()] += 1
                writer.close()
            except OSError:
                statuses["refused"] += 1

    tasks = [asyncio.create_task(attack()) for _ in range(connections)]
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait(tasks, timeout=5)
    return statuses


if __name__ == "__main__":
    port, connections, address, name, passwords = sys.argv[1:]
    print(dict(asyncio.run(flood(int(port), int(connections), address, name, passwords))), flush=True)
