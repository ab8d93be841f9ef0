"""Decides from what a package says of itself whether its license is permissive.

Reads only metadata (of wheels: License-Expression, classifiers, License) and no license files. What is not
clearly permissive is refused.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageMetadata

PERMISSIVE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BlueOak-1.0.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
    }
    | {
        "HPND",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "X11",
        "Zlib",
        "ZPL-2.1",
    }
)

# How people write these in free text and in classifiers; the first pattern that matches names the license.
_WORDINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), spdx)
    for pattern, spdx in (
        (r"\b0BSD\b|BSD Zero Clause", "0BSD"),
        (r"\bMIT-0\b|MIT No Attribution", "MIT-0"),
        (r"\bMIT\b|\bExpat\b", "MIT"),
        (r"\bBSD\W*2|2\W*Clause|Simplified BSD", "BSD-2-Clause"),
        (r"\bBSD\b", "BSD-3-Clause"),
        (r"\bApache\b(?!.*\b1\.)", "Apache-2.0"),
        (r"\bISC\b|\bISCL\b", "ISC"),
        (r"\bPSF\b|Python Software Foundation", "PSF-2.0"),
        (r"\bUnlicense\b", "Unlicense"),
        (r"\bCC0\b", "CC0-1.0"),
        (r"\bzlib\b", "Zlib"),
        (r"Boost Software License|\bBSL-1", "BSL-1.0"),
        (r"\bHPND\b|Historical Permission Notice", "HPND"),
        (r"\bZPL\b|Zope Public License", "ZPL-2.1"),
    )
)
_RESTRICTIVE = re.compile(
    r"GPL|Affero|General Public|\bMPL|Mozilla|\bEPL|Eclipse|\bEUPL|\bCDDL|\bCPL\b|Common Public|\bCC[- ]BY|"
    r"Creative Commons Attribution|Proprietary|Commercial|Freeware|Free for|Business Source|"
    r"\bSSPL|\bBUSL|Elastic",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """A source that may not enter the corpus; the message is the reason."""


def license_of(metadata: PackageMetadata) -> str:
    """The permissive license that `metadata` states, as an SPDX expression.

    An SPDX expression in the metadata outweighs everything else. Without one, classifiers and the first line
    of the License field must name at least one permissive license and none that is not.

    Raises RefusedError when the license is missing, unclear or not permissive.
    """
    expression = _first(metadata, "License-Expression")
    if expression:
        return permissive(expression)
    claims = [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
    field = _first(metadata, "License").strip()
    if field:
        claims.append(field.splitlines()[0])
    for claim in claims:
        if _RESTRICTIVE.search(claim):
            raise RefusedError(f"license is not permissive: {claim}")
    named = dict.fromkeys(_named(claim) for claim in claims)
    named.pop(None, None)
    if not named:
        raise RefusedError(f"license is not clear: {'; '.join(claims) or 'none stated'}")
    return " AND ".join(str(name) for name in named)


def permissive(expression: str) -> str:
    """The SPDX license `expression`, if it may be used under permissive terms alone; else raise RefusedError.

    One alternative of a flat `A OR B` is enough; with parentheses every license named must be permissive.
    An exception after WITH only adds permissions.
    """
    plain = re.sub(r"\s+WITH\s+[\w.-]+", "", expression, flags=re.IGNORECASE)
    separator = r"\s+AND\s+|\s+OR\s+" if "(" in plain else r"\s+OR\s+"
    parts = re.split(separator, plain.replace("(", " ").replace(")", " "), flags=re.IGNORECASE)
    verdicts = [
        all(name.strip() in PERMISSIVE for name in re.split(r"\s+AND\s+", part, flags=re.IGNORECASE))
        for part in parts
    ]
    allowed = all(verdicts) if "(" in plain else any(verdicts)
    if not allowed:
        raise RefusedError(f"license is not permissive: {expression}")
    return expression


def _first(metadata: PackageMetadata, key: str) -> str:
    return next(iter(metadata.get_all(key) or []), "")


def _named(claim: str) -> str | None:
    return next((spdx for pattern, spdx in _WORDINGS if pattern.search(claim)), None)
