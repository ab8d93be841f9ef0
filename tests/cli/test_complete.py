"""`dllm-lsp complete`: with the bundled weights in a real process, and its output with an engine that is known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec import structs

from dllm_lsp.cli import complete, main
from dllm_lsp.client.tuned import Choice
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SOURCE = "def double(number):\n    return \n"
FIELDS = {"text", "confidence", "tokens", "steps", "passes", "milliseconds"}
SHOW_ALL = ("--set", "suggest.confidence=0", "--set", "suggest.milliseconds=10000")


class KnownEngine:
    """Stands in for the client of the engine's process."""

    status = Status(state="ready", before=1000, after=1000)
    notices: tuple[str, ...] = ()
    holes: ClassVar[list[Hole]] = []
    limits: ClassVar[list[Limits]] = []
    adapters: ClassVar[list[str | None]] = []
    remarks: tuple[str, ...] = ()
    written = ("number", " * ", "2")

    def __init__(
        self,
        settings: Settings,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        adapter: str | None,
    ) -> None:
        self._on_notice = on_notice
        self.adapters.append(adapter)

    async def start(self) -> None:
        for notice in self.notices:
            self._on_notice(notice)

    async def wait_ready(self, timeout: float) -> Status:
        return self.status

    async def close(self) -> None:
        pass

    async def infill(
        self, document: str, method: str, hole: Hole, limits: Limits, on_draft: Callable[[Draft], None]
    ) -> Infilled | None:
        if self.notices:
            return None
        for remark in self.remarks:
            self._on_notice(remark)
        first, *others = self.written
        masked = (Piece(first, 0.5), *(Piece(None, 0.25) for _ in others))
        self.holes.append(hole)
        self.limits.append(limits)
        on_draft(Draft(1, masked))
        pieces = (Piece(first, 0.5), *(Piece(text, 1.0) for text in others))
        on_draft(Draft(2, pieces))
        return Infilled(pieces=pieces, end=0.75, steps=2, passes=4, encoded=9, milliseconds=12.5)


@pytest.fixture
def place(tmp_path: Path) -> str:
    file = tmp_path / "double.py"
    file.write_text(SOURCE)
    return f"{file}:2:12"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> type[KnownEngine]:
    engine = type("Engine", (KnownEngine,), {"holes": [], "limits": [], "adapters": []})
    monkeypatch.setattr("dllm_lsp.cli.complete.engine_for", engine)
    return engine


def test_the_bundled_model_answers(run: Run, place: str) -> None:
    done = run("complete", place, "--json", *SHOW_ALL)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures.keys() == FIELDS
    if figures["text"] is None:
        assert set(figures.values()) == {None}
        return
    assert 0 <= figures["confidence"] <= 1
    assert 1 <= figures["steps"] <= figures["passes"]
    assert figures["milliseconds"] > 0


