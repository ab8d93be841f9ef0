import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dllm_lsp.evaluation import sandbox
from dllm_lsp.evaluation.sandbox import passes

FORK = "import ctypes, os, time\nif ctypes.CDLL(None).fork() == 0:\n    "


@pytest.fixture(params=[True, False], ids=["namespaces", "plain"])
def namespaces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways of confining a program; the first is not allowed everywhere."""
    if request.param and not sandbox._namespaces():
        pytest.skip("this system allows no namespaces")
    if not request.param:
        monkeypatch.setattr(sandbox, "_namespaces", lambda: ())
    return request.param


@pytest.mark.usefixtures("namespaces")
def test_parts_run_in_one_namespace_one_after_the_other() -> None:
    assert passes(["def f():\n    return 2\n", "def check(f):\n    assert f() == 2\n", "check(f)"])


@pytest.mark.parametrize(
    "program",
    [
        "raise ValueError",
        "def f(:",
        "\0",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "quit()",
        "import os; os.abort()",
        "import os; os.close(1); os.closerange(0, 100)",
        "x = 'a' * (2 << 30)",
        "open('large', 'w').write('a' * (2 << 20))",
        "input()",
        "def f(n): return f(n)\nf(1)",
    ],
)
def test_a_program_that_does_not_come_to_its_end_has_not_passed(program: str) -> None:
    assert not passes([program, "pass"])


def test_a_part_cannot_swallow_the_next() -> None:
    assert not passes(['"""', '"""'])
    assert not passes(["if False:", "    assert False"])


@pytest.mark.timeout(20)
@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    "program", ["while True: pass", "import time; time.sleep(60)", f"{FORK}time.sleep(60)\ntime.sleep(60)"]
)
def test_a_program_that_hangs_is_stopped(program: str) -> None:
    assert not passes([program], seconds=0.5)


class Pipe:
    """A named pipe that tells whether a program that has begun is still there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pipe"
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.source = f"pipe = open({str(self.path)!r}, 'w')\nprint('begun', file=pipe, flush=True)\n"
        """Opens the pipe and writes a line into it."""

    def read_line(self) -> bytes:
        """Wait until a program has written its line."""
        while not (line := self._read()):
            time.sleep(0.01)
        return line

    def read_to_end(self) -> None:
        """Wait until no process has the pipe open."""
        while self._read() != b"":
            time.sleep(0.01)

    def _read(self) -> bytes | None:
        """Return what is there: nothing at the end of the pipe, None where a process may write yet."""
        try:
            return os.read(self._end, 100)
        except BlockingIOError:
            return None

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path)
    yield pipe
    pipe.close()


@pytest.mark.timeout(20)
@pytest.mark.usefixtures("namespaces")
def test_what_a_program_started_ends_with_it(pipe: Pipe) -> None:
    assert passes([f"{pipe.source}{FORK}time.sleep(60)"])
    assert pipe.read_line() == b"begun\n"
    pipe.read_to_end()


def test_a_program_that_floods_its_output_is_not_stopped_by_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert passes(["import sys\nprint('a' * 10_000_000)\nprint('b' * 10_000_000, file=sys.stderr)"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("namespaces")
def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=2)"
        assert not passes([connect])
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "program",
    ["import os; os.fork()", "import subprocess; subprocess.run(['true'])", "import os; os.system('true')"],
)
def test_a_program_starts_no_other(program: str) -> None:
    assert not passes([program])


def test_a_program_runs_in_an_empty_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    place = tmp_path / "place"
    program = (
        f"import os\nassert os.listdir() == []\nopen('x', 'w')\nopen({str(place)!r}, 'w').write(os.getcwd())"
    )
    assert passes([program])
    assert place.read_text() != os.getcwd()
    assert not Path(place.read_text()).exists()


def test_sets_are_ordered_alike_in_every_run() -> None:
    assert passes(["import sys\nassert not sys.flags.hash_randomization"])


@pytest.mark.timeout(20)
def test_an_interrupted_evaluation_leaves_no_program_behind(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    def interrupt(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        monkeypatch.undo()
        assert pipe.read_line() == b"begun\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        passes([f"{pipe.source}import time; time.sleep(60)"])
    pipe.read_to_end()
