"""What FastCGI and SCGI have in common: CGI variables in, a CGI response out."""

import dataclasses


@dataclasses.dataclass
class Answer:
    """A CGI response, taken apart."""

    head: bytes
    body: bytes

    @property
    def lines(self):
        return self.head.decode("latin-1").split("\r\n")

    @property
    def status(self):
        return int(self.header("Status").split()[0])

    def headers(self, name):
        """All values of a header, in their order."""
        pairs = (line.partition(":") for line in self.lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def header(self, name):
        """The only value of a header; None when it is absent."""
        values = self.headers(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()


def parse(output):
    """Splits what an application server wrote into head and body."""
    head, separator, body = bytes(output).partition(b"\r\n\r\n")
    assert separator, f"no response head in {bytes(output[:200])!r}"
    return Answer(head, body)


def variables(path="/", method="GET", query="", length=None, **more):
    """The variables that nginx sends with its stock fastcgi_params. A value of None in `more`
    removes a variable."""
    uri = path + ("?" + query if query else "")
    result = {
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "" if length is None else str(length),
        "SCRIPT_NAME": path,
        "REQUEST_URI": uri,
        "DOCUMENT_URI": path,
        "DOCUMENT_ROOT": "/var/www/html",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "nginx/1.22.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_NAME": "localhost",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "pycgid-tests",
    }
    result.update(more)
    return {name: value for name, value in result.items() if value is not None}
