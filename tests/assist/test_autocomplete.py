from collections.abc import Callable

import pytest
from msgspec import structs
from msgspec.structs import replace

from dllm_lsp.assist.autocomplete import Autocomplete
from dllm_lsp.context.window import hole_at
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece
from dllm_lsp.settings import Lines, SuggestSettings
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.wire.messages import Status

READY = Status(state="ready", before=12, after=8)


class Engine:
    """Answers every hole with `text`, or with nothing when `text` is None."""

    def __init__(self, text: str | None = "compute(1)", probability: float = 1.0) -> None:
        self.status = READY
        self.text = text
        self.probability = probability
        self.asked: list[tuple[Hole, Limits]] = []
        self.ahead: list[Hole] = []
        self.steps = 1

    async def infill(
        self,
        document: str,
        method: str,
        hole: Hole,
        limits: Limits,
        on_draft: Callable[[Draft], None] | None = None,
    ) -> Infilled | None:
        self.asked.append((hole, limits))
        if self.text is None:
            return None
        pieces = (Piece(self.text, self.probability),)
        if on_draft:
            on_draft(Draft(1, pieces))
        return Infilled(pieces=pieces, end=1.0, steps=self.steps, passes=2, encoded=3, milliseconds=4.0)

    def read_ahead(self, document: str, hole: Hole) -> None:
        self.ahead.append(hole)


def snapshot(before: str = "value = ", after: str = "\n", uri: str = "file:///work/app.py") -> Snapshot:
    lines = (before + after).splitlines(keepends=True)
    line = before.count("\n")
    return Snapshot(uri, 1, "python", tuple(lines), line, len(before.rsplit("\n", maxsplit=1)[-1]))


async def test_the_engine_gets_the_context_it_announced_and_what_the_user_grants() -> None:
    engine = Engine()
    autocomplete = Autocomplete(engine, SuggestSettings(milliseconds=50, effort="high"))
    place = snapshot("import os\nvalue = ", "\nprint(value)\n")
    suggestion = await autocomplete.suggest(place)
    assert suggestion is not None
    assert suggestion.text == "compute(1)"
    [(hole, limits)] = engine.asked
    assert hole == hole_at(place, before=12, after=8)
    assert (limits.milliseconds, limits.effort) == (50, "high")


async def test_the_rest_of_a_word_that_the_cursor_cuts_is_written_too() -> None:
    engine = Engine("one")
    assert (
        await Autocomplete(engine, SuggestSettings()).suggest(snapshot("if x is N", "one:\n    f()\n"))
        is None
    )
    [(hole, _)] = engine.asked
    assert (hole.before, hole.after) == ("if x is N", ":\n")


async def test_where_the_user_says_nothing_a_model_has_the_time_that_it_needs() -> None:
    engine = Engine()
    engine.status = replace(READY, milliseconds=321.0)
    await Autocomplete(engine, SuggestSettings()).suggest(snapshot())
    [(_, limits)] = engine.asked
    assert limits.milliseconds == 321.0


async def test_the_engine_knows_what_would_be_shown() -> None:
    engine = Engine()
    await Autocomplete(engine, SuggestSettings(confidence=0.4)).suggest(snapshot())
    [(_, limits)] = engine.asked
    assert (limits.extent, limits.tokens, limits.confidence) == ("line", 32, 0.4)


@pytest.mark.parametrize("lines", ["auto", "many"])
async def test_several_lines_have_room_and_are_typed_through(lines: Lines) -> None:
    engine = Engine(text="\n    if left:\n        return right\n")
    autocomplete = Autocomplete(engine, SuggestSettings(lines=lines))
    head = "def add(left, right):"
    suggestion = await autocomplete.suggest(snapshot(head))
    assert suggestion is not None
    assert suggestion.text == "\n    if left:\n        return right"
    rest = await autocomplete.suggest(snapshot(f"{head}\n    if left:\n        "))
    assert rest is not None
    assert rest.text == "return right"
    [(_, limits)] = engine.asked
    assert (limits.extent, limits.tokens) == ("block", 64)


