"""A place in a file, as people write it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from dllm_lsp.cli.errors import LocationError
from dllm_lsp.languages.lookup import id_of
from dllm_lsp.text.document import split_lines
from dllm_lsp.text.positions import content_of
from dllm_lsp.text.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Location:
    """A file and a place in it: line and column count from 1, the column in characters."""

    file: Path
    line: int
    column: int

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read FILE:LINE:COLUMN; a file's name may hold colons."""
        file, *numbers = text.rsplit(":", 2)
        if not file or len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise argparse.ArgumentTypeError(f"{text!r} is not FILE:LINE:COLUMN, as in src/app.py:12:20")
        line, column = map(int, numbers)
        if line == 0 or column == 0:
            raise argparse.ArgumentTypeError(f"{text!r}: lines and columns count from 1")
        return cls(Path(file), line, column)

    def snapshot(self) -> Snapshot:
        """Read the file with the cursor at this place; raise LocationError."""
        lines = split_lines(self._text())
        if self.line > len(lines):
            raise LocationError(f"{self.file} has {len(lines)} lines: there is no line {self.line}")
        length = len(content_of(lines[self.line - 1]))
        if self.column > length + 1:
            raise LocationError(
                f"line {self.line} of {self.file} has {length} characters: the last column is {length + 1}, "
                f"not {self.column}"
            )
        uri = self.file.absolute().as_uri()
        return Snapshot(uri, None, id_of(self.file.name), tuple(lines), self.line - 1, self.column - 1)

    def _text(self) -> str:
        try:
            if self.file.exists() and not self.file.is_file():  # a device might never end
                raise LocationError(f"{self.file} is not a file")
            return self.file.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise LocationError(f"{self.file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LocationError(
                f"{self.file} is not UTF-8 text: {error.reason} at byte {error.start}"
            ) from error
