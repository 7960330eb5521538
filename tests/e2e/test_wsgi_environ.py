"""PEP 3333: environ, as an application behind a FastCGI front server sees it (W1 to W4, W18 to
W20), and the paths of CONTRACT.md."""

import json

import pytest
from harness import cgi, fastcgi
from harness.daemon import Daemon


@pytest.fixture(scope="module")
def daemon():
    with Daemon("pep3333", env={"SECRET": "of the daemon"}) as running:
        yield running


def seen(daemon, **variables):
    return json.loads(daemon.get("/environ", **variables).body)


def test_W1_environ_is_a_dict_of_native_strings(daemon):
    shown = seen(daemon, HTTP_X_BYTES=b"\xff\xc3\xa9")
    assert shown["exact dict"] and shown["exact str"]
    assert shown["strings"]["HTTP_X_BYTES"] == "\xff\xc3\xa9"


def test_W1_environ_is_new_for_each_request(daemon):
    with daemon.connect() as connection:
        for _ in range(3):
            fields = cgi.variables("/environ")
            connection.send(fastcgi.request(fields, flags=fastcgi.KEEP))
            assert not json.loads(connection.answer().body)["marked"]


def test_W2_required_variables_are_there_and_not_empty(daemon):
    shown = seen(daemon, SERVER_NAME="", SERVER_PORT="", HTTP_HOST=None, query="a=%20&b")
    strings = shown["strings"]
    assert strings["REQUEST_METHOD"] == "GET" and strings["QUERY_STRING"] == "a=%20&b"
    assert strings["SERVER_NAME"] and strings["SERVER_PORT"].isdigit()
    assert strings["SERVER_PROTOCOL"] == "HTTP/1.1" and strings["wsgi.url_scheme"] == "http"
    assert shown["version"] == [1, 0]
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper"} < set(shown["has"])
    assert strings["pycgid.pool"] and strings["pycgid.version"]


def test_W2_empty_length_and_type_are_absent(daemon):
    strings = seen(daemon, CONTENT_TYPE="", CONTENT_LENGTH="")["strings"]
    assert "CONTENT_TYPE" not in strings and strings.get("CONTENT_LENGTH", "0") == "0"


def test_W2_query_string_is_there_when_the_front_sends_none(daemon):
    strings = seen(daemon, QUERY_STRING=None)["strings"]
    assert strings["QUERY_STRING"] == ""


def test_W4_unprefixed_variables_alone(daemon):
    strings = seen(
        daemon,
        HTTP_CONTENT_LENGTH="5",
        HTTP_CONTENT_TYPE="text/evil",
        HTTP_PROXY="http://evil.example",
        HTTP_TRANSFER_ENCODING="chunked",
    )["strings"]
    unwanted = ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY", "HTTP_TRANSFER_ENCODING")
    assert not [name for name in unwanted if name in strings]


def test_repeated_headers_are_joined(daemon):
    fields = [
        *cgi.variables("/environ").items(),
        *(("HTTP_X_A", value) for value in ("1", "2")),
        *(("HTTP_COOKIE", value) for value in ("a=1", "b=2")),
    ]
    strings = json.loads(fastcgi.fetch(daemon.fastcgi, fields).body)["strings"]
    assert strings["HTTP_X_A"] == "1, 2" and strings["HTTP_COOKIE"] == "a=1; b=2"


@pytest.mark.parametrize(
    ("variables", "scheme"),
    [
        ({"HTTPS": "on"}, "https"),
        ({"HTTPS": "1"}, "https"),
        ({"HTTPS": "off"}, "http"),
        ({"REQUEST_SCHEME": "https"}, "https"),
        ({"REQUEST_SCHEME": None}, "http"),
    ],
)
def test_W2_url_scheme(daemon, variables, scheme):
    assert seen(daemon, **variables)["strings"]["wsgi.url_scheme"] == scheme


def test_W18_input_is_terminated(daemon):
    assert seen(daemon)["flags"]["input_terminated"] is True


@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (1, 3), (2, 1)])
def test_W19_multithread_and_multiprocess_are_true(start, processes, threads):
    flags = seen(start("pep3333", processes=processes, threads=threads))["flags"]
    assert flags["multithread"] is (threads > 1)
    assert flags["multiprocess"] is (processes > 1)
    assert flags["run_once"] is False


def test_W20_nothing_of_the_daemons_environment(daemon):
    shown = seen(daemon)
    assert shown["secret"] == "of the daemon", "the worker does not have it: this shows nothing"
    assert "SECRET" not in shown["strings"] and "PATH" not in shown["strings"]
    assert "GATE" not in shown["strings"]


def paths(daemon, path, **variables):
    strings = json.loads(daemon.get(path, **variables).body)
    return strings["SCRIPT_NAME"], strings["PATH_INFO"]


@pytest.fixture(scope="module")
def mounted():
    with Daemon("mirror", "--mount", "/app") as running:
        yield running


@pytest.fixture(scope="module")
def root():
    with Daemon("mirror") as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/a", "/a/", "/a/b c"])
def test_W3_script_name_is_empty_at_the_root(root, path):
    assert paths(root, path) == ("", path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/app", ("/app", "")),
        ("/app/", ("/app", "/")),
        ("/app/b c", ("/app", "/b c")),
        ("/apple", ("", "/apple")),
    ],
)
def test_W3_script_name_is_the_mount(mounted, path, expected):
    assert paths(mounted, path) == expected


def test_W3_lighttpds_split_is_undone(root):
    assert paths(root, "/a/b", SCRIPT_NAME="/a", PATH_INFO="/b") == ("", "/a/b")


def test_W3_without_any_path_the_uri_is_decoded(root):
    only_uri = {"SCRIPT_NAME": None, "DOCUMENT_URI": None, "REQUEST_URI": "/a%20b/%C3%A9?x=1"}
    assert paths(root, "/", **only_uri) == ("", "/a b/\xc3\xa9")


def test_path_info_from_the_front(start):
    daemon = start("mirror", "--path-info", "front")
    assert paths(daemon, "/a/b", SCRIPT_NAME="/a", PATH_INFO="/b") == ("/a", "/b")
