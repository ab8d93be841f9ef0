"""How much somebody has to type with the server as an editor starts it, and what they see meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from msgspec import to_builtins
from tqdm import tqdm

from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.editor import Editor
from dllm_lsp.evaluation.language_server import COMMAND, LanguageServer
from dllm_lsp.evaluation.report import setting
from dllm_lsp.evaluation.tables import table
from dllm_lsp.evaluation.typist import Typed, type_out
from dllm_lsp.settings import Settings
from dllm_lsp.text.document import Position

_ROWS = (
    ("texts typed", "texts", "{:,}"),
    ("their keys", "keys", "{:,}"),
    ("keys saved", "saved", "{:.1%}"),
    ("keys behind which something is visible", "visible", "{:.1%}"),
    ("suggestions", "suggestions", "{:,}"),
    ("exactly right of these", "right", "{:.1%}"),
    ("wrong ones in 100 keys", "wrong", "{:.1f}"),
    ("flicker in 100 keys", "flicker", "{:.2f}"),
    ("ms from key to answer, p50", "milliseconds_p50", "{:.1f}"),
    ("ms from key to answer, p95", "milliseconds_p95", "{:.1f}"),
)


@dataclass(frozen=True, slots=True)
class TypingFigures:
    """Figures of texts that were typed; shares are 0 to 1.

    `saved` is 1 - the keys pressed / the keys of the texts. `visible`, `wrong` (suggestions) and `flicker` are over the
    keys pressed, the last two in 100 of them. `right` is over the suggestions, None where there were none.
    """

    texts: int
    keys: int
    saved: float
    visible: float
    suggestions: int
    right: float | None
    wrong: float
    flicker: float
    milliseconds_p50: float
    milliseconds_p95: float


@dataclass(frozen=True)
class TypingReport:
    """Figures of all texts and of those in each language, and what happened with each text."""

    setting: str
    figures: dict[str, TypingFigures]
    typed: list[Typed]

    def __str__(self) -> str:
        rows = []
        for title, name, form in _ROWS:
            values = [getattr(figures, name) for figures in self.figures.values()]
            rows.append([title, *("-" if value is None else form.format(value) for value in values)])
        return f"{table(['', *self.figures], rows)}\n\n{self.setting}"


async def typing_report(
    settings: Settings, folder: Path, cases: Sequence[Case], *, by_word: bool = False
) -> TypingReport:
    """Type at least one case, in files of a folder that is open; with a progress bar on standard error.

    Raises ServerError when the server ends or its engine fails.
    """
    async with LanguageServer.started(COMMAND, os.environ) as server:
        await server.initialize(to_builtins(settings), folder)
        status = await server.start_engine()
        typed = []
        for case in tqdm(cases, unit="text"):
            editor = _editor(server, folder, case)
            typed.append(await type_out(editor, case, by_word=by_word))
            editor.close()
            await server.wait_ready()  # without an engine nothing is suggested, and that is no figure
    return TypingReport(setting(status, settings.engine.threads), _by_language(typed), typed)


def _editor(server: LanguageServer, folder: Path, case: Case) -> Editor:
    """Return an editor with the case's file as it was, but for the truth, and the cursor where that stood."""
    place = case.snapshot
    cursor = Position(place.line, place.column)
    return Editor(server, (folder / case.path).as_uri(), case.language, case.before + case.after, cursor)


def _by_language(typed: Sequence[Typed]) -> dict[str, TypingFigures]:
    languages = sorted({each.language for each in typed})
    columns = {"all": typing_figures(typed)} if len(languages) > 1 else {}
    return columns | {
        language: typing_figures([each for each in typed if each.language == language])
        for language in languages
    }


def typing_figures(typed: Sequence[Typed]) -> TypingFigures:
    """Return the figures of at least one text."""

    def total(name: str) -> int:
        return sum(getattr(each, name) for each in typed)

    pressed, suggestions, right = total("pressed"), total("suggestions"), total("right")
    waited = list(chain.from_iterable(each.milliseconds for each in typed))
    p50, p95 = np.percentile(waited, [50, 95])
    return TypingFigures(
        texts=len(typed),
        keys=total("keys"),
        saved=1 - pressed / total("keys"),
        visible=total("visible") / pressed,
        suggestions=suggestions,
        right=right / suggestions if suggestions else None,
        wrong=100 * (suggestions - right) / pressed,
        flicker=100 * total("flickers") / pressed,
        milliseconds_p50=float(p50),
        milliseconds_p95=float(p95),
    )
