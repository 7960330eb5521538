"""Large, slow and many: none of them may stop the others (issue 2, point 8)."""

import contextlib
import hashlib
import threading

import pytest
from harness import cgi, fastcgi, scgi, sockets
from harness.daemon import Daemon
from harness.fastcgi import KEEP

BLOCK = bytes(range(256)) * 4096
MEBIBYTES = 200


@pytest.fixture(scope="module")
def daemon():
    with Daemon("files") as running:
        yield running


def expected_digest():
    checksum = hashlib.sha256()
    for _ in range(MEBIBYTES):
        checksum.update(BLOCK)
    return f"{MEBIBYTES << 20} {checksum.hexdigest()}"


@pytest.mark.parametrize("buffering", ["yes", "no"])
def test_upload_of_200_mebibytes(start, buffering):
    daemon = start("files", f"--request-buffering={buffering}")
    fields = cgi.variables("/upload", "POST", length=MEBIBYTES << 20)
    records = fastcgi.stream(fastcgi.STDIN, 1, BLOCK)
    with daemon.connect(timeout=30) as connection:
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        for _ in range(MEBIBYTES):
            connection.send(records)
        connection.send(fastcgi.record(fastcgi.STDIN, 1))
        assert connection.answer().text == expected_digest()


def test_upload_of_200_mebibytes_over_scgi(daemon):
    fields = scgi.variables("/upload", "POST", MEBIBYTES << 20)
    with sockets.connect(daemon.scgi, timeout=30) as connection:
        connection.sendall(scgi.netstring(scgi.headers(fields)))
        for _ in range(MEBIBYTES):
            connection.sendall(BLOCK)
        assert cgi.parse(scgi.read_all(connection)).text == expected_digest()


def test_download_of_200_mebibytes(daemon):
    checksum, size = hashlib.sha256(), 0
    with daemon.connect(timeout=30) as connection:
        connection.send(fastcgi.request(cgi.variables("/download", query=str(MEBIBYTES))))
        blocks = connection.blocks()
        head = next(blocks)
        while b"\r\n\r\n" not in head:
            head += next(blocks)
        piece = head.partition(b"\r\n\r\n")[2]
        while piece is not None:
            checksum.update(piece)
            size += len(piece)
            piece = next(blocks, None)
    assert f"{size} {checksum.hexdigest()}" == expected_digest()


def test_500_idle_kept_connections_while_others_work(daemon):
    request = fastcgi.request(cgi.variables("/sized", query="5"), flags=KEEP)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(daemon.connect()) for _ in range(500)]
        for connection in idle:
            connection.send(request)
            assert connection.answer().status == 200
        for _ in range(50):
            assert daemon.get("/sized", query="5").body == b"\0\1\2\3\4"
        for connection in idle:
            connection.send(request)
        assert all(connection.answer().status == 200 for connection in idle)


def test_50_dripping_bodies_while_others_are_answered(daemon):
    """With two threads: a body that is not whole takes none of them."""
    fields = cgi.variables("/upload", "POST", length=20)
    checksum = hashlib.sha256(b"x" * 20).hexdigest()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(daemon.connect()) for _ in range(50)]
        for connection in slow:
            connection.send(fastcgi.begin() + fastcgi.params(fields))
        for _ in range(20):
            for connection in slow:
                connection.send(fastcgi.record(fastcgi.STDIN, 1, b"x"))
            assert daemon.get("/sized", query="1").body == b"\0"
        for connection in slow:
            connection.send(fastcgi.record(fastcgi.STDIN, 1))
            assert connection.answer().text == f"20 {checksum}"


def test_50_slow_readers_while_others_are_answered(daemon):
    """Responses below response-buffer leave the application at once, whoever reads them."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(daemon.connect()) for _ in range(50)]
        for connection in slow:
            connection.send(fastcgi.request(cgi.variables("/sized", query="900000")))
        assert daemon.get("/sized", query="1").body == b"\0"
        for connection in slow:
            assert len(connection.answer().body) == 900_000


def test_client_gone_in_the_middle_of_a_download(daemon):
    workers = daemon.workers
    for _ in range(5):
        mark = daemon.mark()
        with daemon.connect() as connection:
            connection.send(fastcgi.request(cgi.variables("/interrupted")))
            blocks = connection.blocks()
            assert sum(len(next(blocks)) for _ in range(20)) > 0
        daemon.wait_line("download ended", since=mark)
    assert daemon.workers == workers and daemon.get("/sized", query="2").body == b"\0\1"


def test_requests_one_after_the_other_on_a_kept_connection(daemon):
    with daemon.connect() as connection:
        for size in (0, 1, 100_000, 7, 1_000_000, 0, 65536):
            fields = cgi.variables("/echo", "POST", length=size)
            connection.send(fastcgi.request(fields, BLOCK[:size], flags=KEEP))
            assert connection.answer().body == BLOCK[:size]


def test_pipelined_requests_with_bodies(daemon):
    """Written without waiting for answers, under different ids, from a thread of their own."""
    sizes = {each: each * 30_000 for each in range(1, 30)}
    with daemon.connect() as connection:

        def send():
            for each, size in sizes.items():
                fields = cgi.variables("/echo", "POST", length=size)
                connection.send(fastcgi.request(fields, BLOCK[:size], each, KEEP))

        sender = threading.Thread(target=send)
        sender.start()
        for each, size in sizes.items():
            assert connection.answer(each).body == BLOCK[:size]
        sender.join()


def test_many_connections_at_once(daemon):
    """20 threads, each with a connection for every request."""
    failures = []

    def work(number):
        for turn in range(20):
            size = number * 1000 + turn
            if daemon.get("/sized", query=str(size)).body != BLOCK[:size]:
                failures.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
