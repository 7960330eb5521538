"""Much data through TLS, in both directions, and readers that are slow."""

import hashlib
import os
import socket
import threading

import pytest
from harness import cgi, fastcgi, scgi, tls

MEBIBYTES = 200 if os.environ.get("PYCGID_SLOWNESS", "1") == "1" else 24
MEBIBYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def files(identity):
    with tls.TlsDaemon("files", identity, "--max-body", "1G") as running:
        yield running


def make_file(path, size):
    """About `size` MiB without repetition at the size of a record; returns their checksum."""
    checksum = hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(size):
            block = number.to_bytes(5, "big") + MEBIBYTE[5:-1]
            checksum.update(block)
            file.write(block)
    return checksum.hexdigest()


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A large file and its checksum."""
    path = tmp_path_factory.mktemp("content") / "file"
    return path, make_file(path, MEBIBYTES)


def send_body(connection, size):
    """A POST of `size` MiB; returns the body's checksum."""
    fields = cgi.variables("/upload", "POST", length=size << 20)
    connection.send(fastcgi.begin() + fastcgi.params(fields))
    checksum = hashlib.sha256()
    for number in range(size):
        block = number.to_bytes(5, "big") + MEBIBYTE[5:]
        checksum.update(block)
        connection.send(fastcgi.stream(fastcgi.STDIN, 1, block))
    connection.send(fastcgi.record(fastcgi.STDIN, 1))
    return checksum.hexdigest()


def test_a_large_upload(files, client):
    with tls.fastcgi_connection(files.port, client, 60) as connection:
        checksum = send_body(connection, MEBIBYTES)
        assert connection.answer().text == f"{MEBIBYTES << 20} {checksum}"


@pytest.mark.parametrize("path", ["/real", "/wrapped_in_generator"])
def test_a_large_download(files, client, content, path):
    name, expected = content
    checksum = hashlib.sha256()
    with tls.fastcgi_connection(files.port, client, 60) as connection:
        connection.send(fastcgi.request(cgi.variables(path, query=str(name))))
        blocks = connection.blocks()
        checksum.update(next(blocks).partition(b"\r\n\r\n")[2])
        for block in blocks:
            checksum.update(block)
    assert checksum.hexdigest() == expected


def test_a_large_download_by_scgi(files, client, content):
    name, expected = content
    checksum = hashlib.sha256()
    with tls.connect(files.scgi_port, client, 60) as connection:
        connection.sendall(scgi.request("/real", query=str(name)))
        _, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        checksum.update(body)
        while piece := connection.recv(65536):
            checksum.update(piece)
    assert checksum.hexdigest() == expected


def test_both_directions_at_once(files, client):
    """Uploads and downloads of several connections, while each waits for the other side."""
    failures = []

    def work():
        try:
            with tls.fastcgi_connection(files.port, client, 60) as connection:
                checksum = send_body(connection, 8)
                assert connection.answer().text == f"{8 << 20} {checksum}"
            answer = tls.fetch(files.port, client, cgi.variables("/download", query="8"))
            assert answer.body == MEBIBYTE * 8
        except Exception as error:  # A thread's failure is the test's.
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_slow_reader_gets_all_of_it(files, client, tmp_path):
    """The socket is full most of the time, in the middle of records, of bytes and of files."""
    name, mark = tmp_path / "file", files.mark()
    expected = make_file(name, 12)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(60)
    plain.connect(("127.0.0.1", files.port))
    with client.wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(fastcgi.request(cgi.variables("/real", query=str(name))))
        files.wait_line("file closed", 30, since=mark)
        checksum = hashlib.sha256()
        reader = fastcgi.Connection(None, connected=connection)
        blocks = reader.blocks()
        checksum.update(next(blocks).partition(b"\r\n\r\n")[2])
        for block in blocks:
            checksum.update(block)
        assert checksum.hexdigest() == expected
