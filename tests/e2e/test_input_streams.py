"""wsgi.input in the hands of what wants a whole binary stream of module io; files whose size is not
what the kernel says; an exc_info of nothing."""

import csv
import gzip
import io
import json
import os
import tarfile
import textwrap
import zipfile

import pytest
from harness import cgi, fastcgi

APPLICATION = """
import csv, gzip, io, json, os, sys, tarfile, tempfile, warnings, zipfile
warnings.simplefilter("ignore")

def text_wrapper(source):
    return list(io.TextIOWrapper(source, "utf-8", newline=""))
def text_read(source):
    return io.TextIOWrapper(source, "utf-8").read()
def text_then_again(source):
    first = io.TextIOWrapper(source, "utf-8").readline()
    import gc; gc.collect()
    return [first, source.closed, type(source.read()).__name__]
def text_detached(source):
    wrapper = io.TextIOWrapper(source, "utf-8")
    return wrapper.detach() is source
def buffered(source):
    reader = io.BufferedReader(source)
    return [reader.peek(1)[:1].decode(), reader.readline().decode(), len(reader.read(5)),
            reader.read().decode()]
def buffered_whole(source):
    return io.BufferedReader(source, 16).read().decode()
def readinto(source):
    buffer, got = bytearray(7), []
    while size := source.readinto(buffer):
        got.append(buffer[:size].decode("latin-1"))
    return got
def readinto_array(source):
    import array
    numbers = array.array("H", [0] * 4)
    return [source.readinto(numbers), numbers.tobytes().decode("latin-1")]
def readinto_read_only(source):
    try:
        source.readinto(b"xxxx")
    except (TypeError, BufferError) as error:
        return type(error).__name__
def readinto1_whole(source):
    buffer, got = bytearray(64), b""
    while size := source.readinto1(buffer):
        got += buffer[:size]
    return got.decode()
def read1_whole(source):
    return "".join(part.decode() for part in iter(source.read1, b""))
def read1_sizes(source):
    return [source.read1(0).decode(), source.read1(3).decode(), len(source.read1(5))]
def kinds(source):
    return [source.readable(), source.writable(), source.seekable(), source.isatty(),
            source.closed, source.flush(), source.close(), source.closed]
def with_statement(source):
    with source as same:
        return same.read(4).decode()
def load_json(source):
    return json.load(source)
def rows(source):
    return list(csv.DictReader(io.TextIOWrapper(source, "utf-8", newline="")))
def tar_stream(source):
    with tarfile.open(fileobj=source, mode="r|*") as archive:
        return {each.name: archive.extractfile(each).read().decode() for each in archive}
def gzip_stream(source):
    return gzip.open(source, "rt").read()
def zip_copy(source):
    copy = tempfile.TemporaryFile()
    __import__("shutil").copyfileobj(source, copy)
    with zipfile.ZipFile(copy) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}
def parse_xml(source):
    from lxml import etree
    return [each.text for each in etree.parse(source).getroot()]
def iterparse_xml(source):
    from lxml import etree
    return [each.text for _, each in etree.iterparse(source, tag="b")]
def sax(source):
    import xml.etree.ElementTree as tree
    return [each.text for each in tree.parse(source).getroot()]
def form(source):
    import cgi
    fields = cgi.FieldStorage(fp=source, environ=ENVIRON, keep_blank_values=True)
    return {name: [each.value if isinstance(each.value, str) else each.value.decode()
                   for each in fields[name]] if isinstance(fields[name], list)
            else (fields[name].value if isinstance(fields[name].value, str)
                  else fields[name].value.decode()) for name in fields}
def form_of_werkzeug(source):
    from werkzeug.wrappers import Request
    request = Request(ENVIRON)
    return {**request.form, **{name: file.read().decode() for name, file in request.files.items()}}
def form_of_django(source):
    import django
    from django.conf import settings
    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")
        django.setup()
    from django.core.handlers.wsgi import WSGIRequest
    request = WSGIRequest(ENVIRON)
    return {**request.POST.dict(), **{k: f.read().decode() for k, f in request.FILES.items()}}

def application(environ, start_response):
    global ENVIRON
    ENVIRON = environ
    path = environ["PATH_INFO"][1:]
    if path == "kept":
        answer = [KEPT.closed, KEPT.readable()]
    elif path == "sent":
        start_response("200 OK", [("Content-Type", "text/plain")])
        file = open(environ["QUERY_STRING"], "rb")
        file.seek(int(environ.get("HTTP_OFFSET", "0")))
        return environ["wsgi.file_wrapper"](file)
    elif path == "exc_info":
        start_response("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"no exception"]
    elif path == "exc_info_twice":
        start_response("200 OK", [("Content-Type", "text/plain")])
        start_response("200 OK", [("Content-Type", "text/plain")], (None, None, None))
    else:
        globals()["KEPT"] = environ["wsgi.input"]
        answer = globals()[path](environ["wsgi.input"])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"""

