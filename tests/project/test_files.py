"""What may be looked at; `tests/training/test_repository.py` tests what is listed, on the same kinds of files."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from trees import git, no_git, write

from dllm_lsp.project import files
from dllm_lsp.project.files import own_among, own_files, path_of, read_text

TREE = {
    "app.py": "a",
    ":odd *.py": "a",
    "env/pyvenv.cfg": "",
    "env/lib.py": "a",
    "build/out.py": "a",
    "node_modules/lib/index.ts": "a",
    "src/.gitignore": "*.py\n!wanted.py\n",
    "src/unwanted.py": "a",
    "src/wanted.py": "a",
    "src/generated/wanted.py": "a",
    ".gitignore": "build/\ngenerated\nenv\nnode_modules/\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, TREE)
    return tmp_path


@pytest.mark.parametrize("prepare", [git, no_git])
def test_of_some_files_those_are_own_that_are_listed(root: Path, prepare: Callable[[Path], None]) -> None:
    prepare(root)
    own = {"app.py", ":odd *.py", "src/wanted.py"}
    assert own_among(root, TREE.keys()) == own_among(root, own) | {".gitignore", "src/.gitignore"}
    assert own_among(root, own) == own
    assert set(own_files(root)) == own | {".gitignore", "src/.gitignore"}
    assert own_among(root, ()) == set()


def test_what_is_not_the_projects_own_needs_no_rule_without_git(root: Path) -> None:
    (root / ".gitignore").unlink()
    foreign = {"env/lib.py", "node_modules/lib/index.ts", ".tox/lib.py"}
    assert own_among(root, {*foreign, "build/out.py"}) == {"build/out.py"}


def test_git_knows_what_it_tracks_although_it_is_ignored(root: Path) -> None:
    git(root)
    subprocess.run(["git", "add", "-f", "build/out.py"], cwd=root, check=True)
    assert own_among(root, {"build/out.py", "src/unwanted.py"}) == {"build/out.py"}


def test_no_program_that_a_repository_names_is_run(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(root)
    place = tmp_path_factory.mktemp("monitor")
    program, mark = place / "monitor", place / "mark"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o700)
    subprocess.run(["git", "config", "core.fsmonitor", str(program)], cwd=root, check=True)
    subprocess.run(["git", "ls-files"], cwd=root, check=True)
    assert mark.exists(), "git itself runs it"
    mark.unlink()
    assert own_among(root, {"app.py"}) == {"app.py"}
    assert "app.py" in set(own_files(root))
    assert not mark.exists()


def test_where_git_cannot_tell_the_ignore_files_are_read(root: Path) -> None:
    git(root)
    os.symlink(root / "src", root / "link")  # git refuses to look behind it
    assert own_among(root, {"link/wanted.py", "app.py", "build/out.py"}) == {"link/wanted.py", "app.py"}


@pytest.mark.parametrize("program", [["no-such-program"], ["sleep", "60"]])
def test_git_that_is_missing_or_hangs_is_done_without(
    root: Path, program: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run
    monkeypatch.setattr(files, "_GIT_SECONDS", 0.05)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run(program, **options))
    assert own_among(root, {"app.py", "build/out.py"}) == {"app.py"}


def test_texts_have_line_feeds_and_no_byte_order_mark(root: Path) -> None:
    write(root, {"crlf.py": b"\xef\xbb\xbfx = 1\r\ny = '\xc3\xa9'\r\n"})
    assert read_text(root, "crlf.py") == "x = 1\ny = 'é'\n"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("binary.py", b"x = '\0'\n"),
        ("latin.py", b"x = '\xe9'\n"),
        ("huge.py", b"x = 1\n" * 100_000),
        (".env", b"KEY=1\n"),
        ("a#b/.env", b"KEY=1\n"),
        (".ssh/config.py", b"x = 1\n"),
    ],
)
def test_what_may_not_be_looked_at_is_not_there(root: Path, path: str, content: bytes) -> None:
    write(root, {path: content})
    assert read_text(root, path) is None


def test_what_is_no_file_of_the_root_is_not_there(root: Path) -> None:
    outside = root.parent / "outside"
    write(outside, {"secret.py": "password = 1\n"})
    os.symlink(outside, root / "folder")
    os.symlink(outside / "secret.py", root / "file.py")
    os.symlink("loop.py", root / "loop.py")
    os.mkfifo(root / "pipe.py")
    wanted = ["folder/secret.py", "file.py", "loop.py", "pipe.py", "src", "missing.py", "x" * 300, "\0"]
    assert [read_text(root, path) for path in wanted] == [None] * len(wanted)
    assert read_text(root, "../outside/secret.py") is None
    assert read_text(root, str(outside / "secret.py")) is None
    assert read_text(outside, "secret.py") == "password = 1\n"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///work/a%20b/%C3%A9%23.py", "/work/a b/é#.py"),
        ("untitled:Untitled-1", None),
        ("git:/work/app.py", None),
        ("vscode-remote://host/work/app.py", None),
        ("file://host/work/app.py", None),
        ("file:", None),
        ("file://[", None),
        ("", None),
    ],
)
def test_only_files_of_this_machine_have_a_path(uri: str, path: str | None) -> None:
    assert path_of(uri) == (None if path is None else Path(path))
