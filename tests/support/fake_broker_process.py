"""A process that looks like a Kafka broker and moves bytes on command, run as ``java kafka.Kafka FILE``.

Each line of standard input is the name of a function below and its arguments, separated by tabs; each line of standard
output is the number that the function returned.
"""

import ctypes
import mmap
import os
import resource
import socket
import sys
import threading

PR_SET_NAME = 15
held = []
connections = []


def rename(thread):
    """Name the calling thread as a JVM does."""
    return ctypes.CDLL(None).prctl(PR_SET_NAME, thread.encode(), 0, 0, 0)


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, int(port)), family=family)
    held.append(listening)
    return listening.getsockname()[1]


def listen_all(address, first, count):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return len([listen(address, port) for port in range(int(first), int(first) + int(count))])


def connect_all(count):
    """Connections of this process to its listeners in turn."""
    for number in range(int(count)):
        ours = socket.create_connection(held[number % len(held)].getsockname()[:2])
        theirs, _ = held[number % len(held)].accept()
        connections.append((ours, theirs))
    return len(connections)


def exchange(size):
    """Send as many bytes over each connection, and receive them; returns the sum."""
    total = 0
    for ours, theirs in connections:
        ours.sendall(bytes(int(size)))
        total += len(theirs.recv(int(size)))
    return total


def pair():
    """A TCP connection of this process to its first listener."""
    listening = held[0]
    ours = socket.create_connection(listening.getsockname()[:2])
    theirs, _ = listening.accept()
    return ours, theirs


def send(path, size, once):
    """Send a file over a connection to the first listener; ``once(broker, file, position, bytes)`` sends a piece."""
    consumer, broker = pair()
    with consumer, broker, open(path, "rb", buffering=0) as file:
        sent = 0
        while sent < int(size):
            step = once(broker, file, sent, min(int(size) - sent, 65536))
            sent += step
            while step:
                step -= len(consumer.recv(step))
    return sent


def sendfile(path, size):
    return send(path, size, lambda broker, file, at, step: os.sendfile(broker.fileno(), file.fileno(), at, step))


def as_network_thread(function):
    """The result of a function that a thread with the name of a network thread calls."""
    results = []

    def call():
        rename("data-plane-kafka-network-thread"[:15])
        results.append(function())

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return results[0]


def serve(path, size):
    """Send a file as a broker does: by zero copy, from a network thread."""
    return as_network_thread(lambda: sendfile(path, size))


def copy(path, size):
    def once(broker, file, at, step):
        return broker.send(os.pread(file.fileno(), step, at))

    return as_network_thread(lambda: send(path, size, once))


def fall_back(path, size):
    """Try sendfile for each piece and, when it is refused, write from a mapping of the file, as a JVM does."""

    def once(broker, file, at, step):
        try:
            return os.sendfile(broker.fileno(), file.fileno(), at, step)
        except OSError:
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping, memoryview(mapping) as view:
                return broker.send(view[at : at + step])

    return send(path, size, once)


def read(path, size):
    with open(path, "rb", buffering=0) as file:
        return len(os.pread(file.fileno(), int(size), 0))


def write(path, size):
    with open(path, "ab", buffering=0) as file:
        return file.write(bytes(int(size)))


def write_partitions(directory, first, count, size):
    """Write to a file in each of so many new partitions of one topic."""
    for number in range(int(first), int(first) + int(count)):
        folder = f"{directory}/wave-{number}"
        os.mkdir(folder)
        write(f"{folder}/0.log", size)
    return int(count) * int(size)


def remove_partitions(directory, first, count):
    for number in range(int(first), int(first) + int(count)):
        folder = f"{directory}/wave-{number}"
        os.unlink(f"{folder}/0.log")
        os.rmdir(folder)
    return int(count)


def hold(path):
    held.append(open(path, "r+b", buffering=0))  # noqa: SIM115  # stays open
    return len(held) - 1


def write_held(index, size):
    return held[int(index)].write(bytes(int(size)))


def copy_range(source, target, size):
    with open(source, "rb") as there, open(target, "r+b") as here:
        return os.copy_file_range(there.fileno(), here.fileno(), int(size))


rename("java")
print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = line.rstrip("\n").split("\t")
    print(globals()[name](*arguments), flush=True)
