"""`python -m tests.benchmarks.pages`: opens every page as each of some people, and by an API key, some times each.

Ends with 1 where one takes longer than its limit, needs more queries than are pinned, or breaks.
"""

import argparse
import logging
import os
import sys

import django


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pages", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each page is opened after the first time (20)")
    parser.add_argument("--limit", type=int, default=300, help="milliseconds that 95 of 100 openings keep within (300)")
    parser.add_argument("--match", default="", help="only pages whose description holds this text")
    parser.add_argument(
        "--people",
        default="owner of a big agency,owner of a small one,limited manager,key of a big agency,staff",
        help="who opens them, by commas (all)",
    )
    parser.add_argument(
        "--all", action="store_true", help="print every page, not only the slow ones and the slowest twenty"
    )
    parser.add_argument("--pin", action="store_true", help="write down how many queries each page needs from now on")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.pages.settings")
    django.setup()
    logging.disable(logging.ERROR)  # each page that may not be opened would be told
    from tests.benchmarks.pages.walk import walk

    return walk(**{**vars(options), "people": options.people.split(",")})


if __name__ == "__main__":
    sys.exit(main())
