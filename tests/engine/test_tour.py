"""The tour of the engine names every module of it, in an order in which they can be read."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "dllm_lsp" / "engine"
TOUR = re.findall(r"^\| `([\w/]+)\.py` \|", (ROOT / "docs" / "engine.md").read_text("utf-8"), re.MULTILINE)


def test_every_module_is_named_once() -> None:
    modules = (path.relative_to(ENGINE).with_suffix("") for path in ENGINE.rglob("*.py"))
    assert sorted(TOUR) == sorted(str(module) for module in modules if module.name != "__init__")


def test_each_uses_only_those_above_it() -> None:
    for place, module in enumerate(TOUR):
        code = (ENGINE / f"{module}.py").read_text("utf-8")
        used = {name.replace(".", "/") for name in re.findall(r"dllm_lsp\.engine\.([\w.]+) import", code)}
        assert used <= set(TOUR[:place]), module
