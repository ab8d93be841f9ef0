#!/usr/bin/env python3
"""Write the tree of settings, as `dllm_lsp/settings.py` has it, into the page and the manifests that show it.

Usage: python scripts/settings_pages.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct

from dllm_lsp.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/editors/settings.md"
VSCODE = ROOT / "editors/vscode/package.json"
JETBRAINS = ROOT / "editors/jetbrains/dllm-lsp/settings.schema.json"
SECTION = "dllm-lsp"
SERVER_PATH = f"{SECTION}.server.path"  # the one setting of VS Code that is not the server's
OWN = ("model", "engine.", "suggest.exclude")  # what a workspace may not choose

_TABLE = ("| setting | default | meaning |\n| --- | --- | --- |\n", "\n\n")


class Setting(NamedTuple):
    """One setting: its path, what it does, and its JSON schema with the default."""

    path: str
    meaning: str
    schema: dict[str, Any]


def settings(tree: Struct | None = None, path: str = "") -> Iterator[Setting]:
    """Yield all settings in their order."""
    tree = Settings() if tree is None else tree
    for field in msgspec.structs.fields(tree):
        name, default = f"{path}{field.encode_name}", getattr(tree, field.name)
        if isinstance(default, Struct):
            yield from settings(default, f"{name}.")
            continue
        schema = msgspec.json.schema(field.type)
        if "enum" in schema:
            schema = {"type": "string"} | schema | {"enum": list(get_args(get_args(field.type)[0]))}
        meaning = schema.pop("title")
        del schema["description"]
        yield Setting(
            name, meaning, {key: _plain(value) for key, value in (schema | {"default": default}).items()}
        )


def page(text: str) -> str:
    """Return the page with its table anew."""
    before, start, rest = text.partition(_TABLE[0])
    rows = [
        f"| `{each.path}` | `{json.dumps(each.schema['default'])}` | {each.meaning} |" for each in settings()
    ]
    return before + start + "\n".join(rows) + _TABLE[1] + rest.partition(_TABLE[1])[2]


def vscode(text: str) -> str:
    """Return VS Code's manifest with its settings anew."""
    manifest = json.loads(text)
    configuration = manifest["contributes"]["configuration"]
    own = configuration["properties"][SERVER_PATH]
    configuration["properties"] = {SERVER_PATH: own} | {
        f"{SECTION}.{each.path}": each.schema
        | {
            "scope": "machine" if each.path.startswith(OWN) else "window",
            "order": order,
            "markdownDescription": _sentence(each.meaning),
        }
        for order, each in enumerate(settings(), start=1)
    }
    return _dumped(manifest)


def jetbrains(text: str) -> str:
    """Return the schema for JetBrains IDEs with its settings anew."""
    schema = json.loads(text)
    schema["properties"][SECTION] = tree = _object()
    for each in settings():
        *folders, name = each.path.split(".")
        node = tree
        for folder in folders:
            node = node["properties"].setdefault(folder, _object())
        node["properties"][name] = each.schema | {"description": _sentence(each.meaning)}
    return _dumped(schema)


WRITERS = {PAGE: page, VSCODE: vscode, JETBRAINS: jetbrains}


def _object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _sentence(meaning: str) -> str:
    return f"{meaning[0].upper()}{meaning[1:]}."


def _plain(value: Any) -> Any:
    """Return a value of Python's as JSON writes it: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _dumped(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, written in WRITERS.items():
        file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")
