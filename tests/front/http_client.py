"""An HTTP client that shows what it got, and one that behaves like a browser."""

import http.client
import http.cookiejar
import re
import select
import urllib.parse
import urllib.request
import uuid
from socket import MSG_DONTWAIT


class Client:
    """A connection to a front server, which is kept from one request to the next."""

    def __init__(self, port, timeout=20):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def request(self, path, method="GET", body=None, headers=None, **options):
        """Sends a request and reads the whole answer, which has `status`, `headers`, `body`."""
        try:
            self.connection.request(method, path, body, headers or {}, **options)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server may answer, and close, before all is sent.
        return self._answer()

    def post_until_answered(self, path, body):
        """Sends a body up to the moment when the answer comes, as browsers do: some servers read
        no more of it then."""
        self.connection.putrequest("POST", path)
        self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders()
        rest, socket = memoryview(body), self.connection.sock
        while rest:
            readable, writable, _ = select.select([socket], [socket], [], 20)
            assert readable or writable, "neither takes the body nor answers"
            if readable:
                break
            rest = rest[socket.send(rest[:65536], MSG_DONTWAIT) :]
        return self._answer()

    def _answer(self):
        answer = self.connection.getresponse()
        answer.body = answer.read()
        return answer


def fetch(port, path, method="GET", body=None, headers=None, **options):
    """One request over a connection of its own."""
    with Client(port) as client:
        return client.request(path, method, body, headers, **options)


class Browser:
    """Keeps cookies, follows redirects, fills in forms."""

    def __init__(self, port):
        self.port = port
        self.cookies = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.cookies)
        proxies = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(cookies, proxies, Lenient)
        self.status, self.url, self.text, self.body = 0, "", "", b""

    def open(self, path, data=None, content_type=None):
        """Opens a page; `data` is a body, or a dict for a form."""
        if isinstance(data, dict):
            data = urllib.parse.urlencode(data).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        if content_type:
            request.add_header("Content-Type", content_type)
        with self._opener.open(request, timeout=20) as answer:
            self.status, self.url, self.body = answer.status, answer.url, answer.read()
            self.headers = answer.headers
        self.text = self.body.decode("utf-8", "replace")
        return self

    def hidden(self, name):
        """The value of a hidden field of the page."""
        return re.search(rf'name="{name}"[^>]*value="([^"]*)"', self.text).group(1)

    def upload(self, path, name, filename, content, **fields):
        """Sends a form with a file."""
        border = uuid.uuid4().hex
        parts = [
            f'--{border}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        ]
        parts.append(
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"'
            "\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        body = "".join(parts).encode() + content + f"\r\n--{border}--\r\n".encode()
        return self.open(path, body, f"multipart/form-data; boundary={border}")


class Lenient(urllib.request.HTTPErrorProcessor):
    """Lets error pages be read like others."""

    def http_response(self, request, response):
        if response.status in (301, 302, 303, 307):
            return super().http_response(request, response)
        return response
