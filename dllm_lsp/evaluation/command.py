"""Runs `dllm-lsp eval`: reads the cases, asks the model, prints and writes figures."""

from __future__ import annotations

import argparse
import asyncio

import torch

from dllm_lsp.engine.calibration import write_calibration
from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.evaluation.calibrate import CalibrationReport, calibrate
from dllm_lsp.evaluation.case import chosen
from dllm_lsp.evaluation.diagram import reliability_diagram
from dllm_lsp.evaluation.holes import KINDS, TYPED, cut_holes
from dllm_lsp.evaluation.human_eval import read_human_eval
from dllm_lsp.evaluation.quixbugs import read_quixbugs
from dllm_lsp.evaluation.repair import RepairReport, repair_report
from dllm_lsp.evaluation.report import Report, report, write_json
from dllm_lsp.evaluation.sources import read_sources
from dllm_lsp.evaluation.typing_report import TypingReport, typing_report
from dllm_lsp.hub import fetched
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.settings import Settings
from dllm_lsp.training.corpus.filters import is_ordinary
from dllm_lsp.training.repository import read_repository


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Run what the command line says; raise ValueError, OSError, CheckpointError or ServerError."""
    found = {
        "human-eval-infilling": _human_eval,
        "holes": _holes,
        "repair": _repair,
        "calibrate": _calibrate,
        "typing": _typing,
    }[options.evaluation](options, settings)
    if options.json:
        write_json(options.json, found)
    print(found)


def _human_eval(options: argparse.Namespace, settings: Settings) -> Report:
    cases = list(chosen(read_human_eval(options.path), options.cases, options.limit))
    return report(_writer(options, settings), cases)


def _holes(options: argparse.Namespace, settings: Settings) -> Report:
    cases = cut_holes(read_sources(options.path, options.language), options.seed, options.kinds or KINDS)
    return report(_writer(options, settings), list(chosen(cases, options.cases, options.limit)))


def _repair(options: argparse.Namespace, settings: Settings) -> RepairReport:
    bugs = list(chosen(read_quixbugs(options.path), options.cases, options.limit))
    writer = _writer(options, settings)
    checkpoint = load_checkpoint(fetched(settings.model), torch.device(writer.engine.device))
    return repair_report(writer, checkpoint, bugs)


def _calibrate(options: argparse.Namespace, settings: Settings) -> CalibrationReport:
    """Write the calibration into the checkpoint's folder, and the diagram where it is asked for."""
    writer = _writer(options, settings)
    writer.engine.calibration = {}
    files = read_sources(options.path, options.language)
    report = calibrate(writer, files, options.seed, options.limit)
    write_calibration(fetched(settings.model), {options.language: report.calibration})
    if options.diagram:
        title = f"{len(report.answers)} holes in {len(report.reported_on)} packages"
        options.diagram.write_text(reliability_diagram(report.bins, title), encoding="utf-8")
    return report


def _typing(options: argparse.Namespace, settings: Settings) -> TypingReport:
    folder = options.path.resolve()
    if not folder.is_dir():
        raise ValueError(f"{options.path} is not a folder")
    files = [file for file in read_repository(folder) if is_ordinary(file.path, file.text)]
    if not files:
        raise ValueError(f"{options.path} holds no code that somebody has typed")
    cases = list(chosen(cut_holes(files, options.seed, [TYPED]), options.cases, options.limit))
    return asyncio.run(typing_report(settings, folder, cases, by_word=options.words))


def _writer(options: argparse.Namespace, settings: Settings) -> Writer:
    threads = options.threads or settings.engine.threads
    engine = settings.engine
    return Writer.load(settings.model, engine.device, threads, options.effort, precision=engine.precision)
