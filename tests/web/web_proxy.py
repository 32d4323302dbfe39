"""A real nginx, set up as the documentation says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _ports import free_port

PATIENCE = 60.0
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "project.md"

_MAIN = """
daemon off; master_process off; worker_rlimit_nofile 8192;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[str]:
    """The address of a proxy before a server; in plain HTTP and on a free port, else as documented."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "nginx is missing: apt-get install -y --no-install-recommends nginx-light"
    port = free_port()
    block = re.search(r'=== "nginx"\n\n    ```\n(.*?)    ```', DOCS.read_text(), re.DOTALL)
    assert block is not None
    site = re.sub(r"^.*ssl_certificate.*\n", "", block[1], flags=re.MULTILINE)
    for documented, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
        ("http://127.0.0.1:8080", server),
        ("$host;", "$http_host;"),  # with the port, which is none of the usual ones
        ("X-Forwarded-Proto https", "X-Forwarded-Proto http"),
    ):
        assert documented in site, documented
        site = site.replace(documented, here)
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, site=site))
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "nginx has not started"
            assert time.monotonic() < deadline
            time.sleep(0.02)
