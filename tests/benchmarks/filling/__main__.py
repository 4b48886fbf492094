"""`python -m tests.benchmarks.filling --orders 100000`: fills the database that DATABASE_URL names, which has to be
PostgreSQL, migrated, and without orders."""

import argparse
import logging
import os
import sys

import django


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.filling", description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000, help="orders, with three status changes each (10,000)")
    parser.add_argument("--agencies", type=int, default=50)
    parser.add_argument("--counters", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same rows")
    parser.add_argument("--at-once", type=int, default=2, help="connections that write side by side (2)")
    parser.add_argument(
        "--logged", action="store_true", help="tables outlive a crash of the server; left out: they fill much faster"
    )
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    logging.disable(logging.INFO)  # sealing the audit log says much
    from tests.benchmarks.filling.load import fill

    return fill(**vars(options))


if __name__ == "__main__":
    sys.exit(main())
