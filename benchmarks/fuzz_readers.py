"""Damaged and hostile files through every reader: what is raised besides `InputError`, counted.

Each file is a sample of a format with seeded mutations: cut, bits flipped, bytes swapped, inserted or
repeated, pieces that break parsers (deep nesting, numbers of many digits, half characters, broken UTF-8),
packed again. A worker process reads it, so that a signal is counted like an exception. Every file comes from
the seed, the reader and its number alone: ``--only READER --first N --files 1`` makes one again.

    python benchmarks/fuzz_readers.py --files 2000
    python benchmarks/fuzz_readers.py --files 100000 --workers 2 --json fuzz.json
    python benchmarks/fuzz_readers.py --only label-studio --first 712 --files 1 --keep .
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import multiprocessing
import random
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_SLOW = 10.0
"""Seconds after which a file counts as slow."""
_PIECES = [
    b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b'"', b"'", b"\xed\xa0\x80", b"\\ud83d", b"1e999", b"NaN",
    b"-Infinity",
    b"\n\n", b"\r", b"{}", b"null,", b"[" * 600, b'{"a":' * 600, b"[" * 60_000, b"9" * 30, b"9" * 6_000,
    b"18446744073709551616", b"\xc3", b"\xf0\x9f\x91\xa9\xe2\x80\x8d", b"\xe2\x80\xae", b",,,,",
    b"\t;|", b"=1+1",
]  # fmt: skip


def choice(label: str, who: Any) -> dict[str, Any]:
    """An annotation of Label Studio."""
    value = {"from_name": "q", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    return {"id": 1, "completed_by": who, "result": [value], "created_at": "2024-05-01T10:00:00Z"}


def lines(*entries: Any) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in entries)


def parquet(**columns: Any) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name.replace("_", "."), data)
    return file.getvalue()


def numpy_file(save: Callable[..., None], *arrays: Any, **named: Any) -> bytes:
    """A file of arrays."""
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


_LONG = b'example,annotator,label\n1,ann,caf\xc3\xa9\n1,bob,x\n2,ann,"y, z"\n2,bob,x\n'
_ROWS = [{"example": n, "annotator": who, "label": "xy"[n % 2]} for n in range(3) for who in ("ann", "bob")]
_PROBS = b"example,x,y\n1,0.4,0.6\n2,0.3,0.7\n"

_TASK = {"id": 1, "data": {"text": "t"}, "annotations": [
    choice("x", 1), choice("y", {"id": 2, "email": "b@c.d"})]}  # fmt: skip
_STORED = {**choice("x", 3), "task": {"id": 1, "data": {}}}
_CHOICES = {"_input_hash": 1, "_task_hash": 2, "_annotator_id": "a", "answer": "accept", "options": [],
            "accept": ["x"], "_timestamp": 17}  # fmt: skip
_NESTED = {"id": "a", "fields": {}, "responses": {"l": [{"value": "x", "user_id": "u"}]}}
_FEEDBACK = {"external_id": "1", "l": [{"user_id": "u", "value": "x"}], "l-suggestion": 1, "metadata": {}}
_WORKERS = [{"datasetObjectId": "0", "dataObject": {"content": "c"}, "annotations": [
    {"workerId": "w", "annotationData": {"content": '{"label": "x"}'}}]}]  # fmt: skip

SAMPLES: dict[str, list[tuple[str, bytes]]] = {
    "long": [("l.csv", _LONG), ("l.tsv", _LONG.replace(b",", b"\t")), ("l.jsonl", lines(*_ROWS)),
             ("l.parquet", parquet(example=[1, 1, 2], annotator=["a", "b", "a"], label=["x", "x", "y"])),
             ("l.csv.gz", gzip.compress(_LONG, mtime=0)), ("l.json", json.dumps(_ROWS).encode())],
    "wide": [("w.csv", b",ann,bob\n1,x,\n2,y,y\n"), ("w.jsonl", lines({"index": 1, "a": 0, "b": None})),
             ("w.parquet", parquet(index=[1, 2], a=[0.0, 1.0], b=[None, 1.0]))],
    "label-studio": [("t.json", json.dumps([_TASK]).encode()),
                     ("36", json.dumps(_STORED, indent=1).encode())],
    "label-studio-min": [("m.json", json.dumps([{"id": 1, "annotator": 2, "annotation_id": 3, "label": "x"}]
                                               ).encode())],
    "label-studio-csv": [("c.csv", b"annotation_id,annotator,id,label,text\n1,2,3,x,t\n4,5,3,y,t\n")],
    "prodigy": [("p.jsonl", lines(_CHOICES,
                                  {"_input_hash": 2, "label": "x", "answer": "reject", "_session_id": "b"}))],
    "argilla": [("a.jsonl", lines({"id": "a", "l.responses": ["x"], "l.responses.users": ["u"]})),
                ("n.jsonl", lines(_NESTED)),
                ("f.jsonl", lines(_FEEDBACK))],
    "mturk": [("b.csv", b'HITId,WorkerId,AssignmentStatus,Answer.q\nh,W,,"{""a"": ""x""}"\nh,V,,y\n')],
    "toloka": [("t.tsv", b"INPUT:i\tOUTPUT:r\tASSIGNMENT:task_id\tASSIGNMENT:worker_id\tASSIGNMENT:status\n"
                         b"x\tcat\tt\tw\tAPPROVED\n")],
    "ground-truth": [("g.json", json.dumps(_WORKERS).encode())],
    "ground-truth-manifest": [("o.manifest", lines({"source": "t", "k": 0, "k-metadata": {
        "class-name": "x", "job-name": "j", "human-annotated": "yes"}}))],
    "doccano": [("d.zip", archive(ann_jsonl=lines({"id": 1, "text": "t", "label": ["x"]}),
                                  bob_csv=b"id,data,label\n1,t,y\n", cem_json=b'[{"id": 1, "label": "x"}]')),
                ("ann.jsonl", lines({"id": 1, "text": "t", "label": ["x"], "Comments": []})),
                ("old.jsonl", lines({"id": 1, "text": "t", "annotations": [{"label": 7, "user": 1}]}))],
    "potato": [("p.csv", b"instance_id,user_id,s.x,s.y\ni,u,true,\nj,u,,true\n"),
               ("user_state.json", json.dumps({"user_id": "u", "instance_id_to_label_to_value": {
                   "i": [[{"schema": "s", "name": "x"}, "true"]]}}).encode())],
    "pred-probs": [("p.csv", _PROBS), ("p.jsonl", lines({"example": 1, "x": 0.5, "y": 0.5})),
                   ("p.parquet", parquet(example=[1, 2], x=[0.5, 0.25], y=[0.5, 0.75])),
                   ("p.jsonl.gz", gzip.compress(lines({"example": 1, "x": 0.5}), mtime=0))],
    "arrays": [("p.npy", numpy_file(np.save, np.full((4, 3), 1 / 3))),
               ("p.npz", numpy_file(np.savez, a=np.full((4, 3), 1 / 3))),
               ("q.npz", numpy_file(np.savez_compressed, a=np.full((4, 3), 1 / 3)))],
    "examples": [("e.csv", b"id,text\n1,one\n2,two\n"), ("e.jsonl", lines({"id": 1, "text": "t"})),
                 ("e.parquet", parquet(id=[1, 2], text=["a", "b"]))],
}  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with one to five wounds; now and then one that is packed around them."""
    packed = data[:2] == b"\x1f\x8b" and rng.random() < 0.7
    damaged = bytearray(gzip.decompress(data) if packed else data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
        at = rng.randrange(len(damaged)) if damaged else 0
        kind = rng.choice(["cut", "flip", "flip", "garble", "insert", "insert", "swap", "repeat", "delete"])
        if kind == "insert" or not damaged:
            damaged[at:at] = rng.choice(_PIECES)
        elif kind == "cut":
            del damaged[at:]
        elif kind == "flip":
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == "garble":
            damaged[at] = rng.randrange(256)
        elif kind == "swap":
            other = rng.randrange(len(damaged))
            damaged[at], damaged[other] = damaged[other], damaged[at]
        elif kind == "repeat":
            end = min(len(damaged), at + rng.randrange(1, 40))
            damaged[at:at] = bytes(damaged[at:end]) * rng.choice([1, 2, 50])
        else:
            del damaged[at : at + rng.randrange(1, 20)]
    return gzip.compress(bytes(damaged), mtime=0) if packed else bytes(damaged)


def file_of(reader: str, number: int, seed: int) -> tuple[str, bytes]:
    """Name and content of a file."""
    rng = random.Random(f"{seed}/{reader}/{number}")
    name, data = rng.choice(SAMPLES[reader])
    return name, mutated(data, rng)


def readers_of(reader: str) -> list[Callable[[Path], Any]]:
    """What reads files of the kind, as the commands do."""
    from activelab import tables
    from activelab.formats import convert_file, detect_format, read_label_table, read_records

    if reader == "arrays":
        return [lambda path: tables.read_arrays(path)]
    if reader == "pred-probs":
        return [lambda path: tables.read_pred_probs(path)]
    if reader == "examples":
        return [lambda path: (tables.row_columns(path), list(tables.read_rows(path)))]
    return [
        lambda path: list(read_records(path, reader)),
        lambda path: read_label_table(path),
        lambda path: (detect_format(path), convert_file(path, path.parent / "out.csv")),
    ]


def read_all(reader: str, name: str, data: bytes, folder: Path) -> list[str]:
    """Places of exceptions that are no `InputError`."""
    from activelab import InputError

    path = folder / name
    path.write_bytes(data)
    found = []
    for read in readers_of(reader):
        try:
            read(path)
        except InputError as error:
            if "\n" in str(error):
                found.append("InputError of several lines")
        except Exception as error:
            frame = next(
                f for f in reversed(traceback.extract_tb(error.__traceback__)) if "activelab" in f.filename
            )
            found.append(f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}")
    return found


def work(reader: str, first: int, last: int, seed: int, queue: Any) -> None:
    """Read files and tell, before each, which; in a process of its own."""
    sys.setrecursionlimit(1000)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            queue.put(("reads", number))
            name, data = file_of(reader, number, seed)
            begun = time.monotonic()
            for place in read_all(reader, name, data, Path(folder)):
                queue.put(("raised", (place, number, name)))
            if time.monotonic() - begun > _SLOW:
                queue.put(("raised", (f"slower than {_SLOW:.0f} s", number, name)))
    queue.put(("done", last))


def fuzz(reader: str, first: int, last: int, seed: int) -> Iterator[tuple[str, int, str]]:
    """What goes wrong, the number of the file and its name; one that killed its reader is passed over."""
    context = multiprocessing.get_context("spawn")
    at = first
    while at < last:
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(reader, at, last, seed, queue))
        process.start()
        while process.is_alive() or not queue.empty():
            if queue.empty():
                process.join(0.05)
                continue
            kind, value = queue.get()
            if kind == "reads":
                at = value
            elif kind == "raised":
                yield value
            else:
                at = last
        process.join()
        if at < last:
            yield f"exit status {process.exitcode}", at, file_of(reader, at, seed)[0]
            at += 1


