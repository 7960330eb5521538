"""What must be the same behind every front server (FRONTS.md 3.9): paths, variables, bodies in both
directions, answers that HTTP treats specially. Each front server's tests are subclasses that say
how it is started, and where it cannot help being different."""

import hashlib
import http.client
import json
import threading

import pytest
from backend import Backend
from http_client import Client, fetch

WORKER_LINES = r" \S+/\d+\[\d+\]: "


class PathBehaviour:
    """Paths: two daemons behind one front server, one of them with mount /app."""

    bare_mount = ""  # PATH_INFO for the mount without a slash behind it.

    @staticmethod
    def serve(root, mounted):
        """Returns the front server, not yet started, for two Backends."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def doors(self):
        """What the daemons have besides plain sockets: identity and client_ca of Backend."""
        return {}

    @pytest.fixture(scope="class")
    def root(self, doors):
        with Backend("mirror", "--max-body", "4M", **doors) as backend:
            backend.expect(WORKER_LINES)
            yield backend

    @pytest.fixture(scope="class")
    def mounted(self, doors):
        with Backend("mirror", "--mount", "/app", **doors) as backend:
            yield backend

    @pytest.fixture(scope="class")
    def port(self, root, mounted):
        with self.serve(root, mounted) as server:
            yield server.port

    @pytest.mark.parametrize(
        ("uri", "path", "query"),
        [
            ("/", "/", ""),
            ("/a", "/a", ""),
            ("/a/", "/a/", ""),
            ("/a/b%20c?x=1", "/a/b c", "x=1"),
            ("/%C3%A9/%E2%82%AC?q=%20+", "/\xc3\xa9/\xe2\x82\xac", "q=%20+"),
            ("/a/b/c/d.php/e", "/a/b/c/d.php/e", ""),
            ("/?", "/", ""),
        ],
    )
    def test_path_at_the_root(self, port, uri, path, query):
        shown = json.loads(fetch(port, uri).body)
        assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("", path)
        assert shown["QUERY_STRING"] == query
        assert shown["REQUEST_URI"].rstrip("?") == uri.rstrip("?")

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("/app", None),
            ("/app/", "/"),
            ("/app/b%20c?x=1", "/b c"),
            ("/app/d/%C3%A9/", "/d/\xc3\xa9/"),
        ],
    )
    def test_path_below_the_mount(self, port, uri, path):
        shown = json.loads(fetch(port, uri).body)
        expected = self.bare_mount if path is None else path
        assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("/app", expected)


    def test_a_path_beside_the_mount(self, port):
        """It begins like the mount and is not below it, whichever daemon it comes to."""
        shown = json.loads(fetch(port, "/appendix").body)
        assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("", "/appendix")


class FrontBehaviour(PathBehaviour):
    """Everything, for a front server's usual configurations."""

    chunked = 200  # What a chunked upload of 30,000 bytes is answered with; None: with nothing.
    keeps_length = True  # Whether Content-Length of a HEAD answer passes.

    def test_variables(self, port):
        headers = {"X-One": "1", "Proxy": "http://evil.example", "Cookie": "a=1; b=2"}
        shown = json.loads(fetch(port, "/v", headers=headers).body)
        assert shown["REQUEST_METHOD"] == "GET" and shown["SERVER_PROTOCOL"] == "HTTP/1.1"
        assert shown["REMOTE_ADDR"] == "127.0.0.1" and shown["wsgi.url_scheme"] == "http"
        assert shown["SERVER_PORT"] == str(port) and shown["SERVER_NAME"]
        assert shown["HTTP_X_ONE"] == "1" and shown["HTTP_COOKIE"] == "a=1; b=2"
        assert shown["HTTP_HOST"].startswith("127.0.0.1")
        assert "HTTP_PROXY" not in shown and "CONTENT_TYPE" not in shown
        assert shown["type"] == "dict" and shown["types"] == ["str"]

    def test_a_form_has_its_type_and_length(self, port):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        shown = json.loads(fetch(port, "/v", "POST", b"a=1", kind).body)
        assert shown["CONTENT_TYPE"] == kind["Content-Type"] and shown["CONTENT_LENGTH"] == "3"
        assert "HTTP_CONTENT_TYPE" not in shown and "HTTP_CONTENT_LENGTH" not in shown

    def test_repeated_headers_are_joined(self, port):
        with Client(port) as client:
            client.connection.putrequest("GET", "/v")
            client.connection.putheader("X-Two", "1")
            client.connection.putheader("X-Two", "2")
            client.connection.endheaders()
            shown = json.loads(client.connection.getresponse().read())
        assert shown["HTTP_X_TWO"].replace(" ", "") == "1,2"

    @pytest.mark.parametrize("size", [1, 1000, 65536, 3_000_000])
    def test_post(self, port, size):
        body = b"0123456789abcdef" * (size // 16 + 1)
        answer = fetch(port, "/digest", "POST", body[:size])
        assert answer.status == 200
        assert answer.body.decode() == f"{size} {hashlib.sha256(body[:size]).hexdigest()}"

    def test_chunked_upload(self, port):
        pieces = [bytes([number]) * 1000 for number in range(30)]
        try:
            answer = fetch(port, "/digest", "POST", iter(pieces), encode_chunked=True)
        except (http.client.RemoteDisconnected, ConnectionResetError):
            assert self.chunked is None
            return
        assert answer.status == self.chunked
        if answer.status == 200:
            expected = hashlib.sha256(b"".join(pieces)).hexdigest()
            assert answer.body.decode() == f"30000 {expected}"

    def test_413_while_sending(self, port):
        with Client(port) as client:
            assert client.post_until_answered("/digest", bytes(12_000_000)).status == 413

    def test_head(self, port):
        with Client(port) as client:
            answer = client.request("/sized", "HEAD")
            assert answer.status == 200 and answer.body == b""
            if self.keeps_length:
                assert answer.headers["Content-Length"] == "10"
            assert client.request("/sized").body == b"0123456789"

    @pytest.mark.parametrize(("path", "status"), [("/unchanged", 304), ("/empty", 204)])
    def test_answers_without_a_body(self, port, path, status):
        with Client(port) as client:
            answer = client.request(path)
            assert (answer.status, answer.body) == (status, b"")
            assert client.request("/sized").body == b"0123456789"

    def test_redirects_pass_as_they_are(self, port):
        found = fetch(port, "/found")
        assert found.status == 302 and found.headers["Location"].endswith("/elsewhere")
        moved = fetch(port, "/moved")
        assert (moved.status, moved.headers["Location"]) == (301, "http://example.org/new")

    def test_repeated_answer_headers(self, port):
        assert fetch(port, "/cookies").headers.get_all("Set-Cookie") == ["a=1", "b=2"]

    def test_error_pages_are_the_applications(self, port):
        answer = fetch(port, "/missing")
        assert (answer.status, answer.body) == (404, b"nothing of that name")

    def test_a_failing_application_is_500(self, port):
        assert fetch(port, "/failing").status == 500

    def test_large_answer(self, port):
        expected = b"".join(number.to_bytes(4, "big") * 16384 for number in range(64))
        assert fetch(port, "/large").body == expected

    def test_first_block_passes_before_the_second_is_made(self, port, root):
        with Client(port) as client:
            client.connection.request("GET", "/stream")
            answer = client.connection.getresponse()
            assert answer.read1() == b"first\n"
            root.gate.arrival().release()
            assert answer.read() == b"second\n"

    def test_many_clients_at_once(self, port):
        failures = []

        def work(number):
            try:
                with Client(port) as client:
                    for _ in range(10):
                        shown = json.loads(client.request(f"/{number}").body)
                        assert shown["PATH_INFO"] == f"/{number}"
            except Exception as error:  # A thread's failure is the test's.
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
