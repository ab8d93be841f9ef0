from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest
from marked import CURSOR, snapshot_of

from dllm_lsp.assist.permission import Permission, unserved
from dllm_lsp.settings import Settings, SuggestSettings

HERE = snapshot_of(f"value = {CURSOR}\n")


def found(reason: str | None) -> Future[str | None]:
    future: Future[str | None] = Future()
    future.set_result(reason)
    return future


async def test_what_the_file_is_counts_and_so_do_settings_and_text() -> None:
    assert await Permission(Settings(), lambda uri: found(None)).refusal(HERE, ()) is None
    assert await Permission(Settings(), lambda uri: found(f"{uri} is no")).refusal(HERE, ()) == (
        "file:///work/app.py is no"
    )
    off = Permission(Settings(suggest=SuggestSettings(enabled=False)), lambda uri: found(None))
    assert await off.refusal(HERE, ()) == "suggest.enabled is off"
    binary = snapshot_of(f"\0{CURSOR}")
    assert "binary" in (await Permission(Settings(), lambda uri: found(None)).refusal(binary, ()) or "")


async def test_a_look_outlives_a_request_that_is_cancelled() -> None:
    look: Future[str | None] = Future()
    permission = Permission(Settings(), lambda uri: look)
    first = asyncio.create_task(permission.refusal(HERE, ()))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(permission.refusal(HERE, ()))
    await asyncio.sleep(0)
    look.set_result("it is secret")
    assert await second == "it is secret"


def here(marked: str, settings: Settings, *, is_invoked: bool = False) -> str:
    place = snapshot_of(marked)
    return Permission(settings, lambda uri: found(None)).refusal_here(place, is_invoked=is_invoked) or ""


def test_only_requests_of_a_person_are_answered_if_the_user_says_so() -> None:
    settings = Settings(suggest=SuggestSettings(automatic=False))
    assert "suggest.automatic is off" in here(f"a = {CURSOR}", settings)
    assert here(f"a = {CURSOR}", settings, is_invoked=True) == ""


def test_comments_and_strings_are_left_alone_if_the_user_says_so() -> None:
    settings = Settings(suggest=SuggestSettings(comments=False))
    assert "suggest.comments is off" in here(f"# a{CURSOR}", settings)
    assert here(f"a = 'b{CURSOR}'", settings) == here(f"a = {CURSOR}", settings) == ""
    settings = Settings(languages={"python": {"strings": False}})
    assert "suggest.strings is off for python" in here(f"a = 'b{CURSOR}'", settings)
    assert here(f"# a{CURSOR}", settings) == ""


async def test_a_language_may_be_off() -> None:
    permission = Permission(Settings(languages={"go": {"enabled": False}}), lambda uri: found(None))
    assert await permission.refusal(HERE, ()) is None
    assert await permission.refusal(snapshot_of(CURSOR, language="go"), ()) == "suggest.enabled is off for go"


@pytest.mark.parametrize(
    ("language", "trained", "switched", "is_served"),
    [
        ("python", (), {}, True),
        ("go", (), {}, True),
        ("python", ("python",), {}, True),
        ("go", ("python",), {}, False),
        ("go", ("python",), {"go": {"enabled": True}}, True),
        ("go", ("python",), {"go": {"confidence": 0.5}}, False),
        ("typescriptreact", ("typescript",), {}, True),
        ("klingon", ("python",), {}, False),
        ("klingon", ("python",), {"klingon": {"enabled": True}}, True),
    ],
)
def test_a_model_serves_its_languages_and_those_that_are_switched_on(
    language: str, trained: tuple[str, ...], switched: dict[str, dict[str, object]], is_served: bool
) -> None:
    reason = unserved(language, trained, Settings(languages=switched))
    assert (reason is None) == is_served
    assert reason is None or f"languages.{language}.enabled" in reason
