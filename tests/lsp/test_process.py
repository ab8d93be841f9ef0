"""The server's process: how it starts, what it writes, and how it ends."""

import socket
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from raw_server import PATIENCE, RawServer


def test_shutdown_and_exit_end_it_well(server: RawServer) -> None:
    server.initialize()
    assert server.request(1, "shutdown")["result"] is None
    server.send({"method": "exit"})
    assert server.end() == 0
    assert server.messages.get(timeout=PATIENCE) is None  # nothing but messages was written


def test_exit_alone_ends_it(server: RawServer) -> None:
    server.initialize()
    server.send({"method": "exit"})
    assert server.end() == 1


@pytest.mark.parametrize("last", [b"", b"Content-Length: 100\r\n\r\n{", b"Content-"])
def test_a_client_that_closes_the_pipe_ends_it(server: RawServer, last: bytes) -> None:
    server.initialize()
    server.write(last)
    server.close()
    assert server.end() == 1


def test_it_ends_even_if_it_was_never_initialized(server: RawServer) -> None:
    server.close()
    assert server.end() == 1


def test_a_client_that_is_gone_ends_it_though_the_pipe_is_open(server: RawServer) -> None:
    client = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    server.initialize(processId=client.pid)
    server.receive_nothing_for(2.5)  # long enough for the client to be seen alive
    client.communicate(b"\n", timeout=PATIENCE)
    assert server.end() == 1


def test_a_client_in_another_container_does_not_end_it(server: RawServer) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(PATIENCE)
    server.initialize(processId=gone.pid)
    server.receive_nothing_for(2.5)
    assert server.request(1, "shutdown")["result"] is None


def test_an_abrupt_end_leaves_no_process(server: RawServer) -> None:
    server.initialize()
    process = psutil.Process(server.process.pid)
    assert process.children(recursive=True) == []
    server.process.kill()
    server.end()
    assert not psutil.pid_exists(process.pid)


def test_the_editors_half_is_small(server: RawServer) -> None:
    server.initialize()
    assert psutil.Process(server.process.pid).memory_info().rss < 80 * 1024 * 1024


@pytest.mark.parametrize(
    "junk",
    [
        b"Content-Length: 1\r\n\r\n{",
        b"Content-Length: 3\r\n\r\n[1]",
        b"Content-Length: 9999999999999\r\n\r\n",
        b"Content-Length: 2\r\n\r\n\xff\xfe",
        b'Content-Length: 27\r\n\r\n{"jsonrpc":"2.0","id":null}',
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x00" * 200_000 + b"\n",
    ],
)
def test_malformed_messages_are_survived(server: RawServer, junk: bytes) -> None:
    server.write(junk)
    assert server.initialize()["capabilities"]
    server.write(junk)
    assert server.request("next", "shutdown")["result"] is None


def test_messages_may_arrive_in_pieces(server: RawServer) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
    for byte in b"Content-Length: %d\r\n\r\n%b" % (len(body), body):
        server.write(bytes([byte]))
    assert "result" in server.receive(lambda message: message.get("id") == 1)


def serve_tcp(start: Callable[..., RawServer], command: list[str]) -> tuple[RawServer, tuple[str, int]]:
    at = command.index("--stdio")
    server = start(*command[:at], "--tcp", "127.0.0.1:0", *command[at + 1 :])
    return server, ("127.0.0.1", int(server.lines.get(timeout=PATIENCE).rpartition(":")[2]))


def send(client: socket.socket, *bodies: bytes) -> None:
    client.sendall(b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies))


INITIALIZE = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
STATUS = b'{"jsonrpc":"2.0","id":2,"method":"workspace/executeCommand","params":{"command":"dllm.status"}}'
EXIT = b'{"jsonrpc":"2.0","method":"exit"}'


def test_tcp_serves_one_client_after_another(
    start: Callable[..., RawServer], server_command: list[str]
) -> None:
    server, address = serve_tcp(start, server_command)
    for _ in range(2):
        with socket.create_connection(address, timeout=PATIENCE) as client:
            send(client, INITIALIZE, EXIT)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b'"capabilities"' in answer
    assert server.process.poll() is None


def test_tcp_clients_do_not_share_a_session(
    start: Callable[..., RawServer], server_command: list[str]
) -> None:
    _, address = serve_tcp(start, server_command)
    with (
        socket.create_connection(address, timeout=PATIENCE) as one,
        socket.create_connection(address, timeout=PATIENCE) as other,
    ):
        send(one, INITIALIZE)
        assert b'"capabilities"' in one.recv(65536)
        send(other, STATUS)
        assert b"-32002" in other.recv(65536)  # it has not initialized its own
        send(other, EXIT)
        assert other.recv(65536) == b""
        send(one, STATUS)
        assert b'"starting"' in one.recv(65536)
