"""Parts of a benchmark in a process of their own, whose memory is theirs alone."""

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def in_its_own_process(target: Callable[[Connection], None]) -> Any:
    """What `target(connection)` sends."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(there,))
    process.start()
    there.close()  # so that recv ends if the process dies
    found = here.recv()
    process.join()
    return found


def peak_memory() -> float:
    """Of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
