"""How what is said of the settings is read, in one way everywhere.

A setting is named by its path, "suggest.confidence", written with dots, as nested objects, or half and half, and below
the section "dllm-lsp" or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from dllm_lsp.settings import SECTION, Overrides, Settings

Values = Mapping[str, object]
"""What was said of settings: decoded JSON by path."""

_Tree = TypeVar("_Tree", bound=Struct)

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


def is_foreign(tree: Mapping[str, object]) -> bool:
    """Whether a mixed tree says something, and nothing of ours."""
    return bool(tree) and SECTION not in tree and not flat(tree, mixed=True)


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
