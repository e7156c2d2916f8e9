"""A web server on this machine, with the faults that public servers have."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
        asked: the Range of every request.
        address: of the file, once it runs.
    """

    content: bytes
    ranges: bool = True
    breaks: list[int | None] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    length: bool = True
    etag: str = '"one"'
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
            self.wfile.write(site.content[start : None if stop is None else start + stop])
            self.close_connection = True

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
