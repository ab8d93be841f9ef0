"""Which files look, by their names, as if they held secrets. Knows no disk.

`PATTERNS` is the list, in the format of .gitignore files; docs/editors/settings.md shows it as it stands here. Case
does not matter. A name counts without what editors and people add to that of a copy: `.env~` is a `.env`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from dllm_lsp.languages.lookup import written_in

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PATTERNS = """\
# Whatever lies in these folders
.aws/
.azure/
.config/gcloud/
.gnupg/
.kube/
.password-store/
.secrets/
.ssh/

# Environments
.dev.vars
.dev.vars.*
.env
.env.*
.env[-_]*
*.env
.envrc

# Keys
*.agekey
*.asc
*.gpg
*.jks
*.kdbx
*.key
*.keystore
*.ovpn
*.p12
*.p8
*.pem
*.pfx
*.pgp
*.ppk
id_dsa*
id_ecdsa*
id_ed25519*
id_rsa*

# Clouds and infrastructure
*.kubeconfig
*.tfstate
*.tfstate.*
*.tfvars
*.tfvars.json
*firebase-adminsdk*
*service*account*.json
kubeconfig
local.settings.json
terraform.rc
.terraformrc

# What programs log in with
.boto
.databrickscfg
**/.composer/auth.json
**/.config/gh/hosts.yml
**/.docker/config.json
**/.m2/settings*.xml
.dockercfg
.git-credentials
.my.cnf
.netrc
_netrc
.npmrc
.pgpass
pgpass.conf
.pypirc
rclone.conf
.s3cfg
*.htpasswd
htpasswd
passwd
shadow
.vault[-_]pass*
vault[-_]pass*
.vault-token

# Secrets by their names, unless they are code that handles them
*credential*
*secret*
secrets/
.token
*.token
token.json
access[-_]token*
auth[-_]token*
passwords
passwords.*
password.txt
.*_history
"""

LANGUAGES = ("dotenv", "env")
"""What editors call the language of such files, whatever their names are."""

_FOLDERS, _NAMES = (tuple(part.split("\n")) for part in PATTERNS.split("\n\n", 1))
_ADDED = re.compile(
    r"(?P<front>\.?#|copy of )?(?P<name>.+?)"
    r"(?:~\d*|#|[ _-]copy|\.(?:backup|bak|copy|old|orig|rej|save|sw[a-p]|tmp)\d*)*"
)
_LONGEST_NAME = 255  # of a file, on most systems; what is longer is not looked at twice


def is_secret(path: str) -> bool:
    """Whether a file at a path, with slashes, looks as if it held secrets."""
    folder, _, name = path.casefold().lstrip("/").rpartition("/")
    added = _ADDED.fullmatch(name) if len(name) <= _LONGEST_NAME else None
    plain = added["name"] if added else name
    # `credentials.py` is code that handles secrets, `credentials.json` holds them.
    patterns = (_FOLDERS, _NAMES) if written_in(plain).holds_secrets else (_FOLDERS,)
    return any(_spec(each).match_file(f"{folder}/{one}") for each in patterns for one in {name, plain})


def listed(path: str, patterns: tuple[str, ...]) -> bool | None:
    """Return what a user's own patterns say of a path: true if it is to be left alone, None if they say nothing."""
    return _spec(patterns).check_file(path.casefold().lstrip("/")).include if patterns else None


def spec_of(lines: Iterable[str]) -> GitIgnoreSpec:
    """Return the patterns among some lines, without those that are none."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - takes long, and nobody waits for it at the start

    spec = GitIgnoreSpec([])
    for line in lines:
        try:
            spec += GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
    return spec


@lru_cache(8)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    return spec_of(map(str.casefold, patterns))
