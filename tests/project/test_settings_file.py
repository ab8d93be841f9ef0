"""What a project's own file may say of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import write

from dllm_lsp.project.settings_file import with_project
from dllm_lsp.settings import Settings, SuggestSettings

OWN, SHARED = ".dllm-lsp.toml", "pyproject.toml"


def test_without_a_file_everything_is_the_users(tmp_path: Path) -> None:
    assert with_project(Settings(), tmp_path) == (Settings(), [])
    write(tmp_path, {SHARED: "[project]\nname = 'a'\n[tool.ruff]\nline-length = 1\n"})
    assert with_project(Settings(), tmp_path) == (Settings(), [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            SHARED,
            "[tool.dllm-lsp]\nsuggest = {confidence = 0.6, strings = false}\nlanguages.go.enabled = false",
        ),
        (OWN, "suggest.confidence = 0.6\nsuggest.strings = false\nlanguages.go.enabled = false"),
        (
            OWN,
            "[dllm-lsp]\n'suggest.confidence' = 0.6\n'suggest.strings' = false\n'languages.go.enabled' = false",
        ),
    ],
)
def test_a_project_turns_off_and_chooses_how_sure(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {name: text})
    settings, problems = with_project(Settings(suggest=SuggestSettings(confidence=0.1)), tmp_path)
    assert problems == []
    assert settings.suggest == SuggestSettings(confidence=0.6, strings=False)
    assert not settings.suggest_in("go").enabled


def test_a_project_turns_nothing_on(tmp_path: Path) -> None:
    write(tmp_path, {OWN: "suggest.enabled = true\nlanguages.go.enabled = true"})
    user = Settings(suggest=SuggestSettings(enabled=False), languages={"go": {"enabled": False}})
    assert with_project(user, tmp_path) == (user, [])


@pytest.mark.parametrize(
    "line",
    [
        "model = 'mine'",
        "engine.device = 'cuda'",
        "engine.threads = 64",
        "suggest.exclude = ['!.env']",
        "suggest.milliseconds = 1e6",
        "languages.python.effort = 'high'",
        "server.path = '/tmp/evil'",
    ],
)
def test_what_is_run_where_and_what_is_looked_at_is_the_users(tmp_path: Path, line: str) -> None:
    write(tmp_path, {OWN: f"{line}\nsuggest.confidence = 0.6\n"})
    settings, [problem] = with_project(Settings(), tmp_path)
    assert settings == Settings(suggest=SuggestSettings(confidence=0.6))
    assert (
        problem == f'{tmp_path / OWN}: a project cannot set "{line.split(" ", maxsplit=1)[0]}", only you can.'
    )


def test_the_own_file_counts_before_the_shared_one(tmp_path: Path) -> None:
    write(tmp_path, {SHARED: "[tool.dllm-lsp]\nsuggest.confidence = 0.6", OWN: "suggest.comments = false"})
    assert with_project(Settings(), tmp_path)[0].suggest == SuggestSettings(comments=False)
    write(tmp_path, {OWN: "# nothing"})
    assert with_project(Settings(), tmp_path)[0].suggest == SuggestSettings(confidence=0.6)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (OWN, "suggest.confidence = 7", "must be a number from 0 to 1"),
        (OWN, "suggest.enabled = 'no'", "must be true or false"),
        (SHARED, "[tool]\ndllm-lsp = 3", "must be an object"),
        (OWN, "suggest = ", "cannot be read"),
        (OWN, b"\xff\xfe", "cannot be read"),
        (OWN, "a = " + "[" * 50_000, "cannot be read"),
        (OWN, "#" * 1_000_001, "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_file_is_named(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    write(tmp_path, {name: content})
    settings, [problem] = with_project(Settings(), tmp_path)
    assert settings == Settings()
    assert problem.startswith(str(tmp_path / name))
    assert said in problem
