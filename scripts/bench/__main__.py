"""Measure latency, time to start and memory: see `python scripts/bench --help`."""

import os
import sys
from pathlib import Path

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # as the engine's process has it, before torch is imported
sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.command import main

main()
