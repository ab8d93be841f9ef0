"""Which documents are left alone for what their files are."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from trees import git, no_git, write

from dllm_lsp.project.background import at_once
from dllm_lsp.project.exclusions import FRESH_SECONDS, Exclusions, exclusion
from dllm_lsp.project.files import own_among, own_files
from dllm_lsp.project.opened import Opened

TREE = {
    "app.py": "a",
    ".env": "a",
    "private/.dllmignore": "!wanted.py\n",
    "private/app.py": "a",
    "clients/.dllmignore": "*.py\n!wanted.py\n\\\n",
    "clients/app.py": "a",
    "clients/wanted.py": "a",
    "build/app.py": "a",
    ".gitignore": "build\n",
    ".dllmignore": "/private\n!.env\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, TREE)
    return tmp_path


def reason(file: Path, *exclude: str, ignored: bool = True) -> str:
    opened = Opened([file.parent.as_uri()], {}, exclude)
    return exclusion(file.as_uri(), opened, ignored=ignored) or ""


def test_a_file_of_the_project_may_be_completed(root: Path) -> None:
    assert reason(root / "app.py") == ""
    assert reason(root / "missing.py") == ""
    assert reason(root / "clients/wanted.py") == ""


def test_an_ignore_file_of_our_own_excludes_and_is_named(root: Path) -> None:
    assert reason(root / "clients/app.py") == f"app.py is excluded by {root / 'clients/.dllmignore'}"
    assert reason(root / "private/app.py") == f"app.py is excluded by {root / '.dllmignore'}"


def test_it_takes_no_secret_back(root: Path) -> None:
    assert "secrets" in reason(root / ".env")


def test_a_users_pattern_excludes_and_takes_back(root: Path) -> None:
    assert reason(root / "app.py", "*.py") == "app.py is excluded by the setting suggest.exclude"
    assert reason(root / ".env", "!.env") == ""


@pytest.mark.parametrize("target", [".env", "clients/app.py"])
def test_a_link_is_what_it_leads_to(root: Path, target: str) -> None:
    os.symlink(root / target, root / "link.py")
    assert reason(root / "link.py").startswith("link.py is ")
    os.symlink("loop.py", root / "loop.py")
    assert reason(root / "loop.py") == ""


@pytest.mark.parametrize("prepare", [git, no_git])
def test_what_git_ignores_is_left_alone_only_where_that_is_asked_for(
    root: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(root)
    opened = Opened([root.as_uri()], {})
    uri = (root / "build/app.py").as_uri()
    assert exclusion(uri, opened, ignored=True) is None
    assert exclusion(uri, opened, ignored=False) == "app.py is ignored by git, and suggest.ignored is off"
    assert exclusion((root / "app.py").as_uri(), opened, ignored=False) is None


@pytest.mark.parametrize("uri", ["untitled:a.py", "file://host/a.py", "file:///%00.py", "file:", ""])
def test_documents_that_are_no_files_here_have_names_alone(uri: str) -> None:
    assert exclusion(uri, Opened([], {}), ignored=False) is None
    assert exclusion("untitled:.env", Opened([], {}), ignored=False) is not None


@pytest.mark.parametrize("prepare", [git, no_git])
def test_what_is_excluded_is_no_context_and_nothing_to_learn_from(
    root: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(root)
    own = {path for path in own_files(root) if path.endswith(".py")}
    assert own == {"app.py", "clients/wanted.py"}
    assert own_among(root, TREE.keys()) & {path for path in TREE if path.endswith(".py")} == own


def test_a_document_is_looked_at_once_until_it_is_out_of_date() -> None:
    times, looks = [0.0], 0

    def run(work: Callable[[], str | None]) -> Future[str | None]:
        nonlocal looks
        looks += 1
        return at_once(work)

    exclusions = Exclusions(lambda: Opened([], {}), run, clock=lambda: times[-1])
    for time in (0.0, FRESH_SECONDS):
        times.append(time)
        assert exclusions.look("untitled:.env").result() is not None
        assert looks == 1
    times.append(FRESH_SECONDS + 1)
    exclusions.look("untitled:.env")
    exclusions.look("untitled:a.py")
    assert looks == 3
    exclusions.outdate()
    exclusions.look("untitled:.env")
    exclusions.forget("untitled:.env")
    exclusions.look("untitled:.env")
    assert looks == 5
