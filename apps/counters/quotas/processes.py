"""Which process holds a place, so that on its own machine others see when it is gone."""

import hashlib
import os
import socket
from functools import lru_cache
from pathlib import Path


def this_process() -> str:
    return f"{_here()}:{os.getpid()}"


def is_gone(process: str) -> bool:
    """True only where that is certain: a process of this machine that does not live any more."""
    machine, _colon, number = process.partition(":")
    if machine != _here():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return False


@lru_cache(maxsize=1)
def _here() -> str:
    """This machine since it was started; of containers with one name, this one."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text())
        except OSError:
            parts.append("")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]
