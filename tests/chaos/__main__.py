"""`make chaos ARGS="--minutes 10 --seed 123"`: Goalpost under faults, on a PostgreSQL server of the run's own.

CRMs push by REST and CSV, the sandbox misbehaves, processes are killed, the database is restarted. At the end all must
have drained, and each accepted change must be where it belongs. Ends with 1 where something does not hold, with 2 where
the run could not be made. `--small`: twenty counters; `--sqlite`: with one worker on SQLite.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos import script
from tests.chaos.postgres import NoServer
from tests.chaos.run import Run, RunFailed


def say(text: str = "") -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long things go wrong (default: 10)")
    parser.add_argument("--seed", type=int, help="left out: one is drawn")
    parser.add_argument("--small", action="store_true", help="20 counters in 4 agencies instead of 200 in 20")
    parser.add_argument("--sqlite", action="store_true", help="SQLite and one worker; small as well")
    parser.add_argument("--keep", action="store_true", help="keep the directory even where all holds")
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix="goalpost-chaos-"))
    directory.chmod(0o755)  # the database server runs as another user
    holds = False
    try:
        size = script.ON_SQLITE if arguments.sqlite else script.SMALL if arguments.small else script.FULL
        run = Run(
            directory=directory,
            script=script.write(
                seed=seed,
                seconds=arguments.minutes * 60,
                size=size,
                began=datetime.now(UTC).replace(microsecond=0),
                restarts=not arguments.sqlite,
            ),
            sqlite=arguments.sqlite,
            say=say,
        )
        holds = run.whole()
    except NoServer as reason:
        say(str(reason))
        holds = True
        return 2
    except RunFailed as reason:
        say(f"The run could not be made: {reason}")
        return 2
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    finally:
        if holds and not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            say(f"Logs and databases are in {directory}")
        again = " --sqlite" if arguments.sqlite else " --small" if arguments.small else ""
        say(f'To replay: make chaos ARGS="--minutes {arguments.minutes:g} --seed {seed}{again}"')
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