async def test_the_engine_gets_as_many_snippets_as_its_model_reads() -> None:
    engine = Engine()
    engine.status = structs.replace(READY, snippets=2)
    asked: list[tuple[Snapshot, Hole, int]] = []

    def related(*place: object) -> tuple[str, ...]:
        asked.append(place)  # type: ignore[arg-type]
        return ("one\n", "two\n")

    here = snapshot("import os\nvalue = ", "\nprint(value)\n")
    assert await Autocomplete(engine, SuggestSettings(), related).suggest(here) is not None
    [(hole, _)] = engine.asked
    assert hole.snippets == ("one\n", "two\n")
    assert asked == [(here, structs.replace(hole, snippets=()), 2)]


@pytest.mark.parametrize(("snippets", "count"), [(False, 3), (True, 0)])
async def test_nothing_is_looked_for_that_nobody_wants_to_read(snippets: bool, count: int) -> None:
    engine = Engine()
    engine.status = structs.replace(READY, snippets=count)
    settings = SuggestSettings(snippets=snippets)
    autocomplete = Autocomplete(engine, settings, lambda *_: pytest.fail("it was looked for"))
    assert await autocomplete.suggest(snapshot()) is not None
    assert engine.asked[0][0].snippets == ()


async def test_drafts_are_heard() -> None:
    drafts: list[Draft] = []
    await Autocomplete(Engine(), SuggestSettings()).suggest(snapshot(), drafts.append)
    assert [draft.step for draft in drafts] == [1]


async def test_the_same_place_is_asked_once_even_if_nothing_was_good_enough() -> None:
    engine = Engine(probability=0.1)
    autocomplete = Autocomplete(engine, SuggestSettings(confidence=0.5))
    assert await autocomplete.suggest(snapshot()) is None
    assert await autocomplete.suggest(snapshot()) is None
    assert len(engine.asked) == 1


async def test_a_place_that_got_no_answer_is_asked_again() -> None:
    engine = Engine(text=None)
    autocomplete = Autocomplete(engine, SuggestSettings())
    assert await autocomplete.suggest(snapshot()) is None
    engine.text = "compute(1)"
    assert await autocomplete.suggest(snapshot()) is not None


async def test_a_known_place_needs_no_engine() -> None:
    engine = Engine()
    autocomplete = Autocomplete(engine, SuggestSettings())
    await autocomplete.suggest(snapshot())
    engine.status = Status(state="starting")
    rest = await autocomplete.suggest(snapshot("value = comp"))
    assert rest is not None
    assert rest.text == "ute(1)"


@pytest.mark.parametrize("state", ["starting", "loading", "failed"])
async def test_an_engine_that_is_not_ready_is_not_asked(state: str) -> None:
    engine = Engine()
    engine.status = Status(state=state)
    assert await Autocomplete(engine, SuggestSettings()).suggest(snapshot()) is None
    assert engine.asked == []


async def test_where_there_was_no_time_to_write_the_engine_is_asked_again() -> None:
    engine = Engine("")
    engine.steps = 0
    autocomplete = Autocomplete(engine, SuggestSettings())
    assert await autocomplete.suggest(snapshot()) is None
    engine.steps, engine.text = 1, "compute(1)"
    assert await autocomplete.suggest(snapshot()) is not None
    assert len(engine.asked) == 2


async def test_what_is_read_ahead_is_what_a_request_would_be_for() -> None:
    engine = Engine()
    autocomplete = Autocomplete(engine, SuggestSettings(), lambda *_: ("related",))
    engine.status = replace(READY, snippets=1)
    place = snapshot("if x is N", "one:\n\tf()\n")
    autocomplete.read_ahead(place)
    await autocomplete.suggest(place)
    assert engine.ahead == [engine.asked[0][0]]
    assert engine.ahead[0].snippets == ("related",)


async def test_of_an_opened_document_the_first_lines_are_read() -> None:
    engine = Engine()
    Autocomplete(engine, SuggestSettings()).read_opened(snapshot("", "one()\ntwo()\nthree()\n"))
    assert [hole.before for hole in engine.ahead] == ["one()\ntwo()\n"]


async def test_an_engine_that_is_not_ready_reads_nothing() -> None:
    engine = Engine()
    engine.status = Status(state="loading")
    Autocomplete(engine, SuggestSettings()).read_ahead(snapshot())
    assert engine.ahead == []
