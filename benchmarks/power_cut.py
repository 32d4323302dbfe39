"""Cuts the power of a server, many times, on paper: is every acknowledged label on the disk?

    python benchmarks/power_cut.py [--labels 300] [--cuts 400]

A real server runs under strace (Debian's package) with a crew at work on it. The trace says which bytes went
to the project's file and its log, when the disk had confirmed them (fdatasync), and when an answer with the
number of an event was sent. The power is then cut at moments drawn at random: what was confirmed is there; of
what was written since, every sector of 512 bytes has arrived or has not, at random. SQLite opens the files as
they would be, and must find them whole, with every event that had been acknowledged by then. The same is done
again as if the server had waited for no confirmation: labels must be missing, else this could not fail.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from _common import Row, print_machine, print_results
from _crew import Crew, Server, make_project

SECTOR = 512
CALLS = "pwrite64,fdatasync,fsync,ftruncate,sendto,sendmsg"


@dataclass
class Disk:
    """A file as the disk has confirmed it, and what was written since."""

    sure: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut off at this length

    def confirm(self, count: int) -> None:
        for change in self.since[:count]:
            _apply(self.sure, *change)
        del self.since[:count]

    def after_cut(self, draw: random.Random) -> bytearray:
        """What a power cut leaves."""
        left = bytearray(self.sure)
        for at, data in self.since:
            if data is None:
                if draw.random() < 0.5:
                    _apply(left, at, None)
                continue
            for start in range(0, len(data), SECTOR):
                if draw.random() < 0.5:
                    _apply(left, at + start, data[start : start + SECTOR])
        return left


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    content[at : at + len(data)] = data


_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)")
_ACKNOWLEDGED = re.compile(rb'"event":(\d+)')


def events_of(trace: Path, names: dict[str, str]) -> list[tuple[str, str, object]]:
    """Writes, confirmations and acknowledgements in the order in which they were over.

    A confirmation covers what had been written when it began.
    """
    happened: list[tuple[str, str, object]] = []
    begun: dict[tuple[str, str], tuple[str, int]] = {}
    written: Counter[str] = Counter()
    waiting: dict[tuple[str, str], str] = {}
    for line in trace.read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread, call, rest = found.groups()
        resumed = "resumed>" in line[:60]
        if "<unfinished ...>" in rest:
            rest = rest.replace(" <unfinished ...>", "")
            waiting[thread, call] = rest
            if "sync" in call and (file := _file(rest, names)):
                begun[thread, call] = file, written[file]
            continue
        if resumed:
            rest = waiting.pop((thread, call), "") + rest
        if not re.search(r"= \d+", rest):
            continue  # it failed
        file = _file(rest, names)
        if call.startswith("send"):
            for text in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', rest):
                numbers = _ACKNOWLEDGED.findall(_bytes(text))
                happened += [("acknowledged", "", int(number)) for number in numbers]
        elif file is None:
            continue
        elif call == "pwrite64":
            text, offset = re.search(r'"((?:\\x[0-9a-f]{2})*)", \d+, (\d+)', rest).groups()
            happened.append(("write", file, (int(offset), _bytes(text))))
            written[file] += 1
        elif call == "ftruncate":
            happened.append(("write", file, (int(re.search(r">, (\d+)", rest)[1]), None)))
            written[file] += 1
        elif "sync" in call:
            file, count = begun.pop((thread, call), (file, written[file]))
            happened.append(("confirmed", file, count))
    return happened


def _file(rest: str, names: dict[str, str]) -> str | None:
    found = re.match(r"\d+<((?:\\x[0-9a-f]{2})*)>", rest)
    return None if found is None else names.get(_bytes(found[1]).decode(errors="replace"))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def cut(
    happened: list[tuple[str, str, object]], base: bytes, folder: Path, cuts: int, believe: bool
) -> tuple[int, int, int]:
    """Acknowledged labels that were missing, files that were damaged, and labels that were looked for."""
    draw = random.Random(0)
    moments = sorted(draw.sample(range(len(happened)), min(cuts, len(happened))), reverse=True)
    disks = {"db": Disk(bytearray(base)), "wal": Disk()}
    counts: Counter[str] = Counter()
    acknowledged: list[int] = []
    lost = damaged = looked = 0
    for number, (what, file, value) in enumerate(happened):
        if what == "write":
            disks[file].since.append(value)
        elif what == "confirmed" and believe:
            disks[file].confirm(value - counts[file])
            counts[file] = max(counts[file], value)
        elif what == "acknowledged":
            acknowledged.append(value)
        if moments and number == moments[-1]:
            moments.pop()
            place = folder / "after.db"
            for suffix, name in (("", "db"), ("-wal", "wal")):
                Path(f"{place}{suffix}").write_bytes(disks[name].after_cut(draw))
            Path(f"{place}-shm").unlink(missing_ok=True)
            there, whole = look(place)
            damaged += not whole
            lost += sum(one not in there for one in acknowledged)
            looked += len(acknowledged)
    return lost, damaged, looked


def look(place: Path) -> tuple[set[int], bool]:
    """Events in a file, and whether it is whole."""
    connection = sqlite3.connect(place)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in connection.execute("SELECT id FROM event")}, whole
    except sqlite3.DatabaseError:
        return set(), False
    finally:
        connection.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--labels", type=int, default=300)
    options.add_argument("--cuts", type=int, default=400)
    chosen = options.parse_args()
    if shutil.which("strace") is None:
        options.error("strace is missing: apt-get install -y strace")
    print_machine("sqlalchemy")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        place, trace = folder / "p.db", folder / "trace"
        hired = make_project(str(place), 1000, 8)
        base = place.read_bytes()
        under = [
            "strace",
            "-D",
            "-f",
            "-qq",
            "-y",
            "-xx",
            "-s",
            "10000000",
            "-o",
            str(trace),
            "-e",
            f"trace={CALLS}",
        ]
        server = Server(str(place), "--no-train", under=under)
        with Crew([server.port], hired) as crew:
            while crew.labels < chosen.labels:
                crew.wait_for_each()
        server.kill()
        happened = events_of(trace, {str(place): "db", f"{place}-wal": "wal"})
        kinds = Counter(what for what, *_ in happened)
        print(
            f"{kinds['acknowledged']} answers acknowledged, {kinds['write']} writes, {kinds['confirmed']} "
            f"confirmations of the disk, {chosen.cuts} power cuts"
        )
        lost, damaged, looked = cut(happened, base, folder, chosen.cuts, believe=True)
        control, *_ = cut(happened, base, folder, chosen.cuts, believe=False)
    print(f"labels looked for: {looked:,}; missing if the disk's confirmations did not count: {control:,}")
    print_results(
        [
            Row("acknowledged labels that a power cut loses", lost, 0, "", at_least=False),
            Row("files that a power cut damages", damaged, 0, "", at_least=False),
            Row("the control loses labels", control, 1, ""),
        ]
    )


if __name__ == "__main__":
    main()
