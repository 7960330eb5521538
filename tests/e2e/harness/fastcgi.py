"""A FastCGI 1.0 client that gives control over every byte. It shares no code with the daemon."""

import collections
import dataclasses
import struct

from . import cgi, sockets

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA = range(1, 9)
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
COMPLETE, CANT_MULTIPLEX, OVERLOADED, UNKNOWN_ROLE = range(4)
KEEP = 1


@dataclasses.dataclass
class Record:
    type: int
    id: int
    content: bytes
    padding: bytes = b""


def record(kind, request_id, content=b"", padding=0, version=1):
    """One record; `padding` is a number of zero bytes or the bytes themselves."""
    if isinstance(padding, int):
        padding = bytes(padding)
    header = struct.pack("!BBHHBx", version, kind, request_id, len(content), len(padding))
    return header + content + padding


def begin(request_id=1, role=RESPONDER, flags=0):
    return record(BEGIN, request_id, struct.pack("!HB5x", role, flags))


def abort(request_id=1):
    return record(ABORT, request_id)


def pair(name, value, long_form=False):
    """One name-value pair; `long_form` uses four length bytes where one would do."""
    lengths = b""
    for text in (name, value):
        short = len(text) < 128 and not long_form
        lengths += struct.pack("!B", len(text)) if short else struct.pack("!I", len(text) | 1 << 31)
    return lengths + name + value


def pairs(variables):
    """Encodes a dict, or a list of pairs where names repeat. str is written as latin-1."""
    items = variables.items() if isinstance(variables, dict) else variables
    return b"".join(pair(_bytes(name), _bytes(value)) for name, value in items)


def stream(kind, request_id, content, size=65528):
    """A stream in records of at most `size` bytes, without the empty record that ends it."""
    pieces = range(0, len(content), size)
    return b"".join(record(kind, request_id, content[at : at + size]) for at in pieces)


def params(variables, request_id=1, size=65528):
    """The whole PARAMS stream."""
    content = stream(PARAMS, request_id, pairs(variables), size)
    return content + record(PARAMS, request_id)


def stdin(content=b"", request_id=1, size=65528):
    """The whole STDIN stream."""
    return stream(STDIN, request_id, content, size) + record(STDIN, request_id)


def request(variables, body=b"", request_id=1, flags=0, role=RESPONDER):
    """A whole request."""
    start = begin(request_id, role, flags) + params(variables, request_id)
    return start + stdin(body, request_id)


def get_values(*names):
    return record(GET_VALUES, 0, pairs([(name, "") for name in names]))


def decode_pairs(content):
    """The opposite of pairs(), as a dict of str."""
    result, at = {}, 0
    while at < len(content):
        lengths = []
        for _ in range(2):
            if content[at] < 128:
                lengths.append(content[at])
                at += 1
            else:
                lengths.append(struct.unpack_from("!I", content, at)[0] & 0x7FFFFFFF)
                at += 4
        name = content[at : at + lengths[0]]
        value = content[at + lengths[0] : at + sum(lengths)]
        result[name.decode("latin-1")] = value.decode("latin-1")
        at += sum(lengths)
    return result


@dataclasses.dataclass
class Answer(cgi.Answer):
    """A response, and how it was framed."""

    stderr: bytes
    application_status: int
    protocol_status: int
    records: list


class Connection:
    """A connection to a FastCGI application. Records of requests that nobody asked for yet are
    kept until somebody does."""

    def __init__(self, address, timeout=10, source=None, connected=None):
        """`connected` is a socket that exists already, for instance one with TLS."""
        self.socket = connected or sockets.connect(address, timeout, source)
        self._reader = self.socket.makefile("rb", buffering=1 << 16)
        self._kept = collections.defaultdict(list)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reader.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_record(self):
        """The next record of the wire; None at the end of the connection."""
        header = self._reader.read(8)
        if not header:
            return None
        assert len(header) == 8, f"the connection ends inside a record header: {header!r}"
        version, kind, request_id, length, padding = struct.unpack("!BBHHBx", header)
        assert version == 1 and header[7] == 0
        content = self._reader.read(length)
        filling = self._reader.read(padding)
        if len(content) < length or len(filling) < padding:
            raise EOFError("the connection ends inside a record")
        return Record(kind, request_id, content, filling)

    def next_record(self, request_id):
        """The next record of one request; None at the end of the connection."""
        while not self._kept[request_id]:
            found = self.read_record()
            if found is None:
                return None
            self._kept[found.id].append(found)
        return self._kept[request_id].pop(0)

    def next_id(self):
        """Whose record the next one of the wire is; it is kept for that request."""
        found = self.read_record()
        assert found, "the connection ended"
        self._kept[found.id].append(found)
        return found.id

    def answer(self, request_id=1):
        """The whole response of one request, which must end as the protocol wants it."""
        records = []
        while not records or records[-1].type != END:
            found = self.next_record(request_id)
            assert found, f"the connection ended after {records} without END_REQUEST"
            records.append(found)
        return answer_of(records)

    def broken_answer(self, request_id=1):
        """What came as STDOUT before the connection ended without END_REQUEST, but with the mark
        of a cut, which is the last record."""
        output = b""
        try:
            while (found := self.next_record(request_id)) is not None:
                assert found.type != END, "the response ended as if it were whole"
                assert found.type != STDOUT or found.content, "STDOUT ended as if it were whole"
                output += found.content
        except (EOFError, ConnectionResetError):
            pass
        assert self._kept[0] == [Record(UNKNOWN_TYPE, 0, b"")], "the cut is not marked"
        return output

    def blocks(self, request_id=1):
        """The contents of the STDOUT records as they arrive, to the end of the stream."""
        while True:
            found = self.next_record(request_id)
            assert found, "the connection ended inside the response"
            if found.type == STDOUT and not found.content:
                return
            if found.type == STDOUT:
                yield found.content

    def at_end(self):
        """Whether the peer closes without sending anything more."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True


def fetch(address, variables, body=b"", **options):
    """One request over a connection of its own."""
    with Connection(address) as connection:
        connection.send(request(variables, body, **options))
        return connection.answer(options.get("request_id", 1))


def answer_of(records):
    """The response that these records, up to END_REQUEST, carry."""
    output = b"".join(each.content for each in records if each.type == STDOUT)
    errors = b"".join(each.content for each in records if each.type == STDERR)
    status, protocol = struct.unpack("!IB3x", records[-1].content)
    if not output:
        return Answer(b"", b"", errors, status, protocol, records)
    plain = cgi.parse(output)
    return Answer(plain.head, plain.body, errors, status, protocol, records)


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")
