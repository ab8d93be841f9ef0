"""A hub on this machine, as far as downloading a repository asks for one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(NamedTuple):
    """Where it listens, and every path that it was asked for."""

    address: str
    asked: list[str]


@contextmanager
def serving(repository: str, folder: Path) -> Iterator[Hub]:
    """Serve the files of a folder as those of a repository, and no other."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            path = self.path.split("?")[0]
            asked.append(path)
            body, name = self.found(path), path.rsplit("/", 1)[1]
            self.send_response(200 if body is not None else 404)
            self.send_header("ETag", f'"{hashlib.sha1(name.encode()).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if body is None:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if with_body and body:
                self.wfile.write(body)

        def found(self, path: str) -> bytes | None:
            names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
            if path == f"/api/models/{repository}/revision/main":
                files = [{"rfilename": name} for name in names]
                return json.dumps({"id": repository, "sha": COMMIT, "siblings": files}).encode()
            if path == f"/api/models/{repository}/tree/{COMMIT}":
                sizes = {name: (folder / name).stat().st_size for name in names}
                return json.dumps(
                    [{"type": "file", "path": n, "size": s, "oid": n} for n, s in sizes.items()]
                ).encode()
            prefix = f"/{repository}/resolve/{COMMIT}/"
            if path.startswith(prefix) and path.removeprefix(prefix) in names:
                return (folder / path.removeprefix(prefix)).read_bytes()
            return None

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
