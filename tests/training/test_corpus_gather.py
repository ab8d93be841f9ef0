"""From wheels and evaluation sets on disk to the corpus files, without network."""

import gzip
import json
import zipfile
from importlib.metadata import PathDistribution

import numpy as np
import pytest

from dllm_lsp.training.corpus import command, packages
from dllm_lsp.training.corpus.gather import Corpus
from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.packages import Packages
from dllm_lsp.training.corpus.sources import Source, installed_source, pinned_wheel
from dllm_lsp.training.files import read_files

EVALUATED = """def longest_run(values, limit):
    best = current = 0
    previous = None
    for value in values:
        current = current + 1 if value == previous else 1
        previous = value
        if current > best and value < limit:
            best = current
    return best
"""
INNOCENT = '''def longest_word(text, separator):
    """The longest of the words that `separator` parts, or an empty string."""
    best = ""
    for word in text.split(separator):
        if len(word) > len(best):
            best = word
    return best


def shortest_word(text, separator):
    """The shortest of the words that `separator` parts."""
    return min(text.split(separator), key=len)
'''


def module(number):
    """A distinct module of ordinary code."""
    return "".join(
        f"def compute_{number}_{index}(first_{number}, second_{index}):\n"
        f"    total_{number} = first_{number} * {index} + second_{index}\n"
        f"    return total_{number} - offset_{number}_{index}\n\n\n"
        for index in range(8)
    )


def write_wheel(cache, pin, files, license_line="License-Expression: MIT"):
    name, version = pin.split("==")
    folder = cache / pin.replace("==", "-")
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{license_line}\n"
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", metadata)


def corpus_in(folder, excluded=(), cap=10**6):
    return Corpus(folder, np.array(excluded, dtype=np.uint64), frozenset({"starlette"}), cap)


def listed(train, heldout=(), npm=()):
    python = {"train": list(train), "heldout": list(heldout)}
    return Packages(python, {"train": list(npm), "heldout": []}, frozenset())


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def paths(file):
    return [row["path"] for row in rows(file)]


