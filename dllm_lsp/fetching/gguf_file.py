"""A GGUF file as data: what it says of its model, and its tensors as float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import gguf
import msgspec
import numpy as np
from gguf.quants import dequantize
from msgspec import Struct
from numpy.typing import NDArray

from dllm_lsp.fetching import header
from dllm_lsp.fetching.errors import GgufError

_Said = TypeVar("_Said", bound=Struct)

Floats = NDArray[np.float32]


class GgufFile:
    """A file that was checked before the gguf library reads it. Its data stay on disk until they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raise GgufError for a file that is damaged, hostile or of another format; raise OSError."""
        header.check(path)
        self.path = path
        with self._reading():
            self._reader = gguf.GGUFReader(path)
            self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
            # Here dimensions come as in memory, the last one fastest: the other way round than in the file.
            self.shapes = {name: tuple(tensor.shape.tolist()[::-1]) for name, tensor in self._tensors.items()}

    def metadata(self, kind: type[_Said]) -> _Said:
        """Return what the file says under the names of `kind`'s fields; raise GgufError where that does not fit."""
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        with self._reading():
            said = {name: field.contents() for name in names if (field := self._reader.get_field(name))}
        try:
            return msgspec.convert(said, kind)
        except msgspec.ValidationError as error:
            raise GgufError(f"{self.path} describes no model that can be used here: {error}") from error

    def floats(self, name: str) -> Floats:
        """Return the values of a tensor, in its shape; raise GgufError if they cannot be read or are not finite."""
        tensor = self._tensors[name]
        with self._reading(), np.errstate(all="ignore"):
            values = dequantize(tensor.data, tensor.tensor_type).reshape(self.shapes[name])
        if not np.isfinite(values).all():
            raise GgufError(f"{self.path} holds values that are not finite, in {name}")
        return values

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # the library raises whatever Python and numpy do
            raise GgufError(f"{self.path} cannot be read as GGUF: {error}") from error
