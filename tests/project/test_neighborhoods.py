"""When is looked around, with a clock and a runner that do as they are told."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from trees import at_end, write

from dllm_lsp.project.background import at_once, in_background
from dllm_lsp.project.neighborhood import Neighborhood
from dllm_lsp.project.neighborhoods import FRESH_SECONDS, KEPT, Neighborhoods, Work
from dllm_lsp.project.opened import Opened

HELPER = "def discount(voucher): ...\n"
TEXT = "import helper\n\ntotal = discount"


class Runner:
    """Looks when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Work, Future[Neighborhood]]] = []
        self.count = 0

    def __call__(self, work: Work) -> Future[Neighborhood]:
        future: Future[Neighborhood] = Future()
        self.waiting.append((work, future))
        self.count += 1
        return future

    def run(self) -> None:
        [(work, future)] = self.waiting
        self.waiting.clear()
        future.set_result(work())


class Sight:
    """Neighborhoods of a folder with a helper, and what they are made with."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.runner = root, 100.0, Runner()
        self.neighborhoods = Neighborhoods(lambda: Opened([root.as_uri()], {}), self.runner, lambda: self.now)

    def related(self, name: str = "app.py", text: str = TEXT) -> tuple[str, ...]:
        return self.neighborhoods.related(*at_end(self.root / name, text), 1)


@pytest.fixture
def sight(tmp_path: Path) -> Sight:
    write(tmp_path, {"helper.py": HELPER})
    return Sight(tmp_path)


def test_there_are_no_snippets_before_the_first_look_has_ended(sight: Sight) -> None:
    assert sight.related() == ()
    assert sight.related() == ()
    sight.runner.run()
    assert sight.related() == (HELPER,)
    assert sight.runner.count == 1


def test_a_look_is_good_for_a_while(sight: Sight) -> None:
    sight.related()
    sight.runner.run()
    write(sight.root, {"helper.py": "def discount(other): ...\n"})
    sight.now += FRESH_SECONDS
    assert sight.related() == (HELPER,)
    sight.now += 1
    assert sight.related() == (HELPER,), "the older look counts until the newer one has ended"
    sight.runner.run()
    assert sight.related() == ("def discount(other): ...\n",)
    assert sight.related() == ("def discount(other): ...\n",)
    assert sight.runner.count == 2


@pytest.mark.parametrize("change", [lambda n, uri: n.outdate(), lambda n, uri: n.forget(uri)])
def test_a_file_that_was_saved_or_opened_again_is_looked_at(
    sight: Sight, change: Callable[[Neighborhoods, str], None]
) -> None:
    sight.related()
    sight.runner.run()
    sight.related()
    change(sight.neighborhoods, (sight.root / "app.py").as_uri())
    sight.related()
    assert sight.runner.count == 2


def test_files_that_change_during_a_look_are_looked_at_again(sight: Sight) -> None:
    sight.related()
    sight.neighborhoods.outdate()
    sight.runner.run()
    assert sight.related() == (HELPER,)
    sight.related()
    assert sight.runner.count == 2


def test_one_document_is_looked_at_at_a_time(sight: Sight) -> None:
    sight.related("one.py")
    sight.related("two.py")
    assert len(sight.runner.waiting) == 1
    sight.runner.run()
    assert sight.related("one.py") == (HELPER,)
    assert sight.related("two.py") == ()
    sight.runner.run()
    assert sight.related("two.py") == (HELPER,)


def test_the_documents_used_last_are_kept(sight: Sight) -> None:
    names = [f"{number}.py" for number in range(KEPT + 1)]
    for name in names[:-1]:
        sight.related(name)
        sight.runner.run()
        assert sight.related(name)
    assert sight.related(names[0])
    sight.related(names[-1])
    sight.runner.run()
    assert [bool(sight.related(name)) for name in (names[-1], names[0], names[1])] == [True, True, False]
    assert sight.runner.count == KEPT + 2


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "vscode-remote://host/app.py", "file://["])
def test_what_is_no_file_is_not_looked_around(sight: Sight, uri: str) -> None:
    snapshot, hole = at_end(sight.root / "app.py", TEXT)
    snapshot = type(snapshot)(uri, 1, "python", snapshot.lines, snapshot.line, snapshot.column)
    assert sight.neighborhoods.related(snapshot, hole, 1) == ()
    assert sight.runner.count == 0


def test_a_huge_document_is_not_looked_around(sight: Sight) -> None:
    assert sight.related(text=TEXT + " " * 300_000) == ()
    assert sight.runner.count == 0


def test_a_defect_is_told_once(sight: Sight) -> None:
    sight.related()
    [(_, future)] = sight.runner.waiting
    sight.runner.waiting.clear()
    future.set_exception(KeyError("surprise"))
    with pytest.raises(KeyError, match="surprise"):
        sight.related()
    assert sight.related() == ()


def test_work_at_once_is_done_here_and_in_the_background_elsewhere() -> None:
    nothing = Neighborhood("", None)
    threads: list[threading.Thread] = []

    def work() -> Neighborhood:
        threads.append(threading.current_thread())
        return nothing

    assert at_once(work).done()
    assert in_background(work).result(10) is nothing
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()
    assert threads[1].daemon, "a look that hangs must not keep the server from ending"


@pytest.mark.parametrize("run", [at_once, in_background])
def test_a_defect_reaches_whoever_takes_the_result(run: Callable[[Work], Future[Neighborhood]]) -> None:
    def work() -> Neighborhood:
        raise KeyError("surprise")

    with pytest.raises(KeyError, match="surprise"):
        run(work).result(10)