def _one(arguments: tuple[str, int, int, int]) -> tuple[str, list[tuple[str, int, str]]]:
    return arguments[0], list(fuzz(*arguments))


def main() -> None:
    """Read the files and print what was raised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000, help="files a reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="readers at a time")
    parser.add_argument("--only", choices=list(SAMPLES), action="append")
    parser.add_argument("--keep", type=Path, help="write the files that went wrong there")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = options.only or list(SAMPLES)
    jobs = [(reader, options.first, options.first + options.files, options.seed) for reader in asked]
    report, begun, wrong = {}, time.monotonic(), 0
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(options.workers) as pool:
        for reader, found in pool.map(_one, jobs):
            wrong += len(found)
            places = Counter(place for place, *_ in found)
            report[reader] = {"files": options.files, "wrong": len(found), "places": dict(places)}
            print(f"{reader:24}{options.files:>9,} files {len(found):>6,} wrong", flush=True)
            shown: set[str] = set()
            for place, number, name in found:
                if place not in shown:
                    print(f"    {places[place]:,} x {place}, first file {number} ({name})", flush=True)
                    shown.add(place)
                if options.keep is not None:
                    data = file_of(reader, number, options.seed)[1]
                    (options.keep / f"{reader}-{number}-{name}").write_bytes(data)
    print(f"{options.files * len(asked):,} files in {time.monotonic() - begun:,.0f} s: {wrong:,} wrong")
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
