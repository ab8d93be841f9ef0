"""Which documents may be completed at all. Knows names and a glance at the text, no ignore files."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import unquote

from dllm_lsp.languages.lookup import written_in
from dllm_lsp.text.snapshot import Snapshot

# Schemes under which editors show what nobody types into: revisions, diffs, logs.
_READ_ONLY_SCHEMES = frozenset({"git", "gitlens", "fugitive", "diffview", "output", "debug"})

_SECRET_NAMES = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.ovpn",
    "*.tfvars",
    "*.tfstate",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "kubeconfig",
    "credentials",
    "credentials.*",
    "secrets",
    "secrets.*",
    "secret.*",
    "*service-account*.json",
    "*service_account*.json",
)
_SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube"})
_GLANCE_LINES = 64
_QUERY_OR_FRAGMENT = re.compile(r"[?#].*")


def refusal(snapshot: Snapshot) -> str | None:
    """Return why this document must not be completed, in words for the user, or None if it may be."""
    scheme, colon, path = snapshot.uri.partition(":")
    if colon and scheme.casefold() in _READ_ONLY_SCHEMES:
        return f"{scheme}: documents are read-only views"
    path = _QUERY_OR_FRAGMENT.sub("", path if colon else snapshot.uri)
    *folders, name = unquote(path).replace("\\", "/").casefold().split("/")
    if _is_secret(name, folders):
        return f"{name} looks like a file that holds secrets"
    if _is_binary(snapshot):
        return f"{name} looks like a binary file (it contains NUL characters)"
    return None


def _is_secret(name: str, folders: list[str]) -> bool:
    if not _SECRET_FOLDERS.isdisjoint(folders):
        return True
    if not written_in(name).holds_secrets:
        return False  # `credentials.py` is code that handles secrets, `credentials.json` holds them
    return any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES)


def _is_binary(snapshot: Snapshot) -> bool:
    """Look at the first lines and at those around the cursor; a whole large file would cost too much."""
    first = max(0, snapshot.line - _GLANCE_LINES)
    around = snapshot.lines[first : snapshot.line + _GLANCE_LINES]
    return any("\0" in line for line in snapshot.lines[:_GLANCE_LINES] + around)
