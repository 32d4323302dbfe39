"""A throw-away PostgreSQL server of one's own, which may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class Cluster:
    """A PostgreSQL server on a socket of its own, run by Debian's programs as somebody other than root.

    Parameters
    ----------
    fsync : bool
        Wait for the disk, as servers do unless they are told not to. Tests need not.
    """

    def __init__(self, fsync: bool = False) -> None:
        self.programs = _programs()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self.folder.chmod(0o755)
        self.options = f"-k {self.folder} -c listen_addresses= -c max_connections=200"
        self.options += f" -c fsync={'on' if fsync else 'off'}"
        self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run(
            "pg_ctl", "-D", f"{self.folder}/data", "-w", "-t", "300", "-l", f"{self.folder}/log",
            "-o", self.options, "start",
        )  # fmt: skip

    def kill(self) -> None:
        """kill -9 of the server and all its processes at once."""
        main = int(Path(self.folder, "data/postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)  # it starts no more, and does not clean up after the others
        everything = [main, *_children(main)]
        for number in reversed(everything):
            os.kill(number, signal.SIGKILL)
        while any(_alive(number) for number in everything):
            time.sleep(0.01)
        # Until its parent has taken notice, the process would seem to be there.
        for lock in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            Path(self.folder, lock).unlink()

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def sql(self, statement: str) -> None:
        self._run("psql", "-h", str(self.folder), "-U", "postgres", "-q", "-c", statement)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self.as_user, str(self.programs / program), *arguments]
        # Not through pipes: the server would hold them open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
            )
            said.seek(0)
            message = said.read().decode()
        assert done.returncode == 0, f"{program}: {message}"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise FileNotFoundError(
            "PostgreSQL is missing: apt-get install -y --no-install-recommends postgresql"
        )
    return found[-1].parent


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found


def _alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
