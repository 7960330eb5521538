"""A worker that writes nonsense into the memory it shares with the gateway is replaced."""


def test_worker_with_an_impossible_queue_is_replaced(start):
    daemon = start("vandal", threads=1)
    before = daemon.get("/").body
    daemon.expect("is killed", "was killed")
    daemon.get("/queue")
    after = daemon.get("/")
    daemon.wait_line(r"is killed: its place in the queue cannot be \(shared memory\)")
    assert after.status == 200 and after.body != before
    assert daemon.get("/").body == after.body
