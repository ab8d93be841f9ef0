"""The client against a real process with a fake engine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from fake_editor import PATIENCE, Editor, engines, until

from dllm_lsp.host.scheduler import MAX_RUNNING
from dllm_lsp.infill.pieces import Draft, Infilled

OpenEditor = Callable[..., Editor]


async def test_a_hole_is_filled_and_every_step_is_a_draft(open_editor: OpenEditor):
    editor = await open_editor().ready()
    drafts: list[Draft] = []
    filled = await editor.infill(before="abc", passes=3, on_draft=drafts.append)
    assert filled is not None
    assert (filled.text, filled.steps, filled.end) == ("ABC", 3, 0.75)
    assert [draft.step for draft in drafts] == [1, 2, 3]
    assert editor.notices == []


async def test_the_status_tells_what_the_engine_announces(open_editor: OpenEditor):
    editor = await open_editor().ready()
    status = editor.statuses[-1]
    assert (status.device, status.precision) == ("auto", "auto")
    assert (status.before, status.after) == (4000, 1000)
    assert await editor.client.wait_ready(0) is status


async def test_nothing_is_filled_before_the_engine_is_ready(open_editor: OpenEditor):
    editor = open_editor()
    assert await editor.infill() is None
    await editor.client.start()
    assert await editor.infill() is None
    assert (await editor.client.wait_ready(20)).state == "ready"
    assert await editor.infill() is not None


async def test_a_document_is_forgotten_when_the_last_editor_is_done_with_it(open_editor: OpenEditor):
    editor, other = await open_editor().ready(), await open_editor().ready()
    for each in (editor, other):
        await each.infill("a.py")
    await editor.infill("b.py")
    editor.client.forget("\ud800")
    editor.client.forget("never seen.py")
    editor.client.forget("a.py")
    editor.client.forget("b.py")
    forgotten = await editor.infill("forgotten")
    assert forgotten is not None
    assert forgotten.text == "b.py"
    await other.client.close()
    async with asyncio.timeout(PATIENCE):
        while (forgotten := await editor.infill("forgotten")) and forgotten.text != "b.py\na.py":
            await asyncio.sleep(0.01)


async def test_clients_that_start_at_once_share_one_engine(open_editor: OpenEditor, folder: Path):
    editors = [open_editor() for _ in range(4)]
    await asyncio.gather(*(editor.ready() for editor in editors))
    assert len({editor.pid for editor in editors}) == 1
    assert len(engines(folder)) == 1
    assert all(await asyncio.gather(*(editor.infill() for editor in editors)))


async def test_other_settings_are_another_engine(open_editor: OpenEditor):
    one, other = await open_editor().ready(), await open_editor(threads=1).ready()
    assert one.pid != other.pid


async def test_a_newer_request_stops_the_older_one_at_its_next_step(open_editor: OpenEditor):
    editor = await open_editor().ready()
    drafts: list[Draft] = []
    older = asyncio.create_task(editor.infill("slow.py", passes=10_000, on_draft=drafts.append))
    await until(lambda: len(drafts) >= 1)
    seen = len(drafts)
    newer = await editor.infill("slow.py", before="newer")
    assert newer is not None
    assert newer.text == "NEWER"
    assert await older is None
    assert len(drafts) <= seen + 2  # one may have been on its way, one is the step at which it stopped


async def test_superseded_requests_that_wait_are_answered(open_editor: OpenEditor):
    editor = await open_editor().ready()
    texts = [asyncio.create_task(editor.infill(before=str(number), passes=20)) for number in range(30)]
    answers = await asyncio.gather(*texts)
    assert answers[:-1] == [None] * 29
    assert answers[-1] is not None
    assert answers[-1].text == "29"


async def test_clients_and_documents_do_not_supersede_each_other(open_editor: OpenEditor):
    one, other = await open_editor().ready(), await open_editor().ready()
    answers = await asyncio.gather(
        one.infill("a.py", before="1"), one.infill("b.py", before="2"), other.infill("a.py", before="3")
    )
    assert [answer.text for answer in answers if answer is not None] == ["1", "2", "3"]


async def test_cancelled_requests_leave_the_engine_free(open_editor: OpenEditor):
    editor = await open_editor().ready()
    asked = await fill_up(editor)
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    assert all(each.cancelled() for each in asked)
    assert await editor.infill("other.py") is not None
    assert editor.notices == []


async def test_a_client_that_leaves_frees_the_engine(open_editor: OpenEditor):
    leaver, stayer = await open_editor().ready(), await open_editor().ready()
    asked = await fill_up(leaver)
    await leaver.client.close()
    assert await asyncio.gather(*asked) == [None] * len(asked)
    assert await stayer.infill() is not None


async def fill_up(editor: Editor) -> list[asyncio.Task[Infilled | None]]:
    """Ask for as much as an engine works on at a time, and more than it can end; return when all of it runs."""
    drafted: set[int] = set()
    asked = [
        asyncio.create_task(
            editor.infill(
                f"{number}.py", passes=10_000, on_draft=lambda _, number=number: drafted.add(number)
            )  # type: ignore[misc]
        )
        for number in range(MAX_RUNNING)
    ]
    await until(lambda: len(drafted) == MAX_RUNNING)
    return asked


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("error.py", "this hole cannot be filled"),
        ("memory.py", "out of memory"),
        ("defect.py", "KeyError: 'surprise'"),
    ],
)
async def test_an_engine_error_is_told_once_and_the_engine_serves_on(
    open_editor: OpenEditor, document: str, words: str
):
    editor = await open_editor().ready()
    first = editor.pid
    assert [await editor.infill(document) for _ in range(3)] == [None] * 3
    assert await editor.infill() is not None
    assert editor.pid == first
    assert len(editor.notices) == 1
    assert words in editor.notices[0]


@pytest.mark.parametrize("before", ["\ud800", "x" * (17 * 1024 * 1024)], ids=["no Unicode", "too long"])
async def test_text_that_cannot_be_sent_is_not_filled(open_editor: OpenEditor, before: str):
    editor = await open_editor().ready()
    assert await editor.infill(before=before) is None
    assert await editor.infill() is not None


async def test_a_killed_engine_is_started_again_and_the_user_told_once(open_editor: OpenEditor):
    editor = await open_editor().ready()
    first = editor.pid
    drafts: list[Draft] = []
    request = asyncio.create_task(editor.infill(passes=10_000, on_draft=drafts.append))
    await until(lambda: len(drafts) >= 1)
    os.kill(first, signal.SIGKILL)
    assert await request is None
    await until(lambda: editor.client.status.state == "ready")
    assert editor.pid != first
    assert await editor.infill() is not None
    assert len(editor.notices) == 1
    assert "started again" in editor.notices[0]


async def test_clients_of_a_killed_engine_share_the_next_one(open_editor: OpenEditor, folder: Path):
    editors = [await open_editor().ready() for _ in range(3)]
    first = editors[0].pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: all(each.client.status.state == "ready" and each.pid != first for each in editors))
    assert len({editor.pid for editor in editors}) == 1
    assert len(engines(folder)) == 1


@pytest.mark.parametrize("how", ["hangs in a step", "is stopped"])
async def test_a_silent_engine_is_ended(open_editor: OpenEditor, how: str):
    editor = await open_editor(silence=0.6).ready()
    first = editor.pid
    if how == "is stopped":
        os.kill(first, signal.SIGSTOP)
    assert await editor.infill("hang.py" if how == "hangs in a step" else "a.py") is None
    await until(lambda: editor.client.status.state == "ready")
    assert editor.pid != first
    assert await editor.infill() is not None
    assert not psutil.pid_exists(first)


async def test_an_engine_that_is_busy_for_long_is_not_ended(open_editor: OpenEditor):
    editor = await open_editor(silence=0.2).ready()
    answer = await editor.infill(passes=30)  # 0.6 seconds without a word but pongs
    assert answer is not None
    assert editor.notices == []


async def test_a_model_that_cannot_be_loaded_is_told_once_and_not_tried_again(open_editor: OpenEditor):
    editor = open_editor(model="/broken")
    await editor.client.start()
    status = await editor.client.wait_ready(20)
    assert status.state == "failed"
    assert status.detail == "/broken holds no weights"
    assert editor.notices == ["/broken holds no weights"]
    assert [status.state for status in editor.statuses].count("failed") == 1
    assert await editor.infill() is None


async def test_how_far_loading_is_reaches_every_client(open_editor: OpenEditor):
    editor = await open_editor(model="/downloaded").ready()
    assert editor.client.status.state == "ready"
    told = [status.detail for status in editor.statuses if status.state == "loading"]
    assert told[-1] == "2 of 2"
    await editor.infill(passes=20)  # 0.4 seconds, in which a last word on loading comes too late
    assert (editor.client.status.state, editor.client.status.detail) == ("ready", "")


async def test_a_restart_tries_a_model_again(open_editor: OpenEditor):
    editor = open_editor(model="/broken")
    await editor.client.start()
    await until(lambda: len(editor.notices) == 1)
    await editor.client.restart()
    assert editor.client.status.state == "starting"
    assert (await editor.client.wait_ready(20)).state == "failed"
    await until(lambda: len(editor.notices) == 2)


async def test_a_model_that_is_no_path_is_told(open_editor: OpenEditor):
    editor = open_editor(model="a\0b")
    await editor.client.start()
    assert (await editor.client.wait_ready(20)).state == "failed"
    assert "no path" in editor.notices[0]


async def test_an_engine_that_dies_while_loading_is_tried_again_and_told_once(open_editor: OpenEditor):
    editor = open_editor(model="/deadly")
    await editor.client.start()
    await until(lambda: [status.state for status in editor.statuses].count("loading") >= 2)
    assert len(editor.notices) == 1


async def test_a_process_that_cannot_start_is_told_with_its_last_words(open_editor: OpenEditor):
    editor = open_editor(model="/unstartable")
    await editor.client.start()
    status = await editor.client.wait_ready(20)
    assert status.state == "failed"
    assert "no such interpreter" in status.detail
    assert editor.notices == [status.detail]


async def test_restart_gives_every_client_a_new_engine(open_editor: OpenEditor):
    one, other = await open_editor().ready(), await open_editor().ready()
    first = one.pid
    await one.client.restart()
    await until(
        lambda: all(each.client.status.state == "ready" and each.pid != first for each in (one, other))
    )
    assert one.pid == other.pid
    assert one.notices == []


async def test_the_engine_lingers_and_then_ends(open_editor: OpenEditor, folder: Path):
    editor = await open_editor(linger=1).ready()
    first = editor.pid
    await editor.client.close()
    again = await open_editor(linger=1).ready()
    assert again.pid == first
    await again.client.close()
    await until(lambda: not engines(folder))
    assert not list(folder.rglob("*.sock"))


async def test_closing_twice_and_before_start_is_harmless(open_editor: OpenEditor):
    editor = open_editor()
    await editor.client.close()
    await editor.client.start()
    await editor.client.close()
    await editor.client.close()
    assert await editor.infill() is None
