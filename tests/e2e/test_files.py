"""W16: wsgi.file_wrapper, with real files and things that only look like them."""

import os

import pytest
from harness import cgi, fastcgi
from harness.daemon import Daemon
from harness.fastcgi import KEEP

MEBIBYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def daemon():
    with Daemon("files") as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of three MiB and a bit, at borders of nothing."""
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(MEBIBYTE * 3 + b"and a bit")
    return path


@pytest.mark.parametrize("offset", [0, 1, 65528, 3_000_000])
@pytest.mark.parametrize("app", ["real", "without_descriptor", "wrapped_in_generator"])
def test_W16_a_file_from_its_offset(daemon, file, app, offset):
    mark = daemon.mark()
    answer = daemon.get("/" + app, query=str(file), HTTP_OFFSET=str(offset))
    assert answer.body == file.read_bytes()[offset:]
    daemon.wait_line("file closed", since=mark)


def test_W16_a_real_file_gives_its_length(daemon, file):
    size = file.stat().st_size
    assert daemon.get("/real", query=str(file)).header("Content-Length") == str(size)


def test_W16_an_offset_at_the_end_gives_nothing(daemon, file):
    size = str(file.stat().st_size)
    answer = daemon.get("/real", query=str(file), HTTP_OFFSET=size)
    assert answer.status == 200 and answer.body == b""


def test_W16_an_empty_file(daemon, tmp_path):
    (tmp_path / "empty").touch()
    assert daemon.get("/real", query=str(tmp_path / "empty")).body == b""


def test_W16_the_applications_length_limits_the_file(daemon, file):
    answer = daemon.get("/limited", query=str(file))
    assert answer.body == file.read_bytes()[:10]


def test_W16_bytesio_from_its_offset(daemon):
    assert daemon.get("/in_memory").body == MEBIBYTE


def test_W16_a_file_without_a_name(daemon):
    assert daemon.get("/unlinked").body == MEBIBYTE


def test_W16_a_descriptor_that_is_no_file(daemon):
    assert daemon.get("/from_pipe").body == b"through a pipe"


def test_W16_head_sends_no_file(daemon, file):
    answer = daemon.get("/real", query=str(file), method="HEAD")
    assert answer.body == b"" and answer.header("Content-Length") == str(file.stat().st_size)


def test_W16_over_scgi(daemon, file):
    assert daemon.get_scgi("/real", query=str(file)).body == file.read_bytes()


def test_W16_several_on_a_kept_connection(daemon, file):
    fields = cgi.variables("/real", query=str(file))
    with daemon.connect() as connection:
        ids = range(1, 6)
        connection.send(b"".join(fastcgi.request(fields, b"", each, KEEP) for each in ids))
        for each in ids:
            assert connection.answer(each).body == file.read_bytes()


def test_W16_a_client_that_goes_away_closes_the_file(daemon, tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as sparse:
        os.truncate(sparse.fileno(), 100 << 20)
    mark = daemon.mark()
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/real", query=str(path))))
        assert next(connection.blocks())
    daemon.wait_line("file closed", since=mark)
    assert daemon.get("/sized", query="3").body == b"\0\1\2"


def test_W16_a_slow_reader_of_a_file_costs_no_thread(daemon, tmp_path):
    """Files leave from the gateway: more of them are on their way than there are threads."""
    path = tmp_path / "sparse"
    with open(path, "wb") as sparse:
        os.truncate(sparse.fileno(), 20 << 20)
    mark = daemon.mark()
    connections = [daemon.connect() for _ in range(6)]
    for connection in connections:
        connection.send(fastcgi.request(cgi.variables("/real", query=str(path))))
        daemon.wait_line("file closed", since=mark)
        mark = daemon.mark()
    for connection in connections:
        assert sum(map(len, connection.blocks())) > 20 << 20
        connection.close()
