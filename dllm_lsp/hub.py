"""Where a model's files are: in the package, in a folder, fetched once, or downloaded from the Hugging Face hub.

Knows names and files, and nothing of what is in them. Opens no connection but in `download`, which is for models that
the user named. Never loads torch.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import platformdirs

from dllm_lsp.fetching import shelf
from dllm_lsp.fetching.offers import OFFERS

BUNDLED = Path(__file__).parent / "models" / "bundled"
"""The weights that ship with the package."""

AUTO, BETTER = "auto", "smollm2-135m"
"""The setting that takes the better of the models that need no GPU, and its name; else it is the bundled one."""

FILES = ["*.safetensors", "*.json", "*.txt"]
"""What is downloaded of a repository: data, and no code."""

Report = Callable[[str], None]
"""Hears in words how far a download is."""


class HubError(Exception):
    """A model cannot be had; the message is for the user."""


def named(model: str) -> str:
    """Return the model that "auto" stands for on this machine, any other name as it is."""
    if model != AUTO:
        return model
    return "bundled" if shelf.installed(BETTER) is None else BETTER


def is_hub_id(model: str) -> bool:
    """Whether a model as the settings name it is `owner/name` on the hub, and not a folder."""
    named = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model)
    return named is not None and not Path(model).exists()


def folder(model: str) -> Path:
    """Return the folder of a model that is not on the hub: "auto", "bundled", one of `OFFERS`, or a path.

    It may not exist. Raises ValueError for a name that cannot be a path.
    """
    model = named(model)
    if model == "bundled":
        return BUNDLED
    if model in OFFERS:
        return shelf.folder(model)
    try:
        return Path(model).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # no such home, a loop of links, a zero byte
        raise ValueError(f'The setting "model" is {model!r}, which is no path: {error}') from error


def tuned() -> Path:
    """Return where lies what was fine-tuned on the user's repositories, in a folder for each. It may not exist."""
    return platformdirs.user_data_path("dllm-lsp", appauthor=False) / "tuned"


def adapter(fingerprint: str) -> Path | None:
    """Return the folder of an adapter that was fine-tuned on a repository of the user's, None if it is not there."""
    return next(tuned().glob(f"*/{fingerprint}"), None)


def fetched(model: str, report: Report | None = None) -> Path:
    """Return the folder of a model, downloaded first if it is one of the hub that is not on this machine.

    Raises HubError as `download` does and for one of `OFFERS` that is not here, and ValueError as `folder` does.
    """
    if model in OFFERS and shelf.installed(model) is None:
        raise HubError(
            f"{model} is not on this machine as a whole: get it with `dllm-lsp models get {model}`"
        )
    if not is_hub_id(model):
        return folder(model)
    return downloaded(model) or download(model, report)


def downloaded(model: str) -> Path | None:
    """Return where a model of the hub lies on this machine, None if it does not, or not as a whole."""
    try:
        found = _snapshot(model, local_files_only=True)
    except (OSError, ValueError):
        return None
    return found if _is_whole(found) else None


def download(model: str, report: Report | None = None) -> Path:
    """Download a model from the hub and return its folder; a download that was broken off is taken up again.

    Without `report`, progress bars are drawn on standard error. Raises HubError.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError  # noqa: PLC0415

    try:
        found = _snapshot(model, tqdm_class=None if report is None else _reporting(model, report))
    except GatedRepoError as error:
        raise HubError(
            f"{model} asks for its terms to be accepted: do that at huggingface.co/{model}, then log in with "
            "`hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f'there is no folder "{model}", and no model of that name on the Hugging Face hub'
        ) from error
    except (OSError, ValueError) as error:
        raise HubError(
            f"{model} cannot be downloaded from the Hugging Face hub: {_shortly(error)}"
        ) from error
    if not _is_whole(found):
        raise HubError(f"{model} has no weights in safetensors, or no configuration, or no tokenizer")
    return found


def _snapshot(model: str, **options: Any) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read at the import
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow, and needed by few

    # Nothing of a repository's subfolders: they repeat the weights in other forms.
    return Path(snapshot_download(model, allow_patterns=FILES, ignore_patterns=["*/*"], **options))


def _is_whole(folder: Path) -> bool:
    """Whether configuration, tokenizer and all weights are there."""
    names = {"config.json"}
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_bytes())
        names |= set(index["weight_map"].values())
    except FileNotFoundError:
        names.add("model.safetensors")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    has_tokenizer = (folder / "tokenizer.json").is_file() or (folder / "merges.txt").is_file()
    return has_tokenizer and all((folder / name).is_file() for name in names)


def _reporting(model: str, report: Report) -> type:
    """Return a class of progress bars that are told in words and not drawn."""
    from tqdm import tqdm  # noqa: PLC0415 - not needed to start

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: object, **settings: object) -> None:
            super().__init__(*args, **settings | {"file": StringIO()})

        def display(self, *_: object, **__: object) -> None:
            if self.unit == "B" and self.total:
                report(f"downloading {model}: {self.n / 1e6:,.0f} of {self.total / 1e6:,.0f} MB")

        def close(self) -> None:  # would display once more, long after
            pass

    return Bar


def _shortly(error: Exception) -> str:
    """Return the first line of what may be pages."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
