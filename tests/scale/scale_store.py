"""An object store that speaks S3, behind a proxy that counts, cuts and goes away."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CUT, GONE = "cut", "gone"


class Proxy:
    """Passes requests on to a store, and counts them.

    Attributes
    ----------
    requests : list of (str, str, int)
        Method and path of each, and the bytes of the body of its answer.
    fault : callable
        Takes method and path of a request: a status to answer in place of the store, `CUT` to stop in the
        middle of the body, `GONE` to hang up, or None.
    """

    def __init__(self, host: str, port: int) -> None:
        self._lock = threading.Lock()
        self.watch()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with proxy._lock:
                    fault = proxy.fault(self.command, self.path)
                if fault == GONE:
                    self.close_connection = True
                    return
                if isinstance(fault, int):
                    self._answer(fault, {}, b"")
                    return
                store = http.client.HTTPConnection(host, port)
                store.request(self.command, self.path, sent, dict(self.headers))
                answer = store.getresponse()
                body = answer.read()
                store.close()
                self._answer(answer.status, dict(answer.getheaders()), body, fault == CUT)

            def _answer(self, status: int, headers: dict[str, str], body: bytes, cut: bool = False) -> None:
                self.send_response_only(status)
                kept = {name: value for name, value in headers.items() if name.lower() not in _HOPS}
                if self.command != "HEAD":
                    kept = {n: v for n, v in kept.items() if n.lower() != "content-length"}
                    kept["Content-Length"] = str(len(body))
                for name, value in kept.items():
                    self.send_header(name, value)
                self.end_headers()
                shown = body[: len(body) // 2] if cut else body
                self.wfile.write(shown)
                self.close_connection = self.close_connection or cut
                proxy.requests.append((self.command, self.path, len(shown)))

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def watch(self, fault: Callable[[str, str], int | str | None] = lambda method, path: None) -> None:
        """Count anew, with another fault or none."""
        self.requests: list[tuple[str, str, int]] = []
        self.fault = fault

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


_HOPS = ("connection", "keep-alive", "transfer-encoding")
