"""Every page and list on a database of made-up years: filled if it is not there, walked by `tests.benchmarks.pages`."""

import os
import subprocess
import sys

from project.processes import BASE_DIR


def run(*, environment: dict[str, str], orders: int, times: int, fill: bool) -> int:
    """Tells what it finds as it goes; returns 1 where a page misses its limit. `fill`: make the rows first."""
    told = {**os.environ, **environment}
    told.pop("DJANGO_SETTINGS_MODULE", None)
    commands = [["tests.benchmarks.pages", "--times", str(times)]]
    if fill:
        commands.insert(0, ["tests.benchmarks.filling", "--orders", str(orders)])
    for command in commands:
        done = subprocess.run([sys.executable, "-m", *command], cwd=BASE_DIR, env=told)
        if done.returncode:
            return 1
    return 0
