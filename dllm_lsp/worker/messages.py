"""What crosses the process boundary: msgspec structs, each frame a big-endian length and MessagePack.

The only module that both halves know. Every message carries all that it needs, so nothing is lost when the
engine restarts. `VERSION` is part of an engine's identity: halves that speak differently never meet.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct, msgpack

from dllm_lsp.settings import Effort

VERSION = 4
HEADER_BYTES = 4
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Hole(Struct, frozen=True):
    """The place to fill: the code on both sides of it, bounded, each side reaching to a line boundary.

    `language` is an LSP language id; an unknown one is allowed. `snippets` are related code from elsewhere in the
    project, the best first.
    """

    before: str
    after: str
    language: str
    snippets: tuple[str, ...] = ()


class Limits(Struct, frozen=True, kw_only=True):
    """What one request may cost: effort, canvas size in tokens, network passes, wall-clock milliseconds.

    With `exact` the canvas keeps its size: as many tokens are written as it has. With `line` only the first line is
    asked for, and what is asked for is given up, masks left in it, once it cannot reach `confidence` any more.
    """

    effort: Effort = "medium"
    tokens: int = 32
    exact: bool = False
    line: bool = False
    confidence: float = 0.0
    passes: int = 64
    milliseconds: float = 200.0


class Infill(Struct, frozen=True, kw_only=True, tag="infill"):
    """Ask for the hole to be filled; a newer one with the same document and method supersedes it.

    `id` is chosen by the client and unique on its connection. With `drafts` every denoising step is sent.
    """

    id: int
    document: str
    method: str
    hole: Hole
    limits: Limits = Limits()
    drafts: bool = False


class Cancel(Struct, frozen=True, tag="cancel"):
    """Stop the request `id` at its next denoising step; unknown ids are ignored."""

    id: int


class Ping(Struct, frozen=True, tag="ping"):
    """Ask whether the engine still moves."""


class Pong(Struct, frozen=True, tag="pong"):
    """It does: sent at once when the engine is idle or loading, else at its next denoising step."""


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """How the engine is, sent on connection and at every change.

    `before` and `after` are the characters of context that the loaded model can use, and `snippets` how many related
    ones it can read; 0 until it is ready.
    """

    state: Literal["starting", "loading", "ready", "failed"]
    detail: str = ""
    model: str = ""
    device: str = ""
    precision: str = ""
    before: int = 0
    after: int = 0
    snippets: int = 0


class Piece(Struct, frozen=True):
    """One canvas token: its text (None while it is a mask) and the probability it was accepted with."""

    text: str | None
    probability: float


class Draft(Struct, frozen=True, kw_only=True, tag="draft"):
    """The canvas after one denoising step."""

    id: int
    step: int
    pieces: tuple[Piece, ...]


class Calibration(Struct, frozen=True):
    """How often texts are right that the model gives some probability: a line over its log-odds (Platt 1999)."""

    slope: Annotated[float, Meta(gt=0)]
    offset: float

    def __call__(self, probability: float) -> float:
        """Return the share of texts of this probability that are exactly right; it grows with the probability."""
        return (1 + math.tanh((self.slope * log_odds(probability) + self.offset) / 2)) / 2


def worth(probability: float, calibration: Calibration | None) -> float:
    """Return what a model's probability is worth; itself where that is not known."""
    return calibration(probability) if calibration else probability


def log_odds(probability: float) -> float:
    """Return the logarithm of a probability's odds, finite for 0 and 1 too."""
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(probability / (1 - probability))


class Infilled(Struct, frozen=True, kw_only=True, tag="infilled"):
    """The filled hole.

    `end` is the probability that the text ends where it does. `steps` counts denoising steps, `passes` every
    run of the network (encoding the context counts as one), `encoded` the context tokens not found in the cache.
    """

    id: int
    pieces: tuple[Piece, ...]
    end: float
    steps: int
    passes: int
    encoded: int
    milliseconds: float
    calibration: Calibration | None = None

    @property
    def text(self) -> str:
        """The whole text of the hole."""
        return "".join(piece.text or "" for piece in self.pieces)

    def calibrated(self, probability: float) -> float:
        """Return what a probability from this model is worth; itself where that is not known."""
        return worth(probability, self.calibration)


class Dropped(Struct, frozen=True, tag="dropped"):
    """The request `id` was not finished: a newer one replaced it, or the client cancelled it."""

    id: int
    reason: Literal["superseded", "cancelled"]


class Failure(Struct, frozen=True, tag="failure"):
    """The request `id` could not be answered; `message` is for the user. The engine serves on."""

    id: int
    message: str


ToEngine = Infill | Cancel | Ping
ToClient = Status | Draft | Infilled | Dropped | Failure | Pong

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
