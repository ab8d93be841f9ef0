"""Which documents may be completed or shown to a model at all, judged by their names alone."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import unquote

# Revisions and tool output, which nobody edits.
_READ_ONLY_SCHEMES = frozenset({"git", "gitfs", "gitlens", "output", "debug"})

_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".kube"})
_SECRET_NAMES = (
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.pem",
    "*.key",
    "*.ppk",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.tfvars",
    "*.tfstate",
    "credentials",
    "credentials.json",
    "credentials.y*ml",
    "credentials.toml",
    "secrets.json",
    "secrets.y*ml",
    "secrets.toml",
    "service-account*.json",
)


def is_eligible(uri: str) -> bool:
    """Return whether the document is one a person edits and its name does not promise secrets."""
    scheme, _, path = uri.partition(":")
    if scheme in _READ_ONLY_SCHEMES:
        return False
    *folders, name = unquote(path.partition("#")[0].partition("?")[0]).lower().replace("\\", "/").split("/")
    if _SECRET_FOLDERS.intersection(folders):
        return False
    return not any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES)
