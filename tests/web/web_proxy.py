"""Real proxies, set up as the documentation says."""

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

import trustme

from _ports import free_port

PATIENCE = 60.0
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "project.md"

_NGINX = """
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
_CADDY = """
{{
    admin off
    auto_https disable_redirects
    skip_install_trust
    storage file_system {folder}/caddy
}}
{site}
"""


@contextmanager
def nginx(folder: Path, server: str, *, https: bool = False, prefix: str = "") -> Iterator[str]:
    """The address of a proxy before a server, on a free port, else as documented.

    Its certificate is that of an authority that nobody knows.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "nginx is missing: apt-get install -y --no-install-recommends nginx-light"
    port = free_port()
    site = _documented("nginx", prefix)
    if https:
        _certify(folder)
        site = site.replace("/etc/ssl/label", f"{folder}/label").replace("listen 443", "listen 127.0.0.1:443")
    else:
        site = re.sub(r"^.*ssl_certificate.*\n", "", site, flags=re.MULTILINE)
        site = site.replace("listen 443 ssl", "listen 127.0.0.1:443")
        site = site.replace("X-Forwarded-Proto https", "X-Forwarded-Proto http")
    for documented, here in (
        ("127.0.0.1:443", f"127.0.0.1:{port}"),
        ("http://127.0.0.1:8080", server),
        ("$host;", "$http_host;"),  # with the port, which is none of the usual ones
    ):
        assert documented in site, documented
        site = site.replace(documented, here)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, site=site))
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with _running(command, port):
        yield f"http{'s' * https}://127.0.0.1:{port}"


@contextmanager
def caddy(folder: Path, server: str, *, prefix: str = "") -> Iterator[str]:
    """The same with Caddy, by HTTPS."""
    port = free_port()
    _certify(folder)
    certificate = f"{folder}/label.pem {folder}/label.key"
    site = _documented("Caddy", prefix)
    for documented, here in (
        ("label.example.org {", f"https://127.0.0.1:{port} {{\n    tls {certificate}"),
        ("127.0.0.1:8080", server),
    ):
        assert documented in site, documented
        site = site.replace(documented, here)
    (folder / "Caddyfile").write_text(_CADDY.format(folder=folder, site=site))
    program = shutil.which("caddy")
    assert program is not None
    command = [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with _running(command, port):
        yield f"https://127.0.0.1:{port}"


def _documented(proxy: str, prefix: str) -> str:
    """What the documentation says of a proxy; with a prefix, with what it says to write then."""
    text = DOCS.read_text()
    block = re.search(rf'=== "{proxy}"\n\n    ```\n(.*?)    ```', text, re.DOTALL)
    assert block is not None
    if not prefix:
        return block[1]
    swaps = re.search(rf"- {proxy}: `(.*?)` in place of `(.*?)`", text)
    assert swaps is not None
    below, whole = swaps[1].replace("/labels", prefix), swaps[2]
    assert whole in block[1]
    return block[1].replace(whole, below)


def _certify(folder: Path) -> None:
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(folder / "label.key")
    made.cert_chain_pems[0].write_to_path(folder / "label.pem")


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        _wait(process, port)
        yield
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
            assert process.poll() is None, f"{process.args} has not started"
            assert time.monotonic() < deadline
            time.sleep(0.02)