TEXT = "first\r\nsecond ä\n\nlast"
LONG = "".join(f"line {number} € {number**2}\n" for number in range(20000))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    directory = tmp_path_factory.mktemp("streams")
    os.chmod(directory, 0o755)
    (directory / "streams.py").write_text(textwrap.dedent(APPLICATION))
    return directory


@pytest.fixture(scope="module", params=["buffered", "file", "streamed"])
def daemon(request, site):
    options = {
        "buffered": ("--body-buffer", "16M"),
        "file": ("--body-buffer", "0"),
        "streamed": ("--request-buffering=no",),
    }[request.param]
    with fastcgi_daemon("streams", *options, chdir=str(site)) as running:
        yield running


def fastcgi_daemon(*arguments, **more):
    from harness.daemon import Daemon

    return Daemon(*arguments, **more)


def ask(daemon, name, body, **more):
    body = body if isinstance(body, bytes) else body.encode()
    answer = daemon.post(f"/{name}", body, **more)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize("text", [TEXT, LONG, ""], ids=["short", "long", "empty"])
def test_text_and_buffers_around_it(daemon, text):
    assert ask(daemon, "text_wrapper", text) == list(io.StringIO(text, newline=""))
    assert ask(daemon, "text_read", text) == text.replace("\r\n", "\n")
    assert ask(daemon, "buffered_whole", text) == text
    assert ask(daemon, "readinto1_whole", text) == text
    assert "".join(ask(daemon, "readinto", text)).encode("latin-1").decode() == text
    assert ask(daemon, "text_detached", text) is True


@pytest.mark.parametrize("text", [TEXT, LONG], ids=["short", "long"])
def test_a_buffered_reader_around_it(daemon, text):
    line = text.splitlines(keepends=True)[0]
    peeked, first, size, rest = ask(daemon, "buffered", text)
    assert (peeked, first, size) == (text[0], line, 5)
    assert line + text[len(line) : len(line) + 5] + rest == text


def test_a_text_wrapper_that_is_dropped_leaves_it_open(daemon):
    assert ask(daemon, "text_then_again", LONG) == ["line 0 € 0\n", False, "bytes"]


def test_its_kind(daemon):
    expected = [True, False, False, False, False, None, None, False]
    assert ask(daemon, "kinds", TEXT) == expected
    assert ask(daemon, "with_statement", TEXT) == "firs"


def test_sizes_of_read1_and_readinto(daemon):
    assert ask(daemon, "read1_sizes", "0123456789") == ["", "012", 5]
    assert ask(daemon, "readinto_array", "0123456789") == [8, "01234567"]
    assert ask(daemon, "readinto_read_only", "0123") in ("TypeError", "BufferError")


def test_it_is_closed_when_its_request_is_over(daemon):
    assert ask(daemon, "kinds", TEXT)[0] is True
    assert json.loads(daemon.get("/kept").body) == [True, True]


def test_what_parses_streams(daemon):
    assert ask(daemon, "load_json", '{"a": [1, "ä"]}') == {"a": [1, "ä"]}
    expected = [{"a": "1", "b": "x\ny"}, {"a": "2", "b": "ä"}]
    assert ask(daemon, "rows", 'a,b\r\n1,"x\ny"\r\n2,ä\r\n') == expected
    assert list(csv.DictReader(io.StringIO("a\r\n1\r\n")))  # The same module here.
    items = "".join(f"<b>{number}</b>" for number in range(5000))
    for name in ("parse_xml", "iterparse_xml", "sax"):
        if name != "sax":
            pytest.importorskip("lxml")
        assert ask(daemon, name, f"<a>{items}</a>") == [str(number) for number in range(5000)]


