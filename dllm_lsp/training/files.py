"""Source files of a gathered corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, json


class SourceFile(Struct, frozen=True):
    """One file: where it comes from, the name of its language, its text with line feeds for line ends.

    `package` ("name==version") tells which files belong together; then `path` begins with it. It is empty
    where nothing is known of that.
    """

    path: str
    language: str
    text: str
    package: str = ""

    @property
    def path_in_package(self) -> str:
        """Where the file lies in its package, as imports see it."""
        return self.path.removeprefix(f"{self.package}/")


def read_files(path: Path) -> list[SourceFile]:
    """Read a JSON-lines file; raise ValueError with its name if it is none."""
    return list(iterate_files(path))


def iterate_files(path: Path) -> Iterator[SourceFile]:
    """Read a JSON-lines file one row at a time; raise ValueError with its name if it is none, or is not there."""
    decoder = json.Decoder(SourceFile)
    try:
        with path.open("rb") as rows:
            yield from (decoder.decode(row) for row in rows if row.strip())
    except FileNotFoundError as error:
        raise ValueError(f"there is no corpus file {path}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not a corpus file: {error}") from error
