import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.training import repository
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import read_repository, split

FILES = {
    "app.py": "import os\n",
    "src/web.ts": "let x = 1\n",
    "src/generated/big.py": "x = 1\n",
    "src/keep.log.py": "y = 1\n",
    "build/out.py": "z = 1\n",
    "docs/readme.md": "# no code\n",
    "tools/.gitignore": "*.py\n!wanted.py\n",
    "tools/unwanted.py": "a = 1\n",
    "tools/wanted.py": "b = 1\n",
    ".gitignore": "build/\ngenerated\n",
}
OURS = {"app.py", "src/web.ts", "src/keep.log.py", "tools/wanted.py"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path / name, text.encode())
    return tmp_path


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def git(root: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)


def no_git(root: Path) -> None:
    """A folder that is no work tree."""


def names(root: Path) -> set[str]:
    return {file.path for file in read_repository(root)}


@pytest.mark.parametrize("prepare", [git, no_git])
def test_files_that_are_ignored_are_left_out(root: Path, prepare: Callable[[Path], None]) -> None:
    prepare(root)
    assert names(root) == OURS


def test_files_are_of_the_language_that_models_learn(root: Path) -> None:
    write(root / "src/view.tsx", b"let x = 1\n")
    write(root / "settings.toml", b"x = 1\n")
    languages = {file.path: file.language for file in read_repository(root)}
    assert languages.keys() == OURS | {"src/view.tsx"}
    assert languages["src/view.tsx"] == languages["src/web.ts"] == "typescript"


def test_git_knows_what_it_tracks_although_it_is_ignored(root: Path) -> None:
    git(root)
    subprocess.run(["git", "add", "-f", "build/out.py"], cwd=root, check=True)
    assert names(root) == OURS | {"build/out.py"}


def test_without_git_what_is_not_the_projects_own_is_left_out(root: Path) -> None:
    for name in (".tox/lib.py", "node_modules/lib/index.ts", "env/lib/site.py"):
        write(root / name, b"x = 1\n")
    write(root / "env/pyvenv.cfg", b"")
    assert names(root) == OURS


@pytest.mark.parametrize("prepare", [git, no_git])
def test_what_is_no_source_code_is_left_out(root: Path, prepare: Callable[[Path], None]) -> None:
    prepare(root)
    write(root / "binary.py", b"x = '\0'\n")
    write(root / "latin.py", b"x = '\xe9'\n")
    write(root / "huge.py", b"x = 1\n" * 100_000)
    write(root / "empty.py", b"\n \n")
    write(root / ".ssh/config.py", b"x = 1\n")
    (root / "folder.py").mkdir()
    os.symlink("/etc/hostname", root / "link.py")
    os.symlink("nowhere", root / "broken.py")
    os.mkfifo(root / "pipe.py")
    assert names(root) == OURS


def test_odd_names_are_read(root: Path) -> None:
    git(root)
    odd = 'a "b"\té\n.py'
    write(root / odd, b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")
    [file] = [file for file in read_repository(root) if file.path == odd]
    assert file.text == "x = 1\ny = 2\n"


def test_a_program_that_a_repository_names_is_not_run(root: Path) -> None:
    git(root)
    program, trace = root / "monitor.sh", root / "trace"
    write(program, f"#!/bin/sh\ntouch {trace}\n".encode())
    program.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(program)], cwd=root, check=True)
    assert names(root) == OURS
    assert not trace.exists()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        read_repository(tmp_path / "nowhere")


def test_of_a_huge_repository_a_part_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "_LARGEST_REPOSITORY", 1)
    assert len(read_repository(root)) == 1


def source(number: int, lines: int = 60) -> str:
    """A program that shares nothing with those of other numbers."""
    return "".join(
        f"def f{number}_{line}(a{line}):\n    return a{line} + {number}\n" for line in range(lines)
    )


@given(st.sets(st.integers(0, 10**6), min_size=8, max_size=20))
def test_files_stay_on_their_side_whatever_else_there_is(numbers: set[int]) -> None:
    files = [SourceFile(f"{number}.py", "python", source(number)) for number in sorted(numbers)]
    whole = split(files)
    assert sorted(file.path for file in [*whole.train, *whole.heldout]) == sorted(f.path for f in files)
    assert 1 <= len(whole.heldout) <= 1 + 0.15 * len(files)
    assert split(files[::-1]) == whole or {f.path for f in split(files[::-1]).heldout} == {
        f.path for f in whole.heldout
    }
    fewer = split([file for file in files if file is not whole.train[-1]])
    assert {file.path for file in fewer.heldout} <= {file.path for file in whole.heldout}


@pytest.mark.parametrize("copies", [1, 3])
def test_near_duplicates_are_on_one_side(copies: int) -> None:
    files = [SourceFile(f"{number}.py", "python", source(number)) for number in range(12)]
    for number in range(12):
        changed = source(number).replace("return a7 ", "return 1 + a7 ")
        files += [SourceFile(f"{number}-{copy}.py", "python", changed) for copy in range(copies)]
    found = split(files)
    sides = [{file.path.partition("-")[0].removesuffix(".py") for file in side} for side in found]
    assert sides[0].isdisjoint(sides[1])
    assert len(found.heldout) == (1 + copies) * len(sides[1])


def test_a_license_that_all_files_begin_with_makes_them_no_duplicates() -> None:
    license_text = "# " + " ".join(f"word{number}" for number in range(400)) + "\n"
    files = [SourceFile(f"{n}.py", "python", license_text + source(n, 8)) for n in range(30)]
    assert len(split(files).heldout) < 10


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "0 characters of source code in 0 files"),
        (["x = 1\n"], "6 characters of source code in 1 files"),
        ([source(1, 400)], "at least two source files"),
        ([source(1, 400), source(1, 400)], "at least two source files"),
    ],
)
def test_too_little_code_is_told(texts: list[str], message: str) -> None:
    files = [SourceFile(f"{number}.py", "python", text) for number, text in enumerate(texts)]
    with pytest.raises(ValueError, match=message):
        split(files)