def test_two_runs_write_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "standard_library", lambda: iter(()))
    cache = tmp_path / "downloads" / "wheels"
    write_wheel(cache, "one==1.0", {f"one/m{n}.py": module(n) for n in range(5)} | {"one/data.txt": "no"})
    write_wheel(cache, "two==2.0", {"two/a.py": module(1), "two/b.py": module(7)})
    write_wheel(cache, "three==3.0", {"three/a.py": module(8)}, "License: GPLv3")
    plan = list(listed(["one==1.0", "three==3.0"], ["two==2.0"]).plan(tmp_path / "downloads", True, False))
    for run in ("first", "second"):
        with corpus_in(tmp_path / run) as corpus:
            refused = command.gather(corpus, plan)
        assert list(refused) == ["three==3.0"]
        assert "GPL" in refused["three==3.0"]
    for name in ("train.jsonl", "heldout.jsonl", "manifest.jsonl"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert sorted(paths(tmp_path / "first/train.jsonl")) == [f"one==1.0/one/m{n}.py" for n in range(5)]
    # two/a.py is a copy of a training file, so the held-out split must lose it.
    assert paths(tmp_path / "first/heldout.jsonl") == ["two==2.0/two/b.py"]


def test_the_manifest_says_what_each_source_gave(tmp_path):
    source = Source("one", "1.0", "MIT", "abc", {"one/a.py": module(1).replace("\n", "\r\n").encode()})
    with corpus_in(tmp_path) as corpus:
        corpus.add(source, "train")
    assert rows(tmp_path / "train.jsonl") == [
        {"path": "one==1.0/one/a.py", "package": "one==1.0", "language": "python", "text": module(1)}
    ]
    (file,) = read_files(tmp_path / "train.jsonl")
    assert file.path_in_package == "one/a.py"
    (entry,) = rows(tmp_path / "manifest.jsonl")
    assert entry["bytes"] == len(module(1).encode())
    assert (entry["name"], entry["license"], entry["split"], entry["files"]) == ("one", "MIT", "train", 1)
    assert entry["sha256"] == "abc"


def test_duplicates_forbidden_names_and_the_cap(tmp_path):
    files = {f"one/m{n}.py": module(n).encode() for n in range(6)}
    files |= {"one/copy.py": module(0).encode(), "one/starlette.py": module(9).encode()}
    size = len(module(0).encode())
    with corpus_in(tmp_path, cap=3 * size + 100) as corpus:
        corpus.add(Source("one", "1.0", "MIT", "", files), "train")
        corpus.add(
            Source("free", "1.0", "MIT", "", {f"m{n}.py": module(n).encode() for n in range(20, 30)}),
            "train",
            capped=False,
        )
    kept = paths(tmp_path / "train.jsonl")
    assert len([path for path in kept if path.startswith("one")]) == 3
    assert len([path for path in kept if path.startswith("free")]) == 10
    assert "one==1.0/one/starlette.py" not in kept
    assert corpus.dropped["over the source's cap"] >= 3


def test_a_file_with_an_evaluated_function_is_dropped_and_an_innocent_one_is_not(tmp_path):
    (tmp_path / "set.jsonl.gz").write_bytes(
        gzip.compress(
            json.dumps(
                {
                    "prompt": EVALUATED[:60],
                    "canonical_solution": EVALUATED[60:150],
                    "suffix": EVALUATED[150:],
                    "task_id": "1",
                }
            ).encode()
        )
    )
    bugs = {"name": "x", "buggy_program": module(1), "solution": module(2)}
    (tmp_path / "bugs.jsonl").write_text(json.dumps(bugs) + "\n")
    command.hash_evaluation([tmp_path / "set.jsonl.gz", tmp_path / "bugs.jsonl"], tmp_path / "hashes.npy")
    files = {
        "guilty.py": module(3) + EVALUATED.replace("    ", "\t") + module(4),
        "buggy.py": module(1),
        "fixed.py": module(2),
        "innocent.py": INNOCENT,
    }
    source = Source("one", "1.0", "MIT", "", {path: text.encode() for path, text in files.items()})
    with corpus_in(tmp_path, excluded=np.load(tmp_path / "hashes.npy")) as corpus:
        corpus.add(source, "train")
    assert paths(tmp_path / "train.jsonl") == ["one==1.0/innocent.py"]
    assert corpus.dropped == {"shares text with an evaluation set": 3}


def test_a_failed_run_leaves_the_previous_corpus(tmp_path):
    (tmp_path / "train.jsonl").write_text("previous\n")

    def fail():
        with corpus_in(tmp_path) as corpus:
            corpus.add(Source("one", "1.0", "MIT", "", {"a.py": module(1).encode()}), "train")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "train.jsonl").read_text() == "previous\n"


def test_an_installed_distribution_gives_its_python_files(tmp_path):
    info = tmp_path / "one-1.0.dist-info"
    info.mkdir()
    (tmp_path / "one.py").write_text(INNOCENT)
    (tmp_path / "one.txt").write_text("no")
    (info / "METADATA").write_text("Name: one\nVersion: 1.0\nLicense: MIT\n")
    (info / "RECORD").write_text("one.py,,\none.txt,,\ngone.py,,\n../bin/script.py,,\n")
    source = installed_source(PathDistribution(info))
    assert (source.name, source.version, source.license) == ("one", "1.0", "MIT")
    assert source.files == {"one.py": INNOCENT.encode()}


def test_an_installed_distribution_without_a_clear_license_is_refused(tmp_path):
    info = tmp_path / "one-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: one\nVersion: 1.0\n")
    with pytest.raises(RefusedError, match="not clear"):
        installed_source(PathDistribution(info))


def test_a_wheel_is_identified_by_its_archive(tmp_path):
    write_wheel(tmp_path / "a", "one==1.0", {"one.py": module(1)})
    write_wheel(tmp_path / "b", "one==1.0", {"one.py": module(2)})
    first, second = (pinned_wheel("one==1.0", tmp_path / cache, offline=True) for cache in "ab")
    assert first.license == "MIT"
    assert first.files == {"one.py": module(1).encode()}
    assert len(first.sha256) == 64
    assert first.sha256 != second.sha256


