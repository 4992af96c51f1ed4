"""Yardmaster in five minutes: a real ipyparallel cluster, and what its task scheduler does for you.

    make demo                                    builds, then runs this on yardmaster and on stock
    .venv/bin/python examples/demo.py            the same without building
    .venv/bin/python examples/demo.py --only yardmaster

Everything a user writes is in the five functions under "What a user writes": they are plain
ipyparallel and know nothing of yardmaster. `controller="yardmaster"`, in `cluster_on`, is the only
line that differs. Ends with exit code 0 when all of it went as described, and leaves no process.
"""

import argparse
import json
import logging
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import ipyparallel as ipp
import psutil

ENGINES = 4
MAP_TASKS = 1000
ROUND_TRIPS = 100
SCHEDULERS = ["yardmaster", "stock"]
# Ample: the slowest is a dead engine's task, run again after 5 s in which late results may arrive.
TASK_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
DEMO_TIMEOUT_S = 170


# --- What a user writes --------------------------------------------------------------------------


def parallel_map(view):
    """A map over the engines, with a progress bar. Whoever is free gets the next task."""

    def cube(x):
        return x**3

    begin = time.perf_counter()
    result = view.map_async(cube, range(MAP_TASKS))
    result.wait_interactive()
    seconds = time.perf_counter() - begin
    expect(result.get() == [x**3 for x in range(MAP_TASKS)], "the map's results are right")
    return MAP_TASKS / seconds, [task["engine_id"] for task in result.metadata]


def round_trips(view):
    """One task at a time: what a person at a notebook waits for."""
    view.apply_sync(os.getpid)
    times = []
    for _ in range(ROUND_TRIPS):
        begin = time.perf_counter()
        view.apply_sync(os.getpid)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def diamond(view):
    """load, then left and right side by side, then join: `after` says when, `follow` says where.

            load
           /    \\
        left    right       after=load
           \\    /
            join            after=left and right, follow=left: on the engine that has its data
    """

    def step(name, seconds=0.2):
        import time

        globals()[name] = f"the data of {name}"  # stays in this engine
        time.sleep(seconds)
        return name

    def join():
        return globals().get("left", "nothing")

    load = view.apply_async(step, "load")
    with view.temp_flags(after=[load]):
        left = view.apply_async(step, "left")
        right = view.apply_async(step, "right")
    with view.temp_flags(after=[left, right], follow=[left]):
        joined = view.apply_async(join)
    expect(joined.get(TASK_TIMEOUT_S) == "the data of left", "join found the data of left")
    for earlier, later in ((load, left), (load, right), (left, joined), (right, joined)):
        expect(earlier.metadata.completed <= later.metadata.started, "the order of `after` held")
    expect(joined.metadata.engine_id == left.metadata.engine_id, "`follow` held")
    tasks = {"load": load, "left": left, "right": right, "join": joined}
    return {name: task.metadata.engine_id for name, task in tasks.items()}


def third_time_lucky(view, folder):
    """A task that fails twice: `retries=2` runs it again, on engines that have not failed it."""

    def flaky(path):
        import os

        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")
        with open(path) as file:
            attempts = file.read().split()
        if len(attempts) < 3:
            raise RuntimeError(f"attempt {len(attempts)} fails")
        return attempts

    with view.temp_flags(retries=2):
        attempts = view.apply_async(flaky, str(folder / "attempts")).get(TASK_TIMEOUT_S)
    expect(len(attempts) == 3, "it ran three times")
    expect(len(set(attempts)) == 3, "each time on another engine")
    return [int(pid) for pid in attempts]


def survive_a_dead_engine(view, folder):
    """An engine that is killed while it works: `retries=1` runs its task again somewhere else."""

    def deadly(path):
        import os
        import signal

        if os.path.exists(path):
            return os.getpid()
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)

    path = folder / "victim"
    begin = time.perf_counter()
    with view.temp_flags(retries=1):
        survivor = view.apply_async(deadly, str(path)).get(TASK_TIMEOUT_S)
    victim = int(path.read_text())
    expect(survivor != victim, "another engine did the work")
    return victim, survivor, time.perf_counter() - begin


# --- The cluster ---------------------------------------------------------------------------------


def cluster_on(scheduler, folder):
    """A cluster with a profile of its own in `folder`; `scheduler` is "yardmaster" or "stock"."""
    options = {"controller": "local"}
    if scheduler == "yardmaster":
        # Usually a missing binary means the stock scheduler and a warning; a demo must not do that.
        options = {"controller": "yardmaster", "controller_args": ["--Yardmaster.fallback=False"]}
    return ipp.Cluster(
        n=ENGINES, profile_dir=str(folder / "profile"), log_level=logging.ERROR, **options
    )


def scheduler_of(cluster):
    """The process that serves the tasks: the controller's child that listens on the task port."""
    port = json.loads(Path(cluster.controller.connection_files["client"]).read_text())["task"]
    for child in psutil.Process(cluster.controller.pid).children(recursive=True):
        for connection in child.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return child
    raise RuntimeError(f"no process listens on the task port {port}")


def cpu_seconds(processes):
    """CPU time of all threads of these processes, as the kernel counts it (nanoseconds)."""
    total_ns = 0
    for process in processes:
        for thread in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            total_ns += int(thread.read_text().split()[0])
    return total_ns / 1e9


