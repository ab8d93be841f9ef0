import platform
import subprocess
import sys

import pytest

_CODE = """
import psutil
from dllm_lsp.host.memory import trim
kept = [bytearray(100_000) for _ in range(2_000)]
pins = [kept[i] for i in range(0, 2_000, 50)]  # so that the heap does not shrink by itself
del kept
before = psutil.Process().memory_info().rss
trim()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_what_is_free_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) > 50_000_000
