from pathlib import Path

import pytest
from msgspec import json

from dllm_lsp.evaluation.sources import read_sources
from dllm_lsp.training.files import SourceFile


def write(path: Path, content: bytes = b"x = 1\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_folder_s_python_files_are_read_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.py", b"\xef\xbb\xbfb = 1\r\n")
    write(tmp_path / "a" / "z.py")
    write(tmp_path / "notes.md")
    write(tmp_path / ".venv" / "hidden.py")
    write(tmp_path / "latin.py", b"# \xe9\n")
    write(tmp_path / "large.py", b"#" * 1_000_001)
    assert read_sources(tmp_path) == [
        SourceFile("a/z.py", "python", "x = 1\n"),
        SourceFile("b.py", "python", "b = 1\n"),
    ]


def test_files_of_another_language_are_read_where_it_is_named(tmp_path: Path) -> None:
    write(tmp_path / "b.ts")
    write(tmp_path / "types.d.ts")
    write(tmp_path / "a.py")
    file = SourceFile("b.ts", "typescript", "x = 1\n")
    assert read_sources(tmp_path, "typescript") == [file]
    write(
        tmp_path / "corpus.jsonl", json.encode(file) + b"\n" + json.encode(SourceFile("a.py", "python", "x"))
    )
    assert read_sources(tmp_path / "corpus.jsonl", "typescript") == [file]


def test_a_corpus_file_is_read(tmp_path: Path) -> None:
    file = SourceFile("x.py", "python", "x = 1\n")
    write(tmp_path / "heldout.jsonl", json.encode(file) + b"\n")
    assert read_sources(tmp_path / "heldout.jsonl") == [file]


@pytest.mark.parametrize("content", [None, b"", b" \n\n"])
def test_nothing_to_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        write(tmp_path / "empty.py", content)
    with pytest.raises(ValueError, match="no python code"):
        read_sources(tmp_path)
