"""The corpus command: gather the corpus, or hash evaluation sets so that the corpus can avoid them."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.corpus import report
from dllm_lsp.training.corpus.gather import Corpus
from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.packages import Packages, Step
from dllm_lsp.training.corpus.shingles import telling_shingles
from dllm_lsp.training.corpus.sources import canonical, standard_library
from dllm_lsp.training.files import read_files
from dllm_lsp.training.snippets import SnippetTable

_PACKAGES = Path(__file__).parents[1] / "packages.toml"
_EXCLUDED = Path(__file__).parents[1] / "evaluation_shingles.npy"
_TOKENIZER = Path(__file__).parents[2] / "models" / "bundled" / "tokenizer.json"
_PROGRAM_FIELDS = (("prompt", "canonical_solution", "suffix"), ("buggy_program",), ("solution",))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default).

    Ends the process with a message when a file cannot be used or when a listed package could not be had.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.hash_evaluation:
            hash_evaluation(options.hash_evaluation, _EXCLUDED)
        else:
            _gather_all(options)
    except (OSError, ValueError) as error:
        raise SystemExit(f"corpus: {error}") from error


def _gather_all(options: argparse.Namespace) -> None:
    packages, tokenizer = Packages.read(_PACKAGES), Tokenizer.load(_TOKENIZER)
    cap = int(options.source_megabytes * 1e6)
    plan = list(packages.plan(options.out, options.offline, options.installed))
    with Corpus(options.out, np.load(_EXCLUDED, allow_pickle=False), packages.forbidden, cap) as corpus:
        refused = gather(corpus, tqdm(plan, unit="package"))
    for line in report.lines(corpus, refused, tokenizer):
        print(line)
    for split in ("train", "heldout"):
        SnippetTable.build(read_files(options.out / f"{split}.jsonl")).save(
            options.out / f"{split}.snippets.npz"
        )
    if not options.offline and (missing := [name for name in refused if "==" in name]):
        raise SystemExit(f"corpus: written, but without these listed packages: {', '.join(missing)}")


def gather(corpus: Corpus, plan: Iterable[Step]) -> dict[str, str]:
    """Add the standard library and what is planned to `corpus`. Returns the refused sources with the reasons."""
    refused: dict[str, str] = {}
    for source in standard_library():
        corpus.add(source, "train", capped=source.name != "python")
    for name, split, load in plan:
        try:
            if canonical(name.split("==")[0]) in corpus.forbidden:
                raise RefusedError("forbidden")
            corpus.add(load(), split)
        except RefusedError as refusal:
            refused[name] = str(refusal)
    return refused


def hash_evaluation(files: Sequence[Path], target: Path) -> None:
    """Write to `target` the shingles of every program in the JSON-lines `files` (gzip by the suffix .gz).

    Raises OSError or ValueError when a file cannot be read or holds no program.
    """
    hashes = [telling_shingles(program) for file in files for program in _programs(file)]
    if not hashes:
        raise ValueError(f"no row has the fields {' or '.join('+'.join(names) for names in _PROGRAM_FIELDS)}")
    np.save(target, np.unique(np.concatenate(hashes)))
    print(f"{target}: {sum(map(len, hashes))} shingles of {len(hashes)} programs")


def _programs(file: Path) -> Iterator[str]:
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    for row in map(json.loads, content.splitlines()):
        for fields in _PROGRAM_FIELDS:
            if all(field in row for field in fields):
                yield "".join(row[field] for field in fields)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="corpus", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--out", type=Path, metavar="FOLDER", help="gather the corpus into this folder")
    action.add_argument(
        "--hash-evaluation",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="hash these evaluation sets (JSON lines)",
    )
    parser.add_argument("--installed", action="store_true", help="add what is installed on this machine")
    parser.add_argument("--offline", action="store_true", help="do without what was not downloaded before")
    parser.add_argument(
        "--source-megabytes",
        type=float,
        default=8.0,
        metavar="MB",
        help="most text from one source (default: 8)",
    )
    return parser
