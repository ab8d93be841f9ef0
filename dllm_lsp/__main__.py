"""`python -m dllm_lsp` is the console script `dllm-lsp`."""

import sys

from dllm_lsp.cli import main

sys.exit(main())
