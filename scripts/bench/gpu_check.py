"""The check of a GPU: that every path on it is right, and how fast each is; writes tables into a folder.

Each part can be run by itself; a later run adds its part to what is in the folder already.
"""

from __future__ import annotations

import argparse
import platform
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from msgspec import json

from bench import gpu_paths, gpu_speed
from bench.gpu_model import Scale, full_scale, tiny_scale
from dllm_lsp.evaluation.tables import table

Row = dict[str, object]

PARTS: dict[str, Callable[[Scale], Iterable[Row]]] = {
    "paths": gpu_paths.paths,
    "floor": gpu_speed.floor,
    "steps": gpu_speed.steps,
    "naive": gpu_speed.naive,
    "suggestions": gpu_speed.suggestions,
    "compiled": gpu_speed.compiled,
}

TITLES = {
    "paths": "Results against the CPU's in float32: relative errors",
    "floor": "Reading the weights once",
    "steps": "One pass over a canvas, its context cached",
    "naive": "One step of transformers' Qwen2, made bidirectional, over everything",
    "suggestions": "Whole suggestions",
    "compiled": "One pass with compiled blocks",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts asked for; exit with status 1 if one failed or gave a wrong result."""
    options = _parser().parse_args(arguments)
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("gpu_check: PyTorch finds no NVIDIA GPU here; --tiny runs all of it on a CPU")
    scale = tiny_scale() if options.tiny else full_scale(torch.device("cuda"))
    options.out.mkdir(parents=True, exist_ok=True)
    good = [_run(part, scale, options.out) for part in options.part or PARTS]
    report = _report(options.out)
    (options.out / "report.md").write_text(report)
    print(report)
    raise SystemExit(0 if all(good) else 1)


def _run(part: str, scale: Scale, out: Path) -> bool:
    """Run a part and write its rows as they are found; return whether all went well."""
    began, problem = time.perf_counter(), ""
    rows: list[Row] = []
    try:
        for row in PARTS[part](scale):
            rows.append(row)
            print(part, *(f"{key} {_shown(value)}" for key, value in row.items()), sep=", ", flush=True)
    except Exception:  # a part that fails, for whatever reason, must not take the others with it
        problem = traceback.format_exc()
        print(problem, flush=True)
    record = {
        "part": part,
        "machine": _machine(scale.device),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": time.perf_counter() - began,
        "problem": problem,
        "rows": rows,
    }
    (out / f"{part}.json").write_bytes(json.format(json.encode(record)) + b"\n")
    return not problem and all(row.get("right", True) for row in rows)


def _report(out: Path) -> str:
    """Return the tables of all parts in the folder."""
    sections = []
    for part, title in TITLES.items():
        path = out / f"{part}.json"
        if not path.is_file():
            continue
        record = json.decode(path.read_bytes())
        lines = [f"## {title}", "", f"{record['date']}; {record['machine']}; {record['seconds']:.0f} s", ""]
        if record["rows"]:
            header = list(record["rows"][0])
            lines += [table(header, [[_shown(row[key]) for key in header] for row in record["rows"]]), ""]
        if record["problem"]:
            lines += ["This part failed:", "", "```", record["problem"].strip(), "```", ""]
        sections.append("\n".join(lines))
    return "\n".join(sections)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _machine(device: torch.device) -> str:
    name = platform.machine() if device.type == "cpu" else torch.cuda.get_device_name(device)
    cuda = f", CUDA {torch.version.cuda}" if device.type == "cuda" else ""
    return f"{name}; torch {torch.__version__}{cuda}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the tables go")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may be repeated")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on the CPU: does all of it run?")
    return parser
