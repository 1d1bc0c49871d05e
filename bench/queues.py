"""Goals 3 and 4: syncd beside the queues, taking turns in one run."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.measure import Report, available_peers, middle, peer, quantile, syncd


def latency(*, quick: bool) -> Report:
    """Goal 3: from a change to the start of the vendor's call, at 50 a second."""
    report = Report("latency")
    rounds, count = (1, 100) if quick else (3, 250)
    seen: dict[str, list[dict[str, float]]] = {}
    with available_peers(report) as addresses:
        for _ in range(rounds):
            seen.setdefault("syncd", []).append(_points(syncd("latency", count)))
            for name, address in addresses.items():
                seen.setdefault(name, []).append(_points(peer(name, "latency", count, address)))
    report.figures = {name: {point: middle(runs, point) for point in runs[0]} for name, runs in seen.items()}
    for name, points in report.figures.items():
        report.note(f"{name:<13}" + "  ".join(f"{point} {value:6.2f} ms" for point, value in points.items()))
    wanted = {"p50": 0.5, "p99": 1.0}
    for since, meaning in (("asked", "hand-in to start"), ("committed", "commit to start")):
        for part, goal in wanted.items():
            _best(report, seen, f"{since}_{part}", f"{meaning}, {part}", goal)
    return report


def _best(report: Report, seen: dict[str, list[dict[str, float]]], point: str, what: str, goal: float) -> None:
    # A broker that starts a job before it confirms its commit has no time from commit to start.
    rivals = {name: middle(runs, point) for name, runs in seen.items() if name != "syncd" and middle(runs, point) > 0}
    if not rivals:
        return
    best = min(rivals, key=lambda name: rivals[name])
    ratio = median(ours[point] / theirs[point] for ours, theirs in zip(seen["syncd"], seen[best], strict=True))
    ours, theirs = middle(seen["syncd"], point), rivals[best]
    report.ratio("3", what, ratio, goal, least=False, of=(f"{ours:.2f} ms", f"{best} {theirs:.2f} ms"))


def _points(told: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{since}_{name}": quantile(values, part) * 1e3
        for since, values in told.items()
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }


MIXES = ((1, "every change of a record of its own"), (10, "ten changes of each record"))


def whole(*, quick: bool) -> Report:
    """Goal 4: the whole path beside the queues' no-op jobs, and durable staging beside their enqueueing."""
    report = Report("whole")
    rounds, count = (1, 3000) if quick else (3, 10_000)
    paths: dict[int, list[dict[str, float]]] = {each: [] for each, _ in MIXES}
    staged: list[float] = []
    peers: dict[str, dict[str, list[float]]] = {"jobs": {}, "enqueue": {}}
    with available_peers(report) as addresses:
        for _ in range(rounds):
            for each, runs in paths.items():
                runs.append(syncd("whole", count // each, each))
            staged.append(syncd("enqueue", count)["rate"])
            for name, address in addresses.items():
                share = min(count, 1500 if name == "procrastinate" else 4000)
                for what, rates in peers.items():
                    rates.setdefault(name, []).append(share / peer(name, what, share, address))
    report.figures = {"syncd": paths, "staged": staged, **peers}
    _ratios(report, paths, staged, peers)
    return report


def _ratios(report: Report, paths: Any, staged: list[float], peers: dict[str, dict[str, list[float]]]) -> None:
    for what, rates in peers.items():
        for name, runs in rates.items():
            report.note(f"{name}: {what} {median(runs):,.0f}/s")
    if not peers["jobs"]:
        return
    best = {what: max(rates, key=lambda name, rates=rates: median(rates[name])) for what, rates in peers.items()}
    rival, runs = best["jobs"], peers["jobs"][best["jobs"]]
    for each, meaning in MIXES:
        for kind in ("created", "updated"):
            ratio = median(one[kind] / theirs for one, theirs in zip(paths[each], runs, strict=True))
            report.ratio(
                "4", f"whole path, {kind}, {meaning.split(' of ')[0]}", ratio, 3.0, least=True,
                of=(f"{middle(paths[each], kind):,.0f}/s", f"{rival} {median(runs):,.0f} no-op jobs/s"),
            )  # fmt: skip
    rival, runs = best["enqueue"], peers["enqueue"][best["enqueue"]]
    ratio = median(ours / theirs for ours, theirs in zip(staged, runs, strict=True))
    report.ratio(
        "4", "durable staging, 64 callers", ratio, 5.0, least=True,
        of=(f"{median(staged):,.0f}/s", f"{rival} {median(runs):,.0f} enqueued/s"),
    )  # fmt: skip
