"""One tree of options, the same from the command line and from editors. `settings_reader` reads what these say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

SECTION = "dllm-lsp"
"""The key under which editors keep the tree."""

Effort = Literal["instant", "low", "medium", "high"]
"""How much work an answer is worth."""

Lines = Literal["auto", "one", "many"]
"""How many lines a suggestion has: several where a block is open or a line is empty; one; several at every line end."""

Precision = Literal["auto", "fp32", "bf16", "int8", "fp8"]
"""The number format of a network's matrices; "auto" is what the machine gains from."""


class EngineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the engine's process runs. `threads` 0 lets the engine choose; times are in seconds."""

    device: Annotated[
        str,
        Meta(
            min_length=1,
            title='where the model runs: `"auto"`, `"cpu"`, or a device that PyTorch knows, such as `"cuda"`',
            description='"auto", "cpu", or a device that PyTorch knows, such as "cuda"',
        ),
    ] = "auto"
    precision: Annotated[
        Precision,
        Meta(
            title='the number format of the model\'s weights: `"fp32"`, `"bf16"`, `"int8"`, `"fp8"` (GPUs since Ada '
            "and Hopper), or what your machine gains from; one it has not is an error",
            description='"auto", "fp32", "bf16", "int8" or "fp8"',
        ),
    ] = "auto"
    threads: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            title="processor threads for the model; 0 lets the engine choose",
            description="a whole number from 0 to 1024",
        ),
    ] = 0
    memory: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            title="megabytes of memory for what the model has read of your documents; 0 is what suits the device "
            "(a processor 96, a GPU 512); counts from the engine's next start",
            description="a whole number of megabytes from 0 to 1000000",
        ),
    ] = 0
    linger: Annotated[
        float,
        Meta(
            ge=1,
            le=1e6,
            title="seconds that the model stays in memory after the last editor has closed",
            description="a number of seconds from 1 to 1000000",
        ),
    ] = 60.0
    silence: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1e6,
            title="seconds after which an engine that does not answer is ended and started again",
            description="a number of seconds from 0.1 to 1000000",
        ),
    ] = 30.0


class SuggestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is shown, and where. Without `automatic` only requests that a person makes are answered."""

    enabled: Annotated[bool, Meta(title="suggest ghost text", description="true or false")] = True
    automatic: Annotated[
        bool,
        Meta(
            title="suggest while you type; off: only when you ask for it with your editor's command",
            description="true or false",
        ),
    ] = True
    confidence: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            title="hide suggestions that the model is less sure of than this, from 0 (show all) to 1",
            description="a number from 0 to 1",
        ),
    ] = 0.3
    milliseconds: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            title="the longest time that the model may work on one suggestion; 0 gives each model what it needs "
            "(`bundled` 200, full attention 400, `smollm2-135m` 600)",
            description="a number of milliseconds from 0 to 1000000",
        ),
    ] = 0.0
    effort: Annotated[
        Effort,
        Meta(
            title="how much work a suggestion is worth, within that time: the more, the better and the slower",
            description='"instant", "low", "medium" or "high"',
        ),
    ] = "medium"
    lines: Annotated[
        Lines,
        Meta(
            title='how many lines a suggestion may have: `"one"`, `"many"` up to the end of the statement or block, or '
            '`"auto"`: many where a block is open or the line is empty',
            description='"auto", "one" or "many"',
        ),
    ] = "auto"
    comments: Annotated[bool, Meta(title="suggest inside comments", description="true or false")] = True
    strings: Annotated[
        bool, Meta(title="suggest inside strings, docstrings among them", description="true or false")
    ] = True
    snippets: Annotated[
        bool,
        Meta(
            title="show the model related code of the files that lie around a document",
            description="true or false",
        ),
    ] = True
    exclude: Annotated[
        tuple[str, ...],
        Meta(
            title="leave files alone whose paths match one of these patterns, as in `.gitignore` files; `!*.env` takes "
            "one back that looks like a file that holds secrets",
            description="a list of patterns, as in .gitignore files",
        ),
    ] = ()
    ignored: Annotated[
        bool, Meta(title="suggest in files that git ignores, too", description="true or false")
    ] = True


Overrides = dict[str, dict[str, Any]]
"""Of `SuggestSettings`, fields and their values by language."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Everything a user can set."""

    model: Annotated[
        str,
        Meta(
            min_length=1,
            title='`"auto"` (`smollm2-135m` if you got it, else `"bundled"`), the name of either, the folder of a '
            "checkpoint, or a model of the hub, which is downloaded",
            description='"auto", "bundled", a folder with a checkpoint, or a model of the hub',
        ),
    ] = "auto"
    engine: EngineSettings = EngineSettings()
    suggest: SuggestSettings = SuggestSettings()
    languages: Annotated[
        Overrides,
        Meta(
            title="other values of `suggest` for documents in a language, by its id: "
            '`{"markdown": {"enabled": false}}`; `exclude` and `ignored` are the same for all',
            description="an object with settings of suggest for each language id",
        ),
    ] = {}

    def suggest_in(self, language: str) -> SuggestSettings:
        """Return what holds for documents in a language, by its LSP id."""
        return msgspec.structs.replace(self.suggest, **self.languages.get(language, {}))