def test_what_was_not_downloaded_is_refused_offline(tmp_path):
    with pytest.raises(RefusedError, match="not downloaded"):
        pinned_wheel("one==1.0", tmp_path, offline=True)


def test_installed_packages_join_and_stand_in_for_wheels_that_are_missing(tmp_path, monkeypatch):
    here = []
    for number, name in enumerate(["one", "other", "measured", "wheeled"]):
        info = tmp_path / "site" / f"{name}-9.dist-info"
        info.mkdir(parents=True)
        (tmp_path / "site" / f"{name}.py").write_text(module(number))
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 9\nLicense: MIT\n")
        (info / "RECORD").write_text(f"{name}.py,,\n")
        here.append(PathDistribution(info))
    monkeypatch.setattr(packages, "installed", lambda: here)
    monkeypatch.setattr(command, "standard_library", lambda: iter(()))
    write_wheel(tmp_path / "wheels", "wheeled==1.0", {"wheeled/a.py": module(9)})
    plan = list(
        listed(["one==1.0", "wheeled==1.0", "absent==1.0"], ["measured==1.0"]).plan(tmp_path, True, True)
    )
    with corpus_in(tmp_path) as corpus:
        refused = command.gather(corpus, plan)
    assert refused == {"absent==1.0": "not downloaded"}
    assert paths(tmp_path / "train.jsonl") == [
        "one==9/one.py",
        "wheeled==1.0/wheeled/a.py",
        "other==9/other.py",
    ]
    assert paths(tmp_path / "heldout.jsonl") == ["measured==9/measured.py"]


def test_tests_come_last_so_that_a_cap_meets_them_first(tmp_path):
    files = {f"one/tests/test_{n}.py": module(n).encode() for n in range(5)} | {
        "one/a.py": module(9).encode()
    }
    with corpus_in(tmp_path, cap=len(module(9).encode()) + 10) as corpus:
        corpus.add(Source("one", "1.0", "MIT", "", files), "train")
    assert paths(tmp_path / "train.jsonl") == ["one==1.0/one/a.py"]


def test_the_committed_list_is_sound():
    packages = Packages.read(command._PACKAGES)
    for registry in (packages.python, packages.npm):
        pins = registry["train"] + registry["heldout"]
        names = {pin.partition("==")[0] for pin in pins}
        assert len(names) == len(pins), "a package is listed twice or in both splits"
        assert all(pin.count("==") == 1 for pin in pins)
        assert names.isdisjoint(packages.forbidden)
    assert len(packages.python["heldout"]) >= 7


def test_the_metadata_of_a_copied_package_does_not_count(tmp_path):
    inner = "Metadata-Version: 2.4\nName: inner\nVersion: 2\nLicense-Expression: MIT\n"
    files = {"one.py": module(1), "a_vendor/inner-2.dist-info/METADATA": inner}
    write_wheel(tmp_path, "one==1.0", files, "License-Expression: GPL-3.0-only")
    with pytest.raises(RefusedError, match="GPL"):
        pinned_wheel("one==1.0", tmp_path, offline=True)


def test_a_broken_wheel_is_refused_and_named(tmp_path):
    folder = tmp_path / "one-1.0"
    folder.mkdir()
    (folder / "one-1.0-py3-none-any.whl").write_bytes(b"half a download")
    with pytest.raises(RefusedError, match=r"one-1\.0-py3-none-any\.whl"):
        pinned_wheel("one==1.0", tmp_path, offline=True)


@pytest.mark.parametrize("content", [None, "not json\n", '{"question": "?"}\n'])
def test_a_useless_evaluation_file_is_said_to_be_so(tmp_path, content, monkeypatch):
    monkeypatch.setattr(command, "_EXCLUDED", tmp_path / "hashes.npy")
    if content is not None:
        (tmp_path / "set.jsonl").write_text(content)
    with pytest.raises(SystemExit, match="corpus: "):
        command.main(["--hash-evaluation", str(tmp_path / "set.jsonl")])
    assert not (tmp_path / "hashes.npy").exists()
