"""One tree of options, the same from the command line and from editors; and how what these say is read.

What they say is read in one way everywhere: a setting is named by its path, "suggest.confidence", written with dots, as
nested objects, or half and half, and below the section "dllm-lsp" or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

SECTION = "dllm-lsp"
"""The key under which editors keep the tree."""

Values = Mapping[str, object]
"""What was said of settings: decoded JSON by path."""

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
            title="megabytes of memory for what the model has read of your documents; 0 gives each model what it needs "
            "(`bundled` 128, others 256)",
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
    extent: Annotated[
        Extent,
        Meta(
            title='how far a suggestion reaches: to the end of the `"line"`, of the `"block"`, or `"all"` that the '
            "model writes; several lines are for models that write them well",
            description='"line", "block" or "all"',
        ),
    ] = "line"
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


_FOR_ALL = ("exclude", "ignored")
"""What is the same for all languages."""


class Problem(NamedTuple):
    """A setting that is not understood: its path, why, for the user to read, and what counts instead, if anything."""

    key: str
    reason: str
    used: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; using {self.used}." if self.used else f"{self.reason}."


def flat(tree: object, *, mixed: bool = False) -> dict[str, object]:
    """Return what a tree of decoded JSON says, by path; a tree that is no object stands at the path "".

    In a `mixed` one, names outside of our section that are none of ours belong to others and are left out.
    """
    values: dict[str, object] = {}
    left = [("", tree)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{path}.{key}" if path else key, each) for key, each in reversed(value.items())]
            continue
        name, _, rest = path.partition(".")
        if name == SECTION:
            values[rest] = value
        elif not mixed or name in _fields(Settings()):
            values[path] = value
    return values


def overlaid(below: Values, above: Values) -> dict[str, object]:
    """Return both; `above` counts where both say something, and a null of it takes back what `below` says."""
    kept = {
        path: value
        for path, value in below.items()
        if not any(path == each or path.startswith(f"{each}.") for each in above)
    }
    return kept | {path: value for path, value in above.items() if value is not None}


def merged(base: Settings, tree: object) -> tuple[Settings, list[Problem]]:
    """Return `base` with what is valid in `tree`, decoded JSON or `Values`, and what is not. A null sets nothing."""
    settings, problems = base, []
    for path, value in flat(tree).items():
        if value is None:
            continue
        try:
            settings = _with(settings, path, path, value)
        except _RefusedError as error:
            problems.append(error.problem)
    return settings, problems


class _RefusedError(Exception):
    def __init__(self, path: str, reason: str, used: str = "") -> None:
        self.problem = Problem(path, reason, used)


def _with(tree: _Tree, left: str, path: str, value: object) -> _Tree:
    """Return the tree with a value at the end of a path, of which `left` is still to be walked.

    Raises _RefusedError.
    """
    fields = _fields(tree)
    what = f'setting "{_text(path)}"' if path else "tree of settings"
    is_unknown = f"The {what}, here {_shown(value)}, is unknown"
    if not left:
        names = ", ".join(fields)
        raise _RefusedError(path, f"The {what} is {_shown(value)}, but must be an object with {names}")
    name, _, rest = left.partition(".")
    field = fields.get(name)
    if field is None:
        raise _RefusedError(path, f"{is_unknown}; there are {', '.join(fields)}")
    current = getattr(tree, field.name)
    if isinstance(tree, Settings) and name == "languages":
        return msgspec.structs.replace(tree, languages=_overridden(tree, rest, path, value))
    if isinstance(current, Struct):
        return msgspec.structs.replace(tree, **{field.name: _with(current, rest, path, value)})
    allowed = field.type.__metadata__[0].description
    if rest:
        whole = path.removesuffix(f".{rest}")
        raise _RefusedError(path, f'{is_unknown}; "{whole}" must be {allowed}')
    try:
        return msgspec.structs.replace(tree, **{field.name: _converted(value, field.type)})
    except (msgspec.ValidationError, ValueError) as error:
        reason = f"The {what} is {_shown(value)}, but must be {allowed}"
        raise _RefusedError(path, reason, _shown(current)) from error


def _overridden(settings: Settings, left: str, path: str, value: object) -> Overrides:
    """Return the overrides with one more, of which `left` names language and setting; raise _RefusedError."""
    language, _, rest = left.partition(".")
    name = rest.partition(".")[0]
    if name in _FOR_ALL:
        raise _RefusedError(
            path, f'The setting "{_text(path)}" is the same for all languages: set "suggest.{name}"'
        )
    changed = _with(settings.suggest_in(language), rest, path, value)
    field = _fields(changed)[name].name
    of_language = settings.languages.get(language, {}) | {field: getattr(changed, field)}
    return settings.languages | {language: of_language}


def _converted(value: object, type: object) -> object:
    """Return the value as the tree holds it; raise ValidationError or ValueError."""
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text
    return msgspec.convert(value, type)


def _fields(tree: Struct) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(tree)}


def _shown(value: object) -> str:
    """Return the value as the user wrote it, not too long."""
    text = _text(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else text[:57] + "..."


def _text(text: str) -> str:
    r"""Return what can be sent: half of a surrogate pair as "\ud83d"."""
    return text.encode(errors="backslashreplace").decode()
