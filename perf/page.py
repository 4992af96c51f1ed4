"""Medians, ratios, targets, and the page that shows them.

Used by compare.py. Invariant: a ratio is the median of the ratios of the rounds, both sides of each
taken in the same round; a figure with a violation behind it is marked as such everywhere.
"""

from __future__ import annotations

import json
import pathlib
from statistics import median

PAGE = pathlib.Path(__file__).resolve().parent / "page.html"
PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99")


def spread(values: list[float]) -> dict:
    return {"median": median(values), "low": min(values), "high": max(values)}


def usable(record: dict, scenario: str, candidate: str) -> list[dict]:
    return [
        run
        for run in record["runs"]
        if run["scenario"] == scenario and run["candidate"] == candidate and "error" not in run
    ]


def merged_curve(runs: list[dict]) -> list[list[float]]:
    """Median of the rounds at each percentile that all of them reach."""
    curves = [run["latency_us"].get("curve") for run in runs]
    curves = [curve for curve in curves if curve]
    if not curves:
        return []
    return [
        [points[0][0], median(point[1] for point in points)] for points in zip(*curves)
    ]


def cell(runs: list[dict]) -> dict:
    summary = {
        "tasks_per_s": spread([run["tasks_per_s"] for run in runs]),
        "cpu_us": spread([run["cpu_us_per_task"] for run in runs]),
        "load_cores": spread([run["load_cores"] for run in runs]),
        "cpu_cores": spread([run["cpu_cores"] for run in runs]),
        "other_cores": spread([run["other_cores"] for run in runs]),
        "rss_mib": spread([run["rss_drained_bytes"] / 2**20 for run in runs]),
        "rss_idle_mib": spread([run["rss_idle_bytes"] / 2**20 for run in runs]),
        "bytes_per_task": spread(
            [max(run["rss_end_bytes"] - run["rss_begin_bytes"], 0) / max(run["tasks"], 1)
             for run in runs]
        ),
        "connect_s": spread([run["start_s"] + run["connect_s"] for run in runs]),
        "tasks": sum(run["tasks"] for run in runs),
        "rounds": len(runs),
        "violations": sum(run["violations"] for run in runs),
        "violation_kinds": sorted({kind for run in runs for kind in run["violation_kinds"]}),
        "curve": merged_curve(runs),
    }
    if "restart_connect_s" in runs[0]:
        summary["restart_s"] = spread([r["restart_start_s"] + r["restart_connect_s"] for r in runs])
    for name in PERCENTILES:
        summary[name] = spread([run["latency_us"][name] for run in runs])
    return summary


def summarize(record: dict) -> dict:
    """{scenario: {candidate: medians}}; also drops the curves of single runs, which are large."""
    summary: dict = {}
    for scenario in record["scenarios"]:
        for candidate in record["candidates"]:
            runs = usable(record, scenario["name"], candidate)
            if runs:
                summary.setdefault(scenario["name"], {})[candidate] = cell(runs)
    for run in record["runs"]:
        run.get("latency_us", {}).pop("curve", None)
    return summary


def ratio(record: dict, scenario: str, mine: str, other: str, field) -> float | None:
    theirs = {run["round"]: field(run) for run in usable(record, scenario, other)}
    pairs = [
        field(run) / theirs[run["round"]]
        for run in usable(record, scenario, mine)
        if theirs.get(run["round"])
    ]
    return median(pairs) if pairs else None


def rate(run: dict) -> float:
    return run["tasks_per_s"]


def cpu(run: dict) -> float:
    return run["cpu_us_per_task"]


def half_round_trip(run: dict) -> float:
    return run["latency_us"]["p50"]


def best(record: dict) -> str | None:
    measured = {name for cells in record["summary"].values() for name in cells}
    return next((name for name in ("uring", "epoll", "zmq") if name in measured), None)