def test_a_place_has_one_answer_since_nothing_hurries(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", place]) == 0
    assert main(["complete", place, "--set", "suggest.milliseconds=50"]) == 0
    assert [limits.milliseconds for limits in known.limits] == [complete.LEISURE_MILLISECONDS, 50]


def test_a_language_that_is_not_served_is_named(
    known: type[KnownEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "README.md").write_text("# A\n")
    monkeypatch.setattr(known, "status", structs.replace(known.status, languages=("python",)))
    assert main(["complete", f"{tmp_path}/README.md:1:4"]) == 0
    assert "nothing to suggest here: the model serves python; " in capsys.readouterr().err
    switched_on = ["--set", "languages.plaintext.enabled=true"]
    assert main(["complete", f"{tmp_path}/README.md:1:4", *switched_on]) == 0
    assert capsys.readouterr().out


def test_what_the_bundled_model_is_asked_again_it_answers_again(run: Run, place: str) -> None:
    first, second = run("complete", place, *SHOW_ALL), run("complete", place, *SHOW_ALL)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert bool(first.stdout) != ("nothing to suggest here" in first.stderr)


def test_a_trace_of_the_bundled_model_counts_its_steps(run: Run, place: str) -> None:
    done = run("complete", place, "--trace", *SHOW_ALL)
    assert done.returncode == 0, done.stderr
    steps = [line.split() for line in done.stdout.splitlines() if line[:3].strip().isdecimal()]
    assert [int(step[0]) for step in steps] == list(range(1, len(steps) + 1))
    assert {step[1] for step in steps} == {"return"}


def test_an_empty_file_is_answered(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.py").touch()
    done = run("complete", "empty.py:1:1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("double.py:3:1", None),
        ("double.py:4:1", "has 3 lines"),
        ("double.py:2:13", "the last column is 12"),
        (".:1:1", "is not a file"),
        ("missing.py:1:1", "No such file"),
        ("latin.py:1:1", "not UTF-8"),
    ],
)
def test_a_place_that_is_none_is_a_failure(
    place: str,
    message: str | None,
    known: type[KnownEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("double.py").write_text(SOURCE)
    Path("latin.py").write_bytes(b"\xe9")
    assert main(["complete", place]) == (1 if message else 0)
    said = capsys.readouterr()
    if message:
        assert said.out == ""
        assert said.err.startswith("dllm-lsp: ")
        assert message in said.err


def test_the_adapter_of_the_repository_around_the_file_is_asked_for(
    place: str, known: type[KnownEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(settings: Settings, folder: Path, *_: object) -> Choice:
        return Choice(settings, adapter=folder.name)

    monkeypatch.setattr("dllm_lsp.cli.complete.choose", choose)
    assert main(["complete", place]) == 0
    assert known.adapters == [Path(place).parent.name]


def test_what_is_to_be_said_of_an_answer_stands_beside_it(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    known.remarks = ("the adapter is gone",)
    assert main(["complete", place]) == 0
    assert tuple(capsys.readouterr()) == ("number * 2\n", "dllm-lsp: the adapter is gone\n")


def test_the_text_is_all_that_is_printed(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", place]) == 0
    assert tuple(capsys.readouterr()) == ("number * 2\n", "")


@pytest.mark.parametrize("folder", [".", "shop", "elsewhere"])
def test_related_code_of_the_project_is_waited_for(
    folder: str, known: type[KnownEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shop", "lib", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "shop/app.py").write_text("from lib.price import double\nfrom local import double\ndouble")
    (tmp_path / "shop/local.py").write_text("def double(local): ...\n")
    (tmp_path / "lib/price.py").write_text("def double(imported): ...\n")
    known.status = structs.replace(known.status, snippets=3)
    monkeypatch.chdir(tmp_path / folder)
    assert main(["complete", f"{tmp_path}/shop/app.py:3:7"]) == 0
    [hole] = known.holes
    found = {"def double(local): ...\n", "def double(imported): ...\n"}
    assert set(hole.snippets) == (found if folder == "." else {"def double(local): ...\n"})


def test_the_figures_as_json(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "text": "number * 2",
        "confidence": 0.375,
        "tokens": 3,
        "steps": 2,
        "passes": 4,
        "milliseconds": 12.5,
    }


def test_the_trace_shows_every_step_and_the_result(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", place, "--trace"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "    def double(number):",
        "  1     return number░░",
        "  2     return number * 2",
        " =      return number * 2",
        "",
        "",
        "tokens: 3, denoising steps: 2, milliseconds: 12, confidence: 0.38",
    ]


def test_several_lines_are_printed_and_traced(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    known.written = ("number", " * 2", "\n    # twice", "\n\n\n", "print(double(1))", "\n")
    whole = ("--set", "suggest.lines=many")
    assert main(["complete", place, *whole]) == 0
    assert capsys.readouterr().out == "number * 2\n    # twice\n"
    assert main(["complete", place, "--trace", *whole]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == [
        "    def double(number):",
        "  1     return number░░░░░",
        "  2     return number * 2⏎    # twice⏎⏎⏎print(double(1))⏎",
        " =      return number * 2",
        "        # twice",
    ]


def test_what_is_not_sure_enough_is_nothing_and_no_failure(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", place, "--set", "suggest.confidence=0.4"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "nothing to suggest here" in said.err


@pytest.mark.parametrize("name", [".env", "id_rsa", "binary.py"])
def test_what_must_not_be_completed_is_not_sent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr("dllm_lsp.cli.complete.engine_for")
    (tmp_path / name).write_text("key = \0\n")
    assert main(["complete", f"{tmp_path / name}:1:7", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == dict.fromkeys(FIELDS)
    assert f"nothing to suggest here: {name}" in said.err


def test_an_engine_that_cannot_be_used_is_a_failure(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    known.status = Status(state="failed", detail="no weights")
    assert main(["complete", place]) == 1
    assert tuple(capsys.readouterr()) == ("", "dllm-lsp: the engine cannot be used: no weights\n")


def test_an_engine_that_fails_while_it_works_is_a_failure(
    place: str, known: type[KnownEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    known.notices = ("The engine ran out of memory.",)
    assert main(["complete", place, "--json"]) == 1
    assert tuple(capsys.readouterr()) == ("", "dllm-lsp: The engine ran out of memory.\n")


def test_a_model_that_is_not_there_is_a_failure(run: Run, place: str) -> None:
    done = run("complete", place, "--model", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no folder" in done.stderr


def test_the_readmes_example_is_a_place() -> None:
    root = Path(__file__).parents[2]
    command = (root / "README.md").read_text().partition("dllm-lsp complete ")[2].split()
    location = complete.Location.parse(command[0])
    assert (root / location.file).is_file()
