"""`dllm-lsp doctor`: what was found on this machine, and what to do about what is wrong."""

from __future__ import annotations

import asyncio
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dllm_lsp import __version__, hub
from dllm_lsp.assist.engines import engine_for
from dllm_lsp.client.identity import weights
from dllm_lsp.client.tuned import choose
from dllm_lsp.fetching.offers import OFFERS
from dllm_lsp.fetching.shelf import installed
from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.settings import Settings
from dllm_lsp.wire.errors import ModelError
from dllm_lsp.wire.log import log_path
from dllm_lsp.wire.messages import Status

ENGINE_SECONDS = 120.0
COMMAND_SECONDS = 10.0
OLDEST_NEOVIM = (0, 12)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` says what to do, and is empty where all is well.

    What is not needed works without the advice, too.
    """

    subject: str
    found: str
    advice: str = ""
    is_needed: bool = True


def doctor(settings: Settings) -> int:
    """Print the findings; return 1 if something is wrong, which is marked "!!", and 0 if there is advice at most."""
    console = Console(highlight=False, soft_wrap=True)
    is_well = True
    for finding in examine(settings):
        is_well = is_well and not (finding.advice and finding.is_needed)
        style, mark = ("green", "ok")
        if finding.advice:
            style, mark = ("red", "!!") if finding.is_needed else ("yellow", "->")
        console.print(Text.assemble((mark, style), "  ", (f"{finding.subject:<14}", "bold"), finding.found))
        if finding.advice:
            console.print(Text(f"{'':18}{finding.advice}", style))
    return int(not is_well)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, what is quick first."""
    yield Finding("dllm-lsp", f"{__version__} on {platform.platform(terse=True)}")
    yield Finding("Python", f"{platform.python_version()} at {sys.executable}")
    yield _command()
    yield _torch()
    choice = choose(settings, Path.cwd(), fingerprint)
    yield _weights(choice.settings)
    if choice.note:
        advice = choice.note if choice.is_stale else ""
        yield Finding("fine-tuning", "out of date" if advice else choice.note, advice, is_needed=False)
    yield _engine(choice.settings)
    yield from _editors()


def _command() -> Finding:
    found = shutil.which("dllm-lsp")
    if found:
        return Finding("command", found)
    return Finding(
        "command",
        "dllm-lsp is not on PATH",
        "Editors start it by name: add its folder to PATH, or set the whole path in the editor's settings.",
        is_needed=False,
    )


def _torch() -> Finding:
    try:
        return Finding("PyTorch", version("torch"))
    except PackageNotFoundError:
        return Finding("PyTorch", "not installed", "Install it: pip install 'torch>=2.11,<2.14'")


def _weights(settings: Settings) -> Finding:
    model = hub.named(settings.model)
    try:
        folder = hub.downloaded(model) if hub.is_hub_id(model) else weights(model)
    except ModelError as error:
        return Finding("model", settings.model, str(error))
    if folder is None:
        return Finding(
            "model",
            f"{model} is not on this machine as a whole, and no folder of that name either",
            f"Download it: dllm-lsp models download {model}",
        )
    if model in OFFERS and installed(model) is None:
        return Finding(
            "model", f"{model} is not on this machine as a whole", f"Get it: dllm-lsp models get {model}"
        )
    if not folder.is_dir():
        return Finding(
            "model", f"{folder} is missing", 'Set "model" to "bundled" or to a checkpoint\'s folder.'
        )
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    found = f"{model}, {size / 1e6:.1f} MB in {folder}"
    if settings.model != hub.AUTO:
        return Finding("model", found)
    advice = "" if model == hub.BETTER else f"A better one, of 135M: dllm-lsp models get {hub.BETTER}"
    return Finding("model", f"{found}, the best that is here", advice, is_needed=False)


def _engine(settings: Settings) -> Finding:
    notices: list[str] = []
    status = asyncio.run(_engine_status(settings, notices))
    if status.state == "ready":
        return Finding("engine", f"ready, on {status.device} in {status.precision}")
    problem = " ".join(notices) or status.detail or f"not ready within {ENGINE_SECONDS:.0f} s"
    return Finding("engine", status.state, f"{problem} Its log: {log_path()}")


async def _engine_status(settings: Settings, notices: list[str]) -> Status:
    engine = engine_for(settings, lambda status: None, notices.append)
    await engine.start()
    try:
        return await engine.wait_ready(ENGINE_SECONDS)
    finally:
        await engine.close()


def _editors() -> Iterator[Finding]:
    if (neovim := _first_line("nvim", "--version")) is not None:
        numbers = neovim.removeprefix("NVIM v").split(".")
        is_old = all(map(str.isdecimal, numbers[:2])) and tuple(map(int, numbers[:2])) < OLDEST_NEOVIM
        advice = "Ghost text needs Neovim 0.12 or newer." if is_old else ""
        yield Finding("Neovim", neovim, advice, is_needed=False)
    for name, command in (
        ("VS Code", "code"),
        ("VSCodium", "codium"),
        ("IntelliJ IDEA", "idea"),
        ("PyCharm", "pycharm"),
    ):
        if (path := shutil.which(command)) is not None:
            yield Finding(name, path)


def _first_line(*command: str) -> str | None:
    """Return what a program says first, or None if it is not there or says nothing."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split("\n", 1)[0].strip() or None
