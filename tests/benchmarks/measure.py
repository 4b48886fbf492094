"""Runs a command and tells how long it took and how much memory it held."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from project.processes import BASE_DIR

# Linux remembers the largest child that was ever waited for, so each command has a fresh parent, which is small.
_PARENT = """
import json, resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.run([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL).returncode
seconds = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("\\n" + json.dumps([status, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds`: from the start of the process to its end, `cpu_seconds` of them on a processor; `peak_mb`: the
    high-water mark of its resident memory."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str

    @property
    def told(self) -> Any:
        """The JSON in the last line of what it printed."""
        return json.loads(self.output.splitlines()[-1])


def python(*arguments: str, environment: Mapping[str, str], timeout: float) -> Measured:
    """Run this interpreter with the arguments from the project's directory, at most `timeout` seconds.

    Raises RuntimeError with the end of what the command said where it did not end well.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, *arguments],
        cwd=BASE_DIR,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(process.pid, 9)
            if isinstance(error, subprocess.TimeoutExpired):
                raise RuntimeError(f"{' '.join(arguments)} did not end within {timeout:.0f} s") from None
            raise
    output, _newline, last = output.rstrip("\n").rpartition("\n")
    status, seconds, cpu_seconds, peak_mb = json.loads(last)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {status}:\n{(output + errors)[-3000:]}")
    return Measured(seconds=seconds, cpu_seconds=cpu_seconds, peak_mb=peak_mb, output=output.rstrip("\n"))


class Clock:
    """`with Clock() as clock: …`, then `clock.seconds`."""

    seconds = 0.0

    def __enter__(self) -> "Clock":
        self._began = time.monotonic()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds += time.monotonic() - self._began
