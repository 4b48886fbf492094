"""`python -m project.demo [--once]`: sets everything up from nothing under var/demo, shows it working, then serves."""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from project.demo.story import CLIENT_ID, FLOWERS, NEW_LOGIN, Access, DemoFailed, Line, Story
from project.processes import BASE_DIR, Processes, free_port

DIRECTORY = BASE_DIR / "var" / "demo"
PASSWORD = "goalpost-demo"  # noqa: S105 - printed on the screen, of a throw-away installation
REPORT_OF = ("--agency", "south", "--counter", str(FLOWERS))


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201 - this is what the demo is for


def environment(access: Access, url: str) -> dict[str, str]:
    sandbox = f"{url}/sandbox"
    return {
        "SITE_URL": url,
        "METRICA_URL": sandbox,
        "YANDEX_OAUTH_URL": sandbox,
        "YANDEX_LOGIN_URL": f"{sandbox}/info",
        "YANDEX_CLIENT_ID": CLIENT_ID,
        "YANDEX_CLIENT_SECRET": access.app_secret,
        "DEBUG": "on",
        "SANDBOX": "on",
        "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(40),
        "DATABASE_URL": f"sqlite:///{DIRECTORY / 'goalpost.sqlite3'}",
        "STORAGE_URL": f"file://{DIRECTORY / 'media'}",
        "DEMO_PASSWORD": PASSWORD,
        "DEMO_NORTH_KEY": access.north_key,
        "DEMO_SOUTH_KEY": access.south_key,
        "DEMO_NORTH_TOKEN": access.north_token,
        "DEMO_SOUTH_TOKEN": access.south_token,
    }


def provision_file(sandbox_url: str) -> Path:
    template = (Path(__file__).parent / "provision.toml").read_text("utf-8")
    path = DIRECTORY / "provision.toml"
    path.write_text(template.replace("SANDBOX_URL", sandbox_url), "utf-8")
    return path


def table(lines: list[Line]) -> str:
    heads = ("counter", "orders", "status changes", "uploads", "passed", "delivered", "goals reached")
    rows = [
        (line.counter, line.orders, line.changes, line.uploads, line.passed, line.delivered, line.goals)
        for line in lines
    ]
    total = ("total", *(sum(int(row[column]) for row in rows) for column in range(1, len(heads))))
    texts = [heads, *(tuple(map(str, row)) for row in (*rows, total))]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    drawn = [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    ]
    rule = "-" * len(drawn[0])
    return "\n".join([drawn[0], rule, *drawn[1:-1], rule, drawn[-1]])


def run(*, once: bool, port: int, orders: int) -> int:
    began = time.monotonic()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    access = Access(*(secrets.token_urlsafe(30) for _each in range(5)))
    port = free_port(port)
    settings = environment(access, f"http://127.0.0.1:{port}")
    with Processes(environment=settings, log_dir=DIRECTORY / "logs", port=port) as processes:
        say("1/5  making the database …")
        processes.manage("migrate", "-v0")
        say("2/5  starting web, sandbox and worker …")
        processes.start_web()
        processes.start_worker()
        processes.wait_for_web()
        story = Story(processes=processes, access=access, directory=DIRECTORY)
        say("3/5  provisioning two agencies …")
        story.tell_sandbox()
        processes.manage("provision", str(provision_file(f"{processes.url}/sandbox")))
        say(f"4/5  pushing two worked cases by REST, {orders} orders by CSV and two by a script for Metrica …")
        story.push_cases()
        story.run_script()
        story.import_csv(orders=orders)
        say("5/5  waiting for the uploads …")
        story.upload_all()
        lines = story.lines()
        report = processes.manage("share_report", *REPORT_OF, "--name", "The flower shop").stdout.strip()
        say()
        say(table(lines))
        say(f"\nAll delivered, {time.monotonic() - began:.0f} s from nothing.\n")
        if once:
            return 0
        say(f"Admin     {processes.url}/admin/    password of everybody: {PASSWORD}")
        for person in ("owner@north.example", "manager@north.example", "analyst@north.example", "owner@south.example"):
            say(f"          {person}")
        say(f"Sandbox   {processes.url}/sandbox/")
        say(f"Report    {report}    what a client sees; its numbers come within a minute or two")
        say(f"API       {processes.url}/api/v1/docs/")
        say(f"API key   {access.north_key}   (North Agency)")
        say(f"          {access.south_key}   (South Agency)")
        say("\nTry:")
        say(f"  in the admin, Metrica accounts: “Connect Yandex” with the login {NEW_LOGIN}, then “Import counters”")
        example = f"{processes.url}/api/v1/counters/40000001/orders/D-1001/"
        say(f'  curl -H "Authorization: Bearer {access.north_key}" {example}')
        say("\nCtrl-C ends it.")
        while True:
            time.sleep(3600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all is delivered, instead of serving")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--orders", type=int, default=3000, help="orders in the sample CSV")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(once=arguments.once, port=arguments.port, orders=arguments.orders)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 0 if not arguments.once else 130
    except (DemoFailed, TimeoutError) as error:
        say(f"\nThe demo failed: {error}\nLogs are in {DIRECTORY / 'logs'}")
    except subprocess.CalledProcessError as error:
        say(f"\nThe demo failed at {' '.join(error.cmd[1:4])}:\n{error.stdout}{error.stderr}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
