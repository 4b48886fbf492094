"""A PostgreSQL server of the run's own, so that it can be taken down without asking anybody."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

NAME = "goalpost"


class NoServer(Exception):
    """PostgreSQL's own programs are not on this machine; the message says what to do."""


def binaries() -> Path:
    """The folder with initdb and pg_ctl. Raises NoServer."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "initdb").exists():
            return folder
    raise NoServer(
        "PostgreSQL's server programs (initdb, pg_ctl) were not found, and this run takes a server of its own down. "
        "Install them (Debian: apt install postgresql), or run it on SQLite: --sqlite."
    )


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


class Server:
    """`directory` is made, and belongs to the server's user: where this runs as root, to postgres or nobody."""

    def __init__(self, *, directory: Path, port: int) -> None:
        self._bin = binaries()
        self._data = directory / "data"
        self._log = directory / "server.log"
        self.port = port
        self.url = f"postgres://{NAME}@127.0.0.1:{port}/{NAME}"
        directory.mkdir()
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            user = _somebody()
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(directory, user.pw_uid, user.pw_gid)
        self._directory = directory
        self.running = False

    def start(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", NAME, "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
                "max_connections = 200\nlog_min_messages = warning\n"
            )
        self._ctl("start")
        self.running = True
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", NAME, NAME)

    def restart(self, mode: str) -> None:
        """`immediate`: as if it had crashed; `fast`: all connections are cut."""
        self._ctl("restart", "-m", mode)

    def stop(self) -> None:
        if self.running:
            self._ctl("stop", "-m", "immediate")
            self.running = False

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-t", "60", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a server that is started keeps it open
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            **self._as,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr or self.log()[-2000:]}")


def _somebody() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoServer("A PostgreSQL server cannot run as root, and this machine has no user `postgres` or `nobody`.")
