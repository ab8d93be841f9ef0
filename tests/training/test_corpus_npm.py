"""Packages of npm: their code and license are read from the archive, and what was built stays out."""

import io
import json
import tarfile

import pytest

from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.npm import pinned_tarball


def write_tarball(cache, pin, files, **package):
    folder = cache / pin.replace("==", "-")
    folder.mkdir(parents=True)
    files = {"package.json": json.dumps(package), **files}
    with tarfile.open(folder / "archive.tgz", "w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))


def test_code_and_license_are_read(tmp_path):
    files = {
        "lib/a.js": "a",
        "src/b.tsx": "b",
        "README.md": "no",
        "src/native.cc": "no",
        "deep/package.json": '{"license": "GPL-3.0"}',
    }
    write_tarball(tmp_path, "@scope/one==1.0", files, license="MIT")
    source = pinned_tarball("@scope/one==1.0", tmp_path, offline=True)
    assert (source.name, source.version, source.license) == ("@scope/one", "1.0", "MIT")
    assert source.files == {"lib/a.js": b"a", "src/b.tsx": b"b"}
    assert len(source.sha256) == 64


def test_what_typescript_was_compiled_to_is_left_out(tmp_path):
    files = {"src/a.ts": "typed", "lib/a.js": "compiled", "lib/a.d.ts": "declared", "lib/b.js": "written"}
    write_tarball(tmp_path, "one==1.0", files, license="MIT")
    source = pinned_tarball("one==1.0", tmp_path, offline=True)
    assert "lib/a.js" not in source.files
    assert {"src/a.ts", "lib/b.js"} <= source.files.keys()


@pytest.mark.parametrize(
    "package", [{}, {"license": "GPL-3.0-only"}, {"license": ["MIT"]}, {"license": "SEE LICENSE"}]
)
def test_what_is_not_clearly_permissive_is_refused(tmp_path, package):
    write_tarball(tmp_path, "one==1.0", {"a.js": "a"}, **package)
    with pytest.raises(RefusedError, match="license"):
        pinned_tarball("one==1.0", tmp_path, offline=True)


def test_a_license_may_be_an_object(tmp_path):
    write_tarball(tmp_path, "one==1.0", {"a.js": "a"}, license={"type": "ISC", "url": "https://example.org"})
    assert pinned_tarball("one==1.0", tmp_path, offline=True).license == "ISC"


def test_what_was_not_downloaded_is_refused_offline(tmp_path):
    with pytest.raises(RefusedError, match="not downloaded"):
        pinned_tarball("one==1.0", tmp_path, offline=True)


def test_a_broken_archive_is_refused_and_named(tmp_path):
    folder = tmp_path / "one-1.0"
    folder.mkdir()
    (folder / "one.tgz").write_bytes(b"half a download")
    with pytest.raises(RefusedError, match=r"one\.tgz"):
        pinned_tarball("one==1.0", tmp_path, offline=True)
