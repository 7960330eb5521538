"""An SCGI client. It shares no code with the daemon."""

from . import cgi, sockets


def netstring(content):
    return str(len(content)).encode() + b":" + content + b","


def headers(variables):
    """Encodes a dict, or a list of pairs where names repeat. str is written as latin-1."""
    items = variables.items() if isinstance(variables, dict) else variables
    texts = (text for item in items for text in item)
    return b"".join(
        (text if isinstance(text, bytes) else text.encode("latin-1")) + b"\0" for text in texts
    )


def variables(path="/", method="GET", length=0, **more):
    """The variables of an SCGI request, in the order that the specification asks for."""
    common = cgi.variables(path, method, length=length, **more)
    del common["CONTENT_LENGTH"]
    return {"CONTENT_LENGTH": str(length), "SCGI": "1", **common}


def request(path="/", method="GET", body=b"", **more):
    """A whole request."""
    fields = variables(path, method, len(body), **more)
    return netstring(headers(fields)) + body


def read_all(connection):
    """Everything up to the orderly end of the connection."""
    output = b""
    while piece := connection.recv(1 << 16):
        output += piece
    return output


def exchange(address, data):
    """Sends bytes and returns the response, which ends with the connection."""
    with sockets.connect(address) as connection:
        connection.sendall(data)
        return cgi.parse(read_all(connection))


def fetch(address, path="/", method="GET", body=b"", **more):
    """One request over a connection of its own."""
    return exchange(address, request(path, method, body, **more))
