"""One tree of options, the same from the command line and from editors; and how layers of it are merged."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

_Tree = TypeVar("_Tree", bound=Struct)

Effort = Literal["instant", "low", "medium", "high"]
"""How much work an answer is worth."""

Extent = Literal["line", "block", "all"]
"""How far a suggestion reaches: to the end of its line, of its block, or as far as the model writes."""

Precision = Literal["auto", "fp32", "bf16", "int8", "fp8"]
"""The number format of a network's matrices; "auto" is what the machine gains from."""


class EngineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the engine's process runs. `threads` 0 lets the engine choose; times are in seconds."""

    device: Annotated[
        str, Meta(min_length=1, description='"auto", "cpu", or a device that PyTorch knows, such as "cuda"')
    ] = "auto"
    precision: Annotated[Precision, Meta(description='"auto", "fp32", "bf16", "int8" or "fp8"')] = "auto"
    threads: Annotated[int, Meta(ge=0, description="a whole number from 0")] = 0
    linger: Annotated[float, Meta(ge=1, description="a number of seconds from 1")] = 60.0
    silence: Annotated[float, Meta(gt=0, description="a number of seconds above 0")] = 30.0


class SuggestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is shown. A suggestion below `confidence` stays hidden; `milliseconds` bounds the engine, with 0 as
    the model needs.

    `effort` says how much work a suggestion is worth within that time; with `snippets` the model may see related code
    of other files. `extent` says how far a suggestion reaches.
    """

    enabled: Annotated[bool, Meta(description="true or false")] = True
    confidence: Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")] = 0.3
    milliseconds: Annotated[float, Meta(ge=0, description="a number of milliseconds from 0")] = 0.0
    effort: Annotated[Effort, Meta(description='"instant", "low", "medium" or "high"')] = "medium"
    snippets: Annotated[bool, Meta(description="true or false")] = True
    extent: Annotated[Extent, Meta(description='"line", "block" or "all"')] = "line"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Everything a user can set.

    `model` is "auto", "bundled", one that was fetched by name, a folder with a checkpoint, or `owner/name` on the hub.
    """

    model: Annotated[
        str,
        Meta(
            min_length=1, description='"auto", "bundled", a folder with a checkpoint, or a model of the hub'
        ),
    ] = "auto"
    engine: EngineSettings = EngineSettings()
    suggest: SuggestSettings = SuggestSettings()


def merged(base: _Tree, tree: object, path: str = "") -> tuple[_Tree, list[str]]:
    """Return `base` with what is valid in `tree`, which is decoded JSON, and a message for each bad setting.

    A null sets nothing. `path` is where in the settings `tree` lies: "" or "suggest.".
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(base)}
    if not isinstance(tree, dict):
        where = f'setting "{path.removesuffix(".")}"' if path else "tree of settings"
        return base, [f"The {where} is {_shown(tree)}, but must be an object with {', '.join(fields)}."]
    valid: dict[str, object] = {}
    problems: list[str] = []
    for key, value in tree.items():
        field = fields.get(key)
        if field is None:
            problems.append(f'The setting "{path}{key}" is unknown; there are {", ".join(fields)}.')
            continue
        if value is None:
            continue
        current = getattr(base, field.name)
        if isinstance(current, Struct):
            valid[field.name], found = merged(current, value, f"{path}{key}.")
            problems += found
            continue
        try:
            valid[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            allowed = f"must be {field.type.__metadata__[0].description}; using {_shown(current)}"
            problems.append(f'The setting "{path}{key}" is {_shown(value)}, but {allowed}.')
    return msgspec.structs.replace(base, **valid), problems


def _shown(value: object) -> str:
    """Return the value as the user wrote it, not too long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."
