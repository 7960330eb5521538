"""Memory of pycgid: with idle connections, over many requests, and of preloaded workers."""

import json
import subprocess
import time

import processes
import report
from bench import Bench

IDLE_CONNECTIONS = 1000
IDLE_MIB = 10
SOAK_GROWTH = 1.02
SETTLE_SECONDS = 5
PRELOAD_PROCESSES = 4
PRELOAD_REQUESTS = 10_000
PRELOAD_SHARE = 0.25


class Memory(Bench):
    def idle(self):
        server = self.pycgid(self.args.threads[-1])
        print(f"call      {server.call('hello')}")
        self.start(server, "hello")
        count = str(IDLE_CONNECTIONS)
        command = self.load_command(server, "kept", "--connections", count, "--requests", count,
                                    "--hold")
        print(f"call      {' '.join(command)}")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            answers = json.loads(client.stdout.readline())["answers"]
            usage = processes.usage(server.gateway())
            client.stdin.close()
        server.stop()
        print(f"gateway with {count} idle connections: RSS {usage.rss} KiB, PSS {usage.pss} KiB, "
              f"{usage.fds} descriptors")
        self.verdicts.judge("idle connections that were answered and are open", answers, count,
                            answers == IDLE_CONNECTIONS and usage.fds > IDLE_CONNECTIONS)
        self.verdicts.at_most("idle: RSS of the gateway in MiB", usage.rss / 1024, IDLE_MIB)

    def soak(self):
        server = self.pycgid(self.args.threads[-1])
        print(f"call      {server.call('hello')}")
        self.start(server, "hello")
        before = self.snapshot(server)
        self.soak_requests(server, self.args.soak // 10)
        early = self.snapshot(server, before)
        self.soak_requests(server, self.args.soak - self.args.soak // 10)
        late = self.snapshot(server, early)
        server.stop()
        self.print_soak(before, early, late)
        self.verdicts.judge("soak: the same processes at the end", len(late), len(before),
                            list(late) == list(before))
        for pid in [pid for pid in late if pid in early]:
            self.judge_soak(f"soak: {late[pid].title}[{pid}]", early[pid], late[pid])

    def soak_requests(self, server, count):
        """Half of them on kept connections, half with one each; a tenth of these with a body."""
        parts = [("kept", count // 2, ()), ("fcgi", count - count // 2 - count // 10, ()),
                 ("fcgi", count // 10, ("--body", "4096"))]
        for mode, requests, options in parts:
            command = ("--requests", str(requests), *options)
            result = self.load(server, mode, *command)
            self.verdicts.judge(f"soak: {requests} requests, {mode}", f"{result['errors']} errors",
                                "none", result["errors"] == 0)

    def snapshot(self, server, earlier=None):
        """Usage of every process, once the load generator's connections are closed there too."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            now = {pid: processes.usage(pid) for pid in server.pids()}
            settled = all(now[pid].fds <= was.fds for pid, was in (earlier or {}).items()
                          if pid in now)
            if settled or time.monotonic() > deadline:
                return now
            time.sleep(0.05)

    def print_soak(self, before, early, late):
        head = ["process", "pid", "RSS KiB", "at 10 %", "end", "fds", "at 10 %", "end", "threads",
                "at 10 %", "end"]
        rows = [[late[pid].title, str(pid), *(str(getattr(moment[pid], figure))
                                              for figure in ("rss", "fds", "threads")
                                              for moment in (before, early, late))]
                for pid in late if pid in before and pid in early]
        print(*report.table(head, rows), sep="\n")

    def judge_soak(self, name, early, late):
        self.verdicts.at_most(f"{name}: growth of RSS", late.rss / early.rss, SOAK_GROWTH)
        self.verdicts.judge(f"{name}: descriptors", late.fds, f"<= {early.fds}",
                            late.fds <= early.fds)
        self.verdicts.judge(f"{name}: threads", late.threads, f"<= {early.threads}",
                            late.threads <= early.threads)

    def preload(self):
        """What each worker of the Django application has for itself, after traffic and a full
        collection."""
        alone = self.private_of_workers("alone")
        preloaded = self.private_of_workers("preloaded", "--preload")
        rows = [[name, f"{len(sizes)} workers", *(str(size) for size in sizes)]
                for name, sizes in (("loaded by itself", alone), ("preloaded", preloaded))]
        head = ["private KiB", "", *(f"worker {number}" for number in range(1, len(alone) + 1))]
        print(*report.table(head, rows), sep="\n")
        share = max(preloaded) / min(alone)
        self.verdicts.at_most("preload: largest worker's share of one that loads by itself", share,
                              PRELOAD_SHARE)

    def private_of_workers(self, label, *options):
        options = ("--processes", str(PRELOAD_PROCESSES), *options)
        server = self.pycgid(1, label=label, options=options)
        print(f"call      {server.call('django_app')}")
        self.start(server, "django")
        for more in (("--requests", str(PRELOAD_REQUESTS)),
                     ("--requests", str(PRELOAD_REQUESTS // 10), "--path", "/collect")):
            result = self.load(server, "kept", "--connections", "32", *more)
            self.verdicts.judge(f"{label}: {' '.join(more)}", f"{result['errors']} errors", "none",
                                result["errors"] == 0)
        sizes = [processes.usage(pid).private for pid in server.workers()]
        server.stop()
        return sizes
