"""What crosses the process boundary: msgspec structs, each frame a big-endian length and MessagePack.

Every message carries all that it needs, so nothing is lost when the engine restarts. `VERSION` is part of an engine's
identity: halves that speak differently never meet.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, msgpack

from dllm_lsp.fingerprints import Hash
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled

VERSION = 11
HEADER_BYTES = 4
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Infill(Struct, frozen=True, kw_only=True, tag="infill"):
    """Ask for the hole to be filled; a newer one with the same document and method supersedes it.

    `id` is chosen by the client and unique on its connection. With `drafts` every denoising step is sent. `adapter` is
    the fingerprint of one that was fine-tuned on a repository of the user's; None is the model's own.
    """

    id: int
    document: str
    method: str
    hole: Hole
    limits: Limits = Limits()
    drafts: bool = False
    adapter: Hash | None = None


class Cancel(Struct, frozen=True, tag="cancel"):
    """Stop the request `id` at its next step; unknown ids are ignored."""

    id: int


class ReadAhead(Struct, frozen=True, tag="ahead"):
    """Read the code around a hole that may be asked for soon; there is no answer.

    It is read in pieces, while no request is open. A newer hole of the document, in this or in a request, ends it.
    """

    document: str
    hole: Hole


class Forget(Struct, frozen=True, tag="forget"):
    """Nothing more will be asked of the document for now: what is kept of it may go."""

    document: str


class Ping(Struct, frozen=True, tag="ping"):
    """Ask whether the engine still moves."""


class Pong(Struct, frozen=True, tag="pong"):
    """It does: sent at once when the engine is idle or loading, else at its next denoising step."""


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """How the engine is, sent on connection and at every change.

    `before` and `after` are the characters of context that the loaded model can use, and `snippets` how many related
    ones it can read; `milliseconds` is the time that it should have for a suggestion. All are 0 until it is ready.
    `languages` are the names of those that it serves; none: all of them.
    """

    state: Literal["starting", "loading", "ready", "failed"]
    detail: str = ""
    model: str = ""
    device: str = ""
    precision: str = ""
    before: int = 0
    after: int = 0
    snippets: int = 0
    milliseconds: float = 0.0
    languages: tuple[str, ...] = ()


class Drafted(Struct, frozen=True, tag="drafted"):
    """The canvas of the request `id` after one denoising step."""

    id: int
    draft: Draft


class Filled(Struct, frozen=True, tag="filled"):
    """The answer to the request `id`; `notice` is for the user: what of the request could not be met, if anything."""

    id: int
    infilled: Infilled
    notice: str = ""


class Dropped(Struct, frozen=True, tag="dropped"):
    """The request `id` was not finished: a newer one replaced it, or the client cancelled it."""

    id: int
    reason: Literal["superseded", "cancelled"]


class Failure(Struct, frozen=True, tag="failure"):
    """The request `id` could not be answered; `message` is for the user. The engine serves on."""

    id: int
    message: str


ToEngine = Infill | Cancel | ReadAhead | Forget | Ping
ToClient = Status | Drafted | Filled | Dropped | Failure | Pong

_encoder = msgpack.Encoder()
to_engine_decoder: msgpack.Decoder[ToEngine] = msgpack.Decoder(ToEngine)
to_client_decoder: msgpack.Decoder[ToClient] = msgpack.Decoder(ToClient)


def frame(message: ToEngine | ToClient) -> bytes:
    """Return the message as it travels: HEADER_BYTES of length, then the body.

    Raises ValueError for a message over MAX_FRAME_BYTES and for text that is not valid Unicode.
    """
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return len(body).to_bytes(HEADER_BYTES, "big") + body
