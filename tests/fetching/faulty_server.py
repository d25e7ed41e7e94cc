"""A publisher on this machine that fails as real ones do, file by file and answer by answer."""

import hashlib
import re
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FaultyServer:
    """Serves `files` below `url`; `faults[path]` are used up one an answer, the last one for good.

    Faults: "500", "404", "stall" (half, then silence), "drip" (a byte, then silence, again and again), "truncate"
    (half, then the connection closes), "ignore-range" (always the whole file), "wrong" (other bytes of the same
    length), "other-part" (206 of a range that was not asked for), "" (as it should).
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.files["SHA256SUMS.txt"] = sums(files)
        self.faults: dict[str, list[str]] = {}
        self.asked: dict[str, list[str]] = defaultdict(list)  # the Range of each request, by path
        self.version = "1"
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"publisher": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def fault(self, path: str) -> str:
        faults = self.faults.get(path, [""])
        return faults.pop(0) if len(faults) > 1 else faults[0]


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in files.items()).encode()


class _Handler(BaseHTTPRequestHandler):
    publisher: FaultyServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, publisher = self.path.lstrip("/"), self.publisher
        asked = self.headers.get("Range", "")
        publisher.asked[path].append(asked)
        fault = publisher.fault(path)
        if path not in publisher.files or fault == "404":
            self.send_error(404)
            return
        if fault in ("500", "503"):
            self.send_error(int(fault))
            return
        content = publisher.files[path]
        if fault == "wrong":
            content = bytes(byte ^ 1 for byte in content)
        tag = f'"{path}-{publisher.version}"'
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        part = bool(asked) and fault != "ignore-range" and self.headers.get("If-Range") == tag
        begin = start if part else 0
        self.send_response(206 if part else 200)
        if part:
            shown = 7 if fault == "other-part" else begin
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", tag)
        self.end_headers()
        try:
            self._send(content[begin:], fault)
        except OSError:  # the client has gone
            self.close_connection = True

    def _send(self, content: bytes, fault: str) -> None:
        if fault == "drip":
            for i in range(len(content)):
                self.wfile.write(content[i : i + 1])
                if self.publisher.closing.wait(0.1):
                    return
        elif fault in ("stall", "truncate"):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if fault == "stall":
                self.publisher.closing.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
