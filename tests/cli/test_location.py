"""Places in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dllm_lsp.cli.errors import LocationError
from dllm_lsp.cli.location import Location


@pytest.mark.parametrize("name", ["app.py", "a:b.py", "12:20", "C:\\app.py", "a b.py", "é.py"])
def test_the_numbers_are_split_from_the_right(name: str) -> None:
    assert Location.parse(f"{name}:12:20") == Location(Path(name), 12, 20)


def test_columns_are_characters_and_lines_are_the_protocols(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_bytes("\ufeffa = '🎈\x0c'\r\nb\rc = é\n".encode())
    snapshot = Location(file, 1, 9).snapshot()
    assert snapshot.lines == ("a = '🎈\x0c'\r\n", "b\r", "c = é\n", "")
    assert (snapshot.line, snapshot.column) == (0, 8)
    assert snapshot.language == "python"
    assert snapshot.uri == file.as_uri()
    assert (Location(file, 4, 1).snapshot().line, Location(file, 3, 6).snapshot().column) == (3, 5)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [(3, 1, "has 2 lines"), (1, 7, "the last column is 6"), (2, 2, "the last column is 1")],
)
def test_a_place_beyond_the_end_is_told(line: int, column: int, message: str, tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("a = 1\n")
    with pytest.raises(LocationError, match=message):
        Location(file, line, column).snapshot()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py", "cannot be read: No such file"),
        ("missing/app.py", "cannot be read: No such file"),
        ("x" * 5000, "cannot be read: File name too long"),
        (".", "is not a file"),
        ("pipe", "is not a file"),
        ("latin.py", "is not UTF-8 text: .* at byte 5"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, message: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin.py").write_bytes(b"a = '\xe9'\n")
    with pytest.raises(LocationError, match=message):
        Location(tmp_path / name, 1, 1).snapshot()
