"""Throughput, latency, CPU and memory of pycgid beside another server, in turns."""

import statistics
import sys

import processes
import report
from bench import APPS, Bench
from servers import Uwsgi

# (application, mode): at least this throughput, at most this CPU per request, relative to uWSGI.
TARGETS = {
    ("hello", "fcgi"): (1.3, 0.75),
    ("hello", "kept"): (2.5, 0.5),
    ("flask", "kept"): (None, 0.7),
    ("django", "kept"): (None, 0.8),
}


class Comparison(Bench):
    def __init__(self, args, directory):
        super().__init__(args, directory)
        self.samples = {}  # (app, server's label, mode) -> one dict per round

    def measure(self, server, app, mode):
        options = ("--connections", str(self.args.connections), "--expect", str(APPS[app][1]))
        self.load(server, mode, "--seconds", "0.5", *options)
        pids = server.pids()
        before = processes.cpu_seconds(pids)
        sample = self.load(server, mode, "--seconds", str(self.args.seconds), *options)
        sample["cpu_us"] = (processes.cpu_seconds(pids) - before) * 1e6 / max(sample["answers"], 1)
        sample["pss_mib"] = sum(processes.usage(pid).pss for pid in pids) / 1024
        self.samples.setdefault((app, server.label, mode), []).append(sample)
        if sample["errors"]:
            name = f"{app}, {server.label}, {mode}"
            self.verdicts.judge(name, f"{sample['errors']} errors: {sample['first_error']}",
                                "none", False)

    def turn(self, server, app, modes):
        self.start(server, app)
        try:
            for mode in modes:
                self.measure(server, app, mode)
        finally:
            server.stop()

    def run(self):
        ours = [self.pycgid(threads) for threads in self.args.threads]
        turns, references = self.against_pycgid(ours) if self.args.against else (
            self.against_uwsgi(ours))
        self.print_calls([server for server, _ in turns])
        for app in self.args.apps:
            for number in range(self.args.rounds):
                print(f"{app}: round {number + 1} of {self.args.rounds}", file=sys.stderr)
                # The other way round every second time, so that no server is always first.
                for server, modes in turns[:: -1 if number % 2 else 1]:
                    self.turn(server, app, modes)
            self.print_app(app, turns, references)
        if not self.args.against:
            self.judge_targets(ours)

    def against_uwsgi(self, ours):
        # uWSGI doesn't keep FastCGI connections: its figure with a connection for each request
        # stands against both of ours.
        uwsgi = Uwsgi("uwsgi", self.place("uwsgi"))
        modes = ["fcgi"] + (["scgi"] if "scgi" in self.args.modes else [])
        turns = [(uwsgi, modes)] + [(server, self.args.modes) for server in ours]
        return turns, {server.label: uwsgi.label for server in ours}

    def against_pycgid(self, ours):
        others = [self.pycgid(server.threads, self.args.against, "other") for server in ours]
        turns = [(server, self.args.modes) for pair in zip(others, ours) for server in pair]
        return turns, {server.label: other.label for server, other in zip(ours, others)}

    def print_calls(self, servers):
        module = APPS[self.args.apps[0]][0]
        for server in servers:
            print(f"call      {server.call(module)}")
        for mode in self.args.modes:
            options = ("--connections", str(self.args.connections), "--seconds",
                       str(self.args.seconds))
            print(f"call      {' '.join(self.load_command(servers[-1], mode, *options))}")

    def ratio(self, app, label, other, mode, figure):
        """Median of the rounds' ratios: what was measured in one round stands together."""
        ours = self.samples[app, label, mode]
        theirs = self.samples.get((app, other, mode)) or self.samples[app, other, "fcgi"]
        return statistics.median(a[figure] / b[figure] for a, b in zip(ours, theirs))

    def print_app(self, app, turns, references):
        head = ["server", "mode", "req/s", "spread", "ratio", "p50 us", "p99 us", "CPU us/req",
                "ratio", "PSS MiB", "loadgen us/req"]
        rows = []
        for server, modes in turns:
            for mode in modes:
                rows.append(self.row(app, server.label, references.get(server.label), mode))
        print(f"\n{app}: medians of {self.args.rounds} rounds")
        print(*report.table(head, rows), sep="\n", flush=True)

    def row(self, app, label, other, mode):
        rounds = self.samples[app, label, mode]

        def median(figure):
            return statistics.median(sample[figure] for sample in rounds)

        def ratio(figure):
            return f"{self.ratio(app, label, other, mode, figure):.2f}" if other else ""

        speeds = [sample["per_second"] for sample in rounds]
        spread = (max(speeds) - min(speeds)) / median("per_second")
        own = statistics.median(s["own_cpu_seconds"] * 1e6 / max(s["answers"], 1) for s in rounds)
        return [label, mode, f"{median('per_second'):.0f}", f"{spread:.1%}", ratio("per_second"),
                f"{median('p50_us'):.0f}", f"{median('p99_us'):.0f}", f"{median('cpu_us'):.1f}",
                ratio("cpu_us"), f"{median('pss_mib'):.1f}", f"{own:.1f}"]

    def as_json(self):
        return [{"app": app, "server": server, "mode": mode, "rounds": rounds}
                for (app, server, mode), rounds in self.samples.items()]

    def judge_targets(self, ours):
        print()
        for (app, mode), (speed, cpu) in TARGETS.items():
            if app not in self.args.apps or mode not in self.args.modes:
                continue
            for server in ours:
                name = f"{app}, {mode}, {server.label}"
                if speed:
                    figure = self.ratio(app, server.label, "uwsgi", mode, "per_second")
                    self.verdicts.at_least(f"{name}: throughput to uWSGI's", figure, speed)
                figure = self.ratio(app, server.label, "uwsgi", mode, "cpu_us")
                self.verdicts.at_most(f"{name}: CPU per request to uWSGI's", figure, cpu)
