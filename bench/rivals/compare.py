"""Runs the same work in Framefold and in PyTorch, row by row in turn, and writes one table.

Usage: compare.py --bench build/cpu/bin/framefold-bench --torch PYTHON [--rounds 3] [--out FILE.json]
                  [ROW-PREFIX...]

A figure is the median over rounds of each round's median. Peak memory is the resident set of a
process that does nothing but that row. Ratios above 1 favour Framefold.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

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


def ours(bench, row):
    text, peak = run([bench, f"--benchmark_filter=^{row}(/native)?/real_time$", "--benchmark_format=json",
                      "--benchmark_min_time=0.02", "--benchmark_repetitions=25"])
    report = json.loads(text)
    if not report["benchmarks"]:
        sys.exit(f"compare: framefold-bench has no row {row}")
    median = next(b for b in report["benchmarks"] if b.get("aggregate_name") == "median")
    seconds = median["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[median["time_unit"]]
    return seconds, peak, report["context"]


def theirs(python, row):
    text, peak = run([python, str(HERE / "torch_rows.py"), row])
    report = json.loads(text)
    return report[row], peak, report["version"]


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
             f"{result['context'].get('peak_gflops', '?')} GFLOP/s", "",
             "| row | Framefold, ms | PyTorch, ms | PyTorch / Framefold | memory, MB | PyTorch, MB |",
             "|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        step = name.startswith("step/")
        memory = (f"{row['our_peak'] / 1e6:.0f} | {row['their_peak'] / 1e6:.0f}" if step else "| ")
        lines.append(f"| {name} | {1e3 * row['ours']:.3f} | {1e3 * row['theirs']:.3f} | "
                     f"{row['theirs'] / row['ours']:.2f} | {memory} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("prefixes", nargs="*")
    arguments = parser.parse_args()
    wanted = [row for row in rows(arguments.torch)
              if not arguments.prefixes or row.startswith(tuple(arguments.prefixes))]
    result = {"date": time.strftime("%Y-%m-%d"), "processor": processor(),
              "cores": os.cpu_count(), "rounds": arguments.rounds, "rows": {},
              "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                       capture_output=True, text=True).stdout.strip() or "unknown"}
    for row in wanted:
        our_runs, their_runs = [], []
        for _ in range(arguments.rounds):
            our_runs.append(ours(arguments.bench, row))
            their_runs.append(theirs(arguments.torch, row))
        result["context"], result["torch"] = our_runs[0][2], their_runs[0][2]
        result["rows"][row] = {
            "ours": statistics.median(r[0] for r in our_runs),
            "theirs": statistics.median(r[0] for r in their_runs),
            "our_seconds": [r[0] for r in our_runs],
            "their_seconds": [r[0] for r in their_runs],
            "our_peak": max(r[1] for r in our_runs),
            "their_peak": max(r[1] for r in their_runs)}
        print(table({**result, "rows": {row: result["rows"][row]}}).splitlines()[-1], flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(table(result))
    print("\n" + table(result))


if __name__ == "__main__":
    main()
