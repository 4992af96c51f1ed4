"""The differential test: random scripts through ipyparallel's TaskScheduler and through
yardmaster.

    python Tests/Differential/run.py                     60 scripts, what CI runs
    python Tests/Differential/run.py --scripts 1000
    python Tests/Differential/run.py --seed 7 --scheme lru --hwm 3 -v    one script again
    python Tests/Differential/run.py --self-test         the reference against itself and mutants
    python Tests/Differential/run.py --differences       the deliberate differences, with reasons

Needs ipyparallel and pyzmq; the binary is YARDMASTER_BINARY, or .build/release or .build/debug.
Exit status: 0 when all agree, 1 when a script found a difference.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import process  # noqa: E402
from harness.peers import Silence  # noqa: E402
from lockstep import Mismatch, Pair, Side  # noqa: E402
from reference import ReferenceServer  # noqa: E402
from script import CLIENTS, Script, TooSlow  # noqa: E402

COMBINATIONS = [(scheme, hwm) for scheme in ("lru", "leastload") for hwm in (0, 1, 3)]
LENGTHS = (50, 200)  # events of a script, at least and at most
STRANDED_AFTER_S = 0.5  # in place of 5 s, for both
TRIES = (
    4  # of a script that a slow machine spoilt, each with three times the time for late results
)
KEY = b"the-key-of-the-differential-test"


@dataclass(frozen=True)
class Plan:
    """One script to run: `against` is yardmaster, reference, or the name of a mutation."""

    seed: int
    scheme: str
    hwm: int
    against: str = "yardmaster"
    verbose: bool = False

    def length(self) -> int:
        low, high = LENGTHS
        return low + (self.seed * 7919) % (high - low + 1)

    def replay(self) -> str:
        against = "" if self.against == "yardmaster" else f" --against {self.against}"
        return (
            "python Tests/Differential/run.py "
            f"--seed {self.seed} --scheme {self.scheme} --hwm {self.hwm}{against}"
        )


@dataclass
class Outcome:
    plan: Plan
    problem: str  # empty: both agreed
    events: int
    counts: dict[str, int]
    tries: int


_server: ReferenceServer | None = None  # one in each worker process


def start_worker() -> None:
    global _server
    _server = ReferenceServer()


def run_plan(plan: Plan) -> Outcome:
    stranded_after_s = STRANDED_AFTER_S
    for tries in range(1, TRIES + 1):
        outcome = run_once(plan, stranded_after_s, tries)
        if outcome is not None:
            return outcome
        stranded_after_s *= 3
    return Outcome(
        plan, f"inconclusive: too slow even with {stranded_after_s / 3} s", 0, {}, TRIES
    )


def run_once(plan: Plan, stranded_after_s: float, tries: int) -> Outcome | None:
    """One script on two fresh schedulers; None when the machine was too slow for it to prove
    anything.
    """
    folders = [process.new_folder(), process.new_folder()]
    sides, ends, logs = [], [], []
    script = None
    try:
        for name, folder in zip(("the reference", plan.against), folders):
            endpoints = process.ipc_endpoints(folder)
            sides.append(Side(name, endpoints, KEY, CLIENTS))
            if name == "yardmaster":
                options = ["--scheme", plan.scheme, "--hwm", str(plan.hwm)]
                options += ["--stranded-after", str(stranded_after_s), "--log-level", "debug"]
                running = process.start_yardmaster(endpoints, folder, KEY, options)
                ends.append(running.stop)
                logs.append(running.log_path)
            else:
                log = folder / "reference.log"
                mutation = None if name.endswith("reference") else name
                pid = _server.start(
                    endpoints, log, KEY, scheme=plan.scheme, hwm=plan.hwm, adapted=True,
                    mutation=mutation, stranded_after=stranded_after_s,
                )  # fmt: skip
                ends.append(lambda pid=pid: _server.stop(pid))
                logs.append(log)
        script = Script(Pair(sides), plan.seed, plan.length(), stranded_after_s)
        problem = ""
        try:
            script.run()
        except TooSlow:
            return None
        except (Mismatch, Silence) as found:
            problem = f"{type(found).__name__}: {found}"
        except Exception:
            problem = traceback.format_exc()
        raised = logs[0].read_text("utf8", "replace")
        if "Traceback" in raised:
            problem += f"\nthe reference raised:\n{raised[-3000:]}"
        if problem:
            problem += story(script, logs, plan.verbose)
        return Outcome(plan, problem, script.events, script.counts, tries)
    finally:
        for end in ends:
            end()
        for side in sides:
            side.cluster.close()
        for folder in folders:
            process.remove_folder(folder)


def story(script: Script, logs: list[Path], verbose: bool) -> str:
    trace = script.trace if verbose else script.trace[-12:]
    text = f"\nafter {script.events} events, the last of them:\n  " + "\n  ".join(trace)
    if logs[1:]:
        tail = logs[1].read_text("utf8", "replace").splitlines()
        text += "\nthe other's log ends:\n  " + "\n  ".join(tail if verbose else tail[-8:])
    return text


def run_all(plans: list[Plan], jobs: int) -> list[Outcome]:
    outcomes = []
    with ProcessPoolExecutor(jobs, initializer=start_worker) as pool:
        for outcome in pool.map(run_plan, plans):
            outcomes.append(outcome)
            plan = outcome.plan
            word = "differs" if outcome.problem else "agrees"
            again = f", try {outcome.tries}" if outcome.tries > 1 else ""
            print(
                f"seed {plan.seed} {plan.scheme} hwm {plan.hwm} against {plan.against}: "
                f"{word} ({outcome.events} events{again})",
                flush=True,
            )
            if outcome.problem and plan.against in ("yardmaster", "reference"):
                print(f"{outcome.problem}\nreplay: {plan.replay()} -v\n", flush=True)
    return outcomes


def plans_for(count: int, first_seed: int, against: str) -> list[Plan]:
    return [
        Plan(first_seed + n, *COMBINATIONS[n % len(COMBINATIONS)], against) for n in range(count)
    ]


def summarize(outcomes: list[Outcome], began: float) -> int:
    totals: dict[str, int] = {}
    for outcome in outcomes:
        for what, count in outcome.counts.items():
            totals[what] = totals.get(what, 0) + count
    failed = [outcome for outcome in outcomes if outcome.problem]
    print(f"{len(outcomes)} scripts, {sum(o.events for o in outcomes)} events: {totals}")
    print(
        f"{len(outcomes) - len(failed)} passed, {len(failed)} failed (scripts that agree, that differ); "
        f"{time.time() - began:.0f} s"
    )
    for outcome in failed:
        print(f"replay: {outcome.plan.replay()} -v")
    return 1 if failed else 0


def self_test(jobs: int, scripts: int) -> int:
    """The reference agrees with itself; each mutant is found within one round of combinations."""
    from mutations import MUTATIONS

    began = time.time()
    failed = summarize(run_all(plans_for(scripts, 1, "reference"), jobs), began)
    for name in MUTATIONS:
        plans = plans_for(len(COMBINATIONS), 1, name)
        tried = found = 0
        while plans and not found:
            batch, plans = plans[:jobs], plans[jobs:]
            found = sum(1 for outcome in run_all(batch, jobs) if outcome.problem)
            tried += len(batch)
        print(f"mutant {name}: found by {found} of {tried} scripts")
        failed = failed or not found
    print("self-test", "FAILED" if failed else "passed", f"in {time.time() - began:.0f} s")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scripts", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seed", type=int, help="run this one script")
    parser.add_argument("--scheme", choices=("lru", "leastload"), default="leastload")
    parser.add_argument("--hwm", type=int, default=1)
    parser.add_argument(
        "--against", default="yardmaster", help="yardmaster, reference or a mutation"
    )
    parser.add_argument("--jobs", type=int, default=min(4, 2 * (os.cpu_count() or 1)))
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--differences", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if options.differences:
        from differences import DIFFERENCES

        for entry in DIFFERENCES:
            print(f"{entry.clause}: {entry.what}\n    because {entry.reason}\n    {entry.handled}")
        return 0
    if options.self_test:
        return self_test(options.jobs, min(options.scripts, 12))
    if options.seed is not None:
        plan = Plan(options.seed, options.scheme, options.hwm, options.against, options.verbose)
        plans = [plan]
    else:
        plans = plans_for(options.scripts, options.first_seed, options.against)
    began = time.time()
    return summarize(run_all(plans, min(options.jobs, len(plans))), began)


if __name__ == "__main__":
    sys.exit(main())