def judge(record: dict) -> list[dict]:
    """The targets of the work, each with what was measured; value is None where nothing was."""
    mine = best(record)
    rows: list[dict] = []
    summary = record["summary"]

    def add(what: str, value: float | None, limit: float, least: bool, unit: str = "x") -> None:
        met = None if value is None else (value >= limit if least else value <= limit)
        rows.append({"what": what, "value": value, "limit": limit, "least": least, "unit": unit,
                     "met": met})

    def compare(what: str, scenario: str, other: str, field, limit: float, least: bool) -> None:
        add(what, mine and ratio(record, scenario, mine, other, field), limit, least)

    compare("throughput against pure, 64 in flight", "w64", "pure", rate, 2.5, True)
    compare("throughput against pure, 1,024 in flight", "w1024", "pure", rate, 5, True)
    compare("throughput against the floor, 64 in flight", "w64", "floor", rate, 0.9, True)
    compare("throughput against the floor, 1,024 in flight", "w1024", "floor", rate, 0.8, True)
    compare("throughput against the Python scheduler, 1,024", "w1024", "stock", rate, 250, True)
    for scenario, text in (("w64", "64 in flight"), ("w1024", "1,024 in flight"),
                           ("e4096w64", "64, 4,096 engines"),
                           ("e4096w1024", "1,024, 4,096 engines")):
        compare(f"CPU a task against the floor, signed, {text}", scenario, "floor", cpu, 2, False)
        compare(f"CPU a task against the floor, unsigned, {text}", scenario + "u", "floor", cpu,
                1.3, False)
    compare("round trip p50, 1 in flight, against pure", "w1", "pure", half_round_trip, 0.55, False)
    compare("round trip p50, 1 in flight, against the floor", "w1", "floor", half_round_trip, 1.1,
            False)
    half, idle = summary.get("half", {}).get(mine), summary.get("w1", {}).get(mine)
    add("p99.9 at half its own peak, in idle p50s",
        half["p99.9"]["median"] / idle["p50"]["median"] if half and idle else None, 3, False)
    finished = summary.get("finished", {}).get(mine)
    add("memory a finished task", finished and finished["bytes_per_task"]["median"], 16, False,
        "bytes")
    storm = summary.get("storm", {}).get(mine)
    add("5,000 engines connected", storm and storm["connect_s"]["median"], 5, False, "s")
    add("5,000 engines again after a restart",
        storm["restart_s"]["median"] if storm and "restart_s" in storm else None, 5, False, "s")
    return rows


def text(record: dict) -> str:
    lines = []
    for scenario in record["scenarios"]:
        for name, one in record["summary"].get(scenario["name"], {}).items():
            lines.append(
                f"{scenario['title']:<48.48} {record['candidates'][name]:<26}"
                f"{one['tasks_per_s']['median']:>10,.0f}/s {one['cpu_us']['median']:>9.2f} us CPU"
                f"  p50 {one['p50']['median']:>9,.0f}  p99.9 {one['p99.9']['median']:>9,.0f}"
                + ("  VIOLATIONS" if one["violations"] else "")
            )
    for row in record["targets"]:
        if row["value"] is not None:
            sign = "at least" if row["least"] else "at most"
            lines.append(f"{'met ' if row['met'] else 'MISS'} {row['what']:<52} "
                         f"{row['value']:.3g} {row['unit']} (target {sign} {row['limit']:g})")
    return "\n".join(lines)


def write(record: dict, path: pathlib.Path) -> None:
    """One self-contained page; the single runs stay in the JSON."""
    shown = {key: value for key, value in record.items() if key != "runs"}
    shown["errors"] = sorted(
        {f"{run['scenario']}, {record['candidates'].get(run['candidate'])}: {run['error']}"
         for run in record["runs"] if "error" in run}
    )
    data = json.dumps(shown, separators=(",", ":")).replace("</", "<\\/")
    path.write_text(PAGE.read_text().replace("/*DATA*/null", data, 1))
