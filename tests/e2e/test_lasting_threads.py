"""Threads of the application that use a request's input and output at once, or go on when their
request is over: they neither hang nor reach anybody else."""

from harness import cgi, fastcgi

SIZE = 900_000  # kept in memory by default, and larger than what a slot has room for


def test_write_after_the_end_reaches_no_other_client(start):
    daemon = start("lasting", threads=1)
    for _ in range(30):
        daemon.get("/writes_on")
        other = daemon.get("/mine")
        assert other.status == 200 and other.body == b"mine"
    daemon.wait_line("refused: RuntimeError")


def slow_exchange(daemon):
    """A client that takes nothing of its answer before it has sent all."""
    variables = cgi.variables("/reads_and_writes", "POST", length=SIZE)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(variables, b"r" * SIZE))
        return connection.answer()


def test_reader_and_writer_of_one_request_at_once(start):
    """Both wait for the gateway: one for the body, one for room."""
    daemon = start("lasting", "--response-buffer", "16K", threads=2)
    for _ in range(10):
        answer = slow_exchange(daemon)
        assert answer.body == b"w" * SIZE + b"%d" % SIZE


def test_thread_that_reads_on_when_the_answer_is_complete_does_not_hang(start):
    daemon = start("lasting", threads=1)
    for _ in range(5):
        assert daemon.post("/reads_on", b"r" * SIZE).body == b"mine"
    assert daemon.get("/mine").body == b"mine"
    daemon.expect("refused: ClientGone", "read it all")