def test_archives_as_streams(daemon):
    files = {"one": "1" * 100000, "two": "zwei"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    assert ask(daemon, "tar_stream", out.getvalue()) == files
    assert ask(daemon, "gzip_stream", gzip.compress(LONG.encode())) == LONG
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    assert ask(daemon, "zip_copy", out.getvalue()) == files


FORM = (
    b"--xx\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n"
    b'--xx\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\n" + b"content\r\n" * 20000 + b"\r\n--xx--\r\n"
)


@pytest.mark.parametrize("parser", ["form", "form_of_werkzeug", "form_of_django"])
def test_forms(daemon, parser):
    for library in ("werkzeug", "django"):
        if library in parser:
            pytest.importorskip(library)
    found = ask(daemon, parser, FORM, CONTENT_TYPE="multipart/form-data; boundary=xx")
    assert found == {"field": "value", "file": "content\r\n" * 20000}
    kind = "application/x-www-form-urlencoded"
    assert ask(daemon, parser, "a=1&b=%C3%A4", CONTENT_TYPE=kind) == {"a": "1", "b": "ä"}


def test_a_reader_of_a_body_that_still_comes_is_not_kept_waiting(start, site):
    """read1 and readinto give what is there; TextIOWrapper asks by read1."""
    (site / "live.py").write_text(
        textwrap.dedent(
            """
            import io
            def application(environ, start_response):
                source = environ["wsgi.input"]
                start_response("200 OK", [("Content-Type", "text/plain")])
                yield source.read1(100) + b","
                buffer = bytearray(100)
                yield bytes(buffer[:source.readinto(buffer)]) + b","
                yield io.TextIOWrapper(source).readline().encode()
            """
        )
    )
    daemon = start("live", "--request-buffering=no", chdir=str(site))
    with daemon.connect() as connection:
        fields = cgi.variables("/", "POST", length=9)
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        blocks = connection.blocks()
        got = b""
        for part, until in ((b"one", b"one,"), (b"two", b"one,two,"), (b"end\n", b"end\n")):
            connection.send(fastcgi.record(fastcgi.STDIN, 1, part[:3]))
            if part == b"end\n":
                connection.send(fastcgi.record(fastcgi.STDIN, 1))
                until = b"end"
            while not got.endswith(until):
                got += next(blocks)


def pseudo_files():
    candidates = ["/proc/self/status", "/proc/self/maps", "/proc/version",
                  "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/uevent_seqnum",
                  "/sys/class/net/lo/mtu"]
    return [path for path in candidates if os.access(path, os.R_OK)]


@pytest.mark.parametrize("path", pseudo_files())
def test_a_file_that_the_kernel_makes_up_is_sent_to_its_end(daemon, path):
    sent = daemon.get("/sent", query=path)
    with open(path, encoding="latin-1") as file:
        here = file.read()
    assert sent.status == 200 and len(sent.body) > 0
    if "self" not in path:
        assert sent.body.decode("latin-1") == here
        half = daemon.get("/sent", query=path, HTTP_OFFSET="1")
        assert half.body == sent.body[1:]
    else:
        last = here.splitlines()[-1].split()[-1]
        assert last.startswith("[") or "ctxt_switches" in sent.body.decode("latin-1")


def test_an_empty_and_a_sparse_file_are_sent_whole(daemon, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(300_000)
    assert daemon.get("/sent", query=str(tmp_path / "empty")).body == b""
    assert daemon.get("/sent", query=str(tmp_path / "sparse")).body == bytes(300_000)


def test_exc_info_of_no_exception_is_none(daemon):
    assert daemon.get("/exc_info").body == b"no exception"
    daemon.expect("start_response was called a second time", r" streams/\d\[\d+\]: ")
    assert daemon.get("/exc_info_twice").status == 500
