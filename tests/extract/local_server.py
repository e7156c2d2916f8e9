"""A web server on this machine, with the faults that public servers have."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server sends.

    Attributes:
        content: of its one file.
        ranges: whether it knows Range.
        breaks: after how many bytes the next connections break; one entry each, None for whole ones.
        states: that the next requests are answered with instead.
        length: whether it states the length.
        etag: of the content.
        pace: seconds between parts of 20,000 bytes; 0 for all at once.
        asked: the Range of every request.
        address: of the file, once it runs.
    """

    content: bytes
    ranges: bool = True
    breaks: list[int | None] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    length: bool = True
    etag: str = '"one"'
    pace: float = 0
    asked: list[str | None] = field(default_factory=list)
    address: str = ""


@contextmanager
def served(site: Site, name: str) -> Iterator[Site]:
    """Serve the site for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.asked.append(asked)
            if site.states:
                self.send_response(site.states.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, total = 0, len(site.content)
            condition = self.headers.get("If-Range")
            if asked and site.ranges and condition in (None, site.etag):
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
                if start >= total:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{total}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            if site.etag:
                self.send_header("ETag", site.etag)
            if site.length:
                self.send_header("Content-Length", str(total - start))
            self.end_headers()
            stop = site.breaks.pop(0) if site.breaks else None
            rest = site.content[start : None if stop is None else start + stop]
            self.close_connection = True
            if not site.pace:
                self.wfile.write(rest)
                return
            with suppress(OSError):  # the other side may be killed meanwhile
                for first in range(0, len(rest), 20_000):
                    self.wfile.write(rest[first : first + 20_000])
                    time.sleep(site.pace)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
