"""A checkpoint's tokenizer from the files of its folder, and the tokens that these files name.

Reads `tokenizer.json`, or `vocab.json` and `merges.txt` where a repository ships only code for its tokenizer. Tokens
that were added to the vocabulary (masks, begins, roles of a chat) are control tokens: no text becomes one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from msgspec import MsgspecError, json
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as BytePairEncoder

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer, token_bytes

_QWEN_PRE_TOKEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_CLASSES = ("Qwen2Tokenizer", "Qwen2TokenizerFast", "DreamTokenizer")
_PROBE = "def f(x):\r\n\treturn  x['ключ'] + 10 # 😀\n\n    pass"


class Vocabulary(NamedTuple):
    """A tokenizer; `added` tokens by name; `roles` as the files give them: "mask_token", "bos_token", ..., by name."""

    tokenizer: TextTokenizer
    added: dict[str, int]
    roles: dict[str, str]

    def role(self, name: str) -> int | None:
        """Return the id of the token that plays this role, None if the files name none."""
        token = self.roles.get(name)
        return None if token is None else self.added.get(token)


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read the tokenizer in a folder; raise CheckpointError if there is none, or none that is known here."""
    config = read_json(folder / "tokenizer_config.json")
    roles = _roles(read_json(folder / "special_tokens_map.json") | config)
    whole = folder / "tokenizer.json"
    try:
        encoder, added = _from_one_file(whole) if whole.is_file() else _from_parts(folder, config)
        added |= _added(folder, config)
        ids = encoder.get_vocab()
        added |= {token: ids[token] for token in roles.values() if token in ids}
        spelled = token_bytes({token: i for token, i in ids.items() if token not in added})
    except CheckpointError:
        raise
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(f"the tokenizer in {folder} cannot be used: {error}") from error
    tokenizer = TextTokenizer(encoder, spelled)
    if tokenizer.decode(tokenizer.encode(_PROBE)) != _PROBE:
        raise CheckpointError(f"the tokenizer in {folder} does not return the text that it was given")
    for token, i in added.items():
        if i in tokenizer.encode(token):
            raise CheckpointError(f"the tokenizer in {folder} takes text for its special token {token}")
    return Vocabulary(tokenizer, added, roles)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one if there is no file; raise CheckpointError for anything else."""
    if not path.is_file():
        return {}
    try:
        return json.decode(path.read_bytes(), type=dict[str, Any])
    except (MsgspecError, UnicodeDecodeError, OSError) as error:
        raise CheckpointError(f"{path} is not JSON with an object: {error}") from error


def _from_one_file(path: Path) -> tuple[BytePairEncoder, dict[str, int]]:
    content = read_json(path)
    added = {token["content"]: token["id"] for token in content.get("added_tokens") or []}
    content |= {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    return BytePairEncoder.from_str(json.encode(content).decode()), added


def _from_parts(folder: Path, config: dict[str, Any]) -> tuple[BytePairEncoder, dict[str, int]]:
    """Build Qwen2's tokenizer. Dream's repositories ship its vocabulary, and code of their own to read it."""
    parts = [folder / "vocab.json", folder / "merges.txt"]
    if not all(part.is_file() for part in parts):
        raise CheckpointError(f"the checkpoint in {folder} lacks tokenizer.json")
    kind = config.get("tokenizer_class")
    if kind not in _QWEN_CLASSES:
        raise CheckpointError(
            f"the tokenizer in {folder} is a {kind} without tokenizer.json; of vocab.json and merges.txt alone, "
            f"only {', '.join(_QWEN_CLASSES)} can be built"
        )
    encoder = BytePairEncoder(models.BPE.from_file(*map(str, parts)))
    encoder.normalizer = normalizers.NFC()
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN_PRE_TOKEN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    encoder.decoder = decoders.ByteLevel()
    return encoder, {}


def _added(folder: Path, config: dict[str, Any]) -> dict[str, int]:
    """Return the tokens that other files than `tokenizer.json` say were added."""
    decoder = config.get("added_tokens_decoder") or {}
    return read_json(folder / "added_tokens.json") | {_name(token): int(i) for i, token in decoder.items()}


def _roles(config: dict[str, Any]) -> dict[str, str]:
    """Return which token plays which role; settings such as "add_bos_token" name none."""
    return {k: _name(v) for k, v in config.items() if k.endswith("_token") and isinstance(v, str | dict)}


def _name(token: Any) -> str:
    """Return a token that is written as its name, or as an object that holds it."""
    return str(token["content"] if isinstance(token, dict) else token)
