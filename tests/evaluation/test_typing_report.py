"""Texts typed through the real server, with the bundled model; and their figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import SOURCE

from dllm_lsp.evaluation.holes import TYPED, cut_holes
from dllm_lsp.evaluation.language_server import ServerError
from dllm_lsp.evaluation.typing_report import TypingReport, typing_figures, typing_report
from dllm_lsp.evaluation.typist import Typed
from dllm_lsp.settings import EngineSettings, Settings, SuggestSettings
from dllm_lsp.training.files import SourceFile


def typed(language: str = "python", **changes: int) -> Typed:
    counts = {"keys": 20, "pressed": 10, "visible": 4, "suggestions": 4, "right": 3, "flickers": 1}
    return Typed("a:1:1", language, milliseconds=[5.0, 7.0], **(counts | changes))


def test_figures_are_over_the_keys_of_all_texts() -> None:
    found = typing_figures([typed(), typed(keys=80, pressed=70, suggestions=0, right=0)])
    assert (found.texts, found.keys, found.saved) == (2, 100, pytest.approx(0.2))
    assert (found.visible, found.suggestions, found.right) == (0.1, 4, 0.75)
    assert (found.wrong, found.flicker) == (1.25, 2.5)
    assert (found.milliseconds_p50, found.milliseconds_p95) == (6.0, 7.0)


def test_where_nothing_was_suggested_nothing_was_right() -> None:
    assert typing_figures([typed(suggestions=0, right=0)]).right is None


def test_each_language_has_a_column() -> None:
    figures = {"all": typing_figures([typed(), typed("go")]), "go": typing_figures([typed("go", right=0)])}
    printed = str(TypingReport("here", figures, []))
    assert "|  | all | go |" in printed
    assert "| keys saved | 50.0% | 50.0% |" in printed
    assert "| exactly right of these | 75.0% | 0.0% |" in printed


def settings(model: str = "bundled") -> Settings:
    return Settings(
        model=model,
        engine=EngineSettings(linger=2),
        suggest=SuggestSettings(confidence=0, milliseconds=5000),
    )


@pytest.fixture
def environment(server_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server_environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
async def test_a_file_is_typed_through_the_real_server(tmp_path: Path) -> None:
    (tmp_path / "points.py").write_text(SOURCE)
    holes = cut_holes([SourceFile("points.py", "python", SOURCE)], 0, [TYPED])
    cases = [next(holes), next(holes)]
    found = await typing_report(settings(), tmp_path, cases)
    assert [each.name for each in found.typed] == [case.name for case in cases]
    figures = found.figures["python"]
    assert figures.suggestions > 0, "with the gate open something is suggested"
    assert figures.visible > 0
    assert sum(each.pressed for each in found.typed) <= figures.keys
    assert "model bundled on cpu" in found.setting
    assert (tmp_path / "points.py").read_text() == SOURCE


@pytest.mark.own_engine
@pytest.mark.usefixtures("environment")
async def test_an_engine_that_cannot_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="nowhere"):
        await typing_report(settings(str(tmp_path / "nowhere")), tmp_path, [])
