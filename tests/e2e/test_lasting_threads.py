"""Threads of the application that go on when their request is over: they reach nobody else."""


def test_write_after_the_end_reaches_no_other_client(start):
    daemon = start("lasting", threads=1)
    for _ in range(30):
        daemon.get("/writes_on")
        other = daemon.get("/mine")
        assert other.status == 200 and other.body == b"mine"
    daemon.wait_line("refused: RuntimeError")
