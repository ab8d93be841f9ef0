"""The process that runs a model's code: run as a script by `sandbox.py`, and imports nothing of the package.

Takes its job from standard input, and answers on standard output with the job's token, once all parts have run to
their ends. So a program that ends the process early, whatever its exit status, has not passed.
"""

import json
import os
import resource
import sys

_REFUSED = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.kill",
)


def main() -> None:
    """Run the job on standard input."""
    job = json.loads(sys.stdin.buffer.read())
    answer = os.dup(sys.stdout.fileno())
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    for limit, most in (
        (resource.RLIMIT_AS, job["memory_bytes"]),
        (resource.RLIMIT_FSIZE, job["file_bytes"]),
        (resource.RLIMIT_CPU, job["cpu_seconds"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    sys.addaudithook(_refuse)
    names: dict[str, object] = {"__name__": "program"}
    for part in job["parts"]:
        exec(compile(part, "<program>", "exec"), names)
    os.write(answer, job["token"].encode())


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse the network, other processes and signals, for systems that offer no namespaces."""
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event} is not allowed here")


if __name__ == "__main__":
    main()
