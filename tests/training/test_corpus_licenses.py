"""Licenses are read from every form of metadata, and what is unclear is refused."""

from email.message import Message

import pytest

from dllm_lsp.training.corpus.licenses import RefusedError, license_of


def metadata(*fields):
    message = Message()
    for name, value in fields:
        message[name] = value
    return message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("License-Expression", "MIT")], "MIT"),
        ([("License-Expression", "Apache-2.0 OR GPL-3.0-only")], "Apache-2.0 OR GPL-3.0-only"),
        ([("License-Expression", "MIT AND (BSD-3-Clause OR ISC)")], "MIT AND (BSD-3-Clause OR ISC)"),
        ([("License-Expression", "Apache-2.0 WITH LLVM-exception")], "Apache-2.0 WITH LLVM-exception"),
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("License", "The MIT License (MIT)")], "MIT"),
        ([("License", "Apache License, Version 2.0")], "Apache-2.0"),
        ([("License", "BSD 2-Clause")], "BSD-2-Clause"),
        ([("License", "MIT License\n\nCopyright (c) somebody, with no GPL in sight")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: BSD License")], "BSD-3-Clause"),
        ([("Classifier", "License :: OSI Approved :: Python Software Foundation License")], "PSF-2.0"),
        ([("License", "See LICENSE"), ("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        (
            [
                ("Classifier", "License :: OSI Approved :: MIT License"),
                ("Classifier", "License :: OSI Approved :: Apache Software License"),
            ],
            "MIT AND Apache-2.0",
        ),
    ],
)
def test_permissive_licenses_are_named(fields, expected):
    assert license_of(metadata(*fields)) == expected


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("License", "UNKNOWN")],
        [("License", "Copyright (c) 2020 somebody")],
        [("License", "LGPLv3+")],
        [("License", "MPL 2.0 and MIT")],
        [("License", "Apache 1.1")],
        [("License-Expression", "GPL-3.0-or-later")],
        [("License-Expression", "MIT AND MPL-2.0")],
        [("License-Expression", "MIT AND (Apache-2.0 OR GPL-2.0-only)")],
        [("License-Expression", "LicenseRef-Proprietary")],
        [("License-Expression", "GPL-3.0-only"), ("License", "MIT")],
        [("Classifier", "License :: OSI Approved")],
        [("Classifier", "License :: Other/Proprietary License"), ("License", "MIT")],
        [("Classifier", "Topic :: Text Processing :: MIT")],
    ],
)
def test_anything_else_is_refused(fields):
    with pytest.raises(RefusedError, match="license"):
        license_of(metadata(*fields))
