"""Runs the same work in Framefold and in PyTorch, row by row in turn, and writes one table.

Usage: compare.py --bench build/cpu/bin/framefold-bench --torch PYTHON [--rounds 3] [--seconds 0.5]
                  [--out FILE.json] [ROW-PREFIX...]

Both sides compute from the same operands; a row whose results differ gets no time. A figure is the
median over rounds of each round's median. Peak memory is the resident set of a process that does
nothing but that row. Ratios above 1 favour Framefold. Whole steps run in PyTorch eagerly and
compiled; the faster counts. The roof is the best that any process of the run measured.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

WHOLE = ("step/", "features/")  # rows of whole models, whose memory is told
HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True


def run(command):
    """Standard output and peak resident bytes of a command."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"compare: {' '.join(command)} ended with status {process.returncode}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def ours(bench, names, seconds):
    """Figures by row. The regular expression escapes only what Google Benchmark's dialect knows."""
    pattern = "|".join(re.sub(r"([.+*?()|])", r"\\\1", name) for name in names)
    text, peak = run([bench, "--json", f"--filter=^({pattern})/iterations", f"--seconds={seconds}"])
    report = json.loads(text)
    figures = {}
    for row in report["benchmarks"]:
        if row.get("error_occurred"):
            sys.exit(f"compare: {row['name']}: {row['error_message']}")
        figures[row["name"]] = {
            "seconds": row["real_time"] * 1e-6, "peak": peak,
            "flops": row.get("flop/s"), "bytes": row.get("bytes/s"),
            "checksum": row.get("checksum"), "context": report["context"]}
    for name in names:
        if name not in figures:
            sys.exit(f"compare: framefold-bench has no row {name}")
    return figures


def theirs(python, names, seconds):
    command = [python, str(HERE / "torch_rows.py"), *names, f"--seconds={seconds}"]
    text, peak = run(command)
    figures = {row["row"]: {**row, "peak": peak} for row in map(json.loads, text.splitlines())}
    steps = [name for name in names if name.startswith("step/")]
    if steps:
        text, peak = run([*command, "--compiled"])
        for row in map(json.loads, text.splitlines()):
            eager = figures[row["row"]]
            ways = {eager["way"]: eager["seconds"], row["way"]: row["seconds"]}
            best = min(eager, {**row, "peak": peak}, key=lambda one: one["seconds"])
            figures[row["row"]] = {**best, "ways": ways}
    return figures


def on_all(context, key):
    """The figure for all threads of "112 on one thread, 221 on all"."""
    return float(context[key].split(",")[-1].split()[0]) * 1e9


def raise_roof(result, context):
    """Keeps the best rates that any process measured, and every row's share of them."""
    kept = result.setdefault("context", context)
    for key in ("peak_gflops", "copy_gb_per_s"):
        kept[key] = max(kept[key], context[key], key=lambda text: on_all({key: text}, key))
    peak, copy = on_all(kept, "peak_gflops"), on_all(kept, "copy_gb_per_s")
    for row in result["rows"].values():
        shares = [rate / most for rate, most in ((row["flops"], peak), (row["bytes"], copy)) if rate]
        row["of_roof"] = max(shares) if shares else None


def agree(own, other):
    """Whether both sides computed the same from the same operands; None where they can't be held
    against one another."""
    if own["checksum"] is None or other["checksum"] is None:
        return None
    return abs(own["checksum"] - other["checksum"]) <= 1e-4 * other["scale"]


def groups(names):
    """Rows that share a process on either side: those of one operation; each whole step alone, for
    its memory."""
    grouped = {}
    for name in names:
        grouped.setdefault(name if name.startswith(WHOLE) else name.split("/")[0], []).append(name)
    return grouped.values()


def rows(python):
    listing = subprocess.run([python, str(HERE / "torch_rows.py"), "--list"], check=True,
                             capture_output=True, text=True)
    return json.loads(listing.stdout)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def table(result):
    lines = [f"{result['date']}, {result['processor']}, {result['cores']} cores, commit "
             f"{result['commit']}, PyTorch {result['torch']}, peak "
             f"{result['context'].get('peak_gflops', '?')} GFLOP/s, copy "
             f"{result['context'].get('copy_gb_per_s', '?')} GB/s", "",
             "| row | Framefold, ms | PyTorch, ms | PyTorch's way | PyTorch / Framefold | of the roof "
             "| same result | memory, MB | PyTorch, MB |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        step = name.startswith(WHOLE)
        memory = f"{row['our_peak'] / 1e6:.0f} | {row['their_peak'] / 1e6:.0f}" if step else " | "
        roof = f"{100 * row['of_roof']:.0f} %" if row["of_roof"] else ""
        lines.append(f"| {name} | {1e3 * row['ours']:.3f} | {1e3 * row['theirs']:.3f} | "
                     f"{row['way']} | {row['theirs'] / row['ours']:.2f} | {roof} | "
                     f"{'yes' if row['checked'] else 'not comparable'} | {memory} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="most for one row, a round")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("prefixes", nargs="*")
    arguments = parser.parse_args()
    wanted = [row for row in rows(arguments.torch)
              if not arguments.prefixes or row.startswith(tuple(arguments.prefixes))]
    wanted.sort(key=lambda row: not row.startswith(WHOLE))  # whole steps first
    result = {"date": time.strftime("%Y-%m-%d"), "processor": processor(),
              "cores": os.cpu_count(), "rounds": arguments.rounds, "rows": {},
              "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                       capture_output=True, text=True).stdout.strip() or "unknown"}
    different = []
    for names in groups(wanted):
        own, other = [], []
        for _ in range(arguments.rounds):
            own.append(ours(arguments.bench, names, arguments.seconds))
            other.append(theirs(arguments.torch, names, arguments.seconds))
        for name in names:
            mine, its = [one[name] for one in own], [one[name] for one in other]
            checked = agree(mine[0], its[0])
            if checked is False:
                different.append(f"{name}: a checksum of {mine[0]['checksum']}, PyTorch's is "
                                 f"{its[0]['checksum']}, the magnitudes' {its[0]['scale']}")
                continue
            result["torch"] = its[0]["version"]
            fastest = min(mine, key=lambda one: one["seconds"])
            result["rows"][name] = {
                "ours": statistics.median(one["seconds"] for one in mine),
                "theirs": statistics.median(one["seconds"] for one in its),
                "our_seconds": [one["seconds"] for one in mine],
                "their_seconds": [one["seconds"] for one in its],
                "flops": fastest["flops"], "bytes": fastest["bytes"],
                "way": min(its, key=lambda one: one["seconds"])["way"],
                **({"ways": its[0]["ways"]} if "ways" in its[0] else {}),
                "checked": bool(checked),
                "our_peak": max(one["peak"] for one in mine),
                "their_peak": max(one["peak"] for one in its)}
            for one in mine:
                raise_roof(result, one["context"])
            print(table({**result, "rows": {name: result["rows"][name]}}).splitlines()[-1],
                  flush=True)
        if arguments.out and result["rows"]:  # a comparison that is stopped keeps what it has
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
            arguments.out.with_suffix(".md").write_text(table(result))
    print("\n" + table(result))
    if different:
        sys.exit("compare: without a time, since the results differ:\n" + "\n".join(different))


if __name__ == "__main__":
    main()