def show(scheduler):
    """Run everything on one scheduler, say what ran where; returns its share of the CPU time of a
    map (client, engines, hub and scheduler together), and the figures for the table."""
    print(f"\n=== {scheduler}: a cluster of {ENGINES} engines", flush=True)
    with tempfile.TemporaryDirectory(prefix="yardmaster-demo-") as name:
        folder = Path(name)
        started = set()
        try:
            cluster = cluster_on(scheduler, folder)
            with cluster as client:
                client.wait_for_engines(ENGINES, timeout=TASK_TIMEOUT_S)
                started.update(psutil.Process().children(recursive=True))
                figures = show_on(cluster, client.load_balanced_view(), folder)
        finally:
            expect_gone(started)
    say("stopped", f"all {len(started)} processes of the cluster are gone")
    return figures


def show_on(cluster, view, folder):
    process = scheduler_of(cluster)
    say("scheduler", f"process {process.pid}, {Path(process.exe()).name}")

    # Engines import what they need with their first tasks.
    view.map_sync(lambda x: x, range(20 * ENGINES))
    me = psutil.Process()
    everybody = [me, *me.children(recursive=True)]
    before_s = cpu_seconds([process]), cpu_seconds(everybody)
    rate, engines = parallel_map(view)
    own_s = cpu_seconds([process]) - before_s[0]
    share = own_s / (cpu_seconds(everybody) - before_s[1])
    shares = ", ".join(f"engine {e}: {engines.count(e)}" for e in sorted(set(engines)))
    say("parallel map", f"{MAP_TASKS} tasks, {rate:.0f} a second; {shares}")

    latency_ms = round_trips(view) * 1000
    say("one at a time", f"{latency_ms:.2f} ms a task (median of {ROUND_TRIPS})")

    where = ", ".join(f"{task} on engine {engine}" for task, engine in diamond(view).items())
    say("diamond", f"{where}; the order of `after` and the place of `follow` held")

    attempts = ", ".join(map(str, third_time_lucky(view, folder)))
    say("retries", f"failed twice, then succeeded; processes of the engines: {attempts}")

    victim, survivor, seconds = survive_a_dead_engine(view, folder)
    did = f"process {victim} died under its task, {survivor} did it"
    say("killed engine", f"{did}; {seconds:.1f} s")

    memory_mib = process.memory_info().rss / 2**20
    return share, {
        "map, tasks a second": f"{rate:.0f}",
        "one task there and back, ms": f"{latency_ms:.2f}",
        "scheduler's CPU a task, us": f"{own_s / MAP_TASKS * 1e6:.0f}",
        "scheduler's share of all CPU time, %": f"{share * 100:.1f}",
        "scheduler's memory, MiB": f"{memory_mib:.0f}",
        "task of a killed engine done after, s": f"{seconds:.1f}",
    }


# --- Printing and checking -----------------------------------------------------------------------


def say(what, text):
    print(f"{what:>14}  {text}", flush=True)


def expect(condition, what):
    """The demo fails when something does not go as described."""
    if not condition:
        raise SystemExit(f"demo: FAILED: it is not so that {what}")


def expect_gone(processes):
    """All have ended, or end within STOP_TIMEOUT_S; what does not is killed and reported."""
    _, left = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
    for process in left:
        process.kill()
    expect(not left, f"everything stopped: {left} still ran")


def print_table(rows):
    """`rows`: figures by scheduler."""
    names = list(rows)
    print(f"\n{'':<40}" + "".join(f"{name:>14}" for name in names))
    for what in rows[names[0]]:
        print(f"{what:<40}" + "".join(f"{rows[name][what]:>14}" for name in names))


def print_what_to_expect(stock_share):
    """What these figures mean for a user; the bound is computed from what was just measured."""
    bound = 1 / (1 - stock_share)
    stock, others = f"{stock_share * 100:.0f} %", f"{100 - stock_share * 100:.0f} %"
    print(f"""
What to expect. Of the CPU time of the stock map, the Python client, the Python engines and the hub
used {others}, the scheduler {stock}. Where they share the cores, as here, even a scheduler that
cost nothing would make this map at most {bound:.2f} times as fast. What one notebook gains is
memory, the scheduler's share of the CPU, and tasks that start in the order they were submitted.
Throughput gains show with many engines, clients and cores, where the one Python scheduler is the
limit: perf/ measures that with peers that cost little. One run on a busy machine demonstrates, it
does not measure: the first two lines of the table come out either way.""")


def main():
    parser = argparse.ArgumentParser(description="a real cluster on yardmaster, and on stock")
    parser.add_argument("--only", choices=SCHEDULERS, help="one scheduler, no table")
    chosen = parser.parse_args().only
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(DEMO_TIMEOUT_S)
    shown = {name: show(name) for name in ([chosen] if chosen else SCHEDULERS)}
    signal.alarm(0)
    print_table({name: figures for name, (_, figures) in shown.items()})
    if not chosen:
        print_what_to_expect(shown["stock"][0])


def out_of_time(*_):
    raise SystemExit(f"demo: FAILED: not done within {DEMO_TIMEOUT_S} s")


if __name__ == "__main__":
    main()
