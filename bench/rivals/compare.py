"""Runs the same work in Framefold and in PyTorch, row by row in turn, and writes one table.

Usage: compare.py --bench build/cpu/bin/framefold-bench --torch PYTHON [--rounds 3] [--seconds 0.5]
                  [--out FILE.json] [ROW-PREFIX...]

Both sides compute from the same operands; results that differ end the comparison. A figure is the
median over rounds of each round's median. Peak memory is the resident set of a process that does
nothing but that row. Ratios above 1 favour Framefold.
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


def ours(bench, row, seconds):
    text, peak = run([bench, "--json", f"--filter=^{re.escape(row)}/iterations", f"--seconds={seconds}"])
    report = json.loads(text)
    if not report["benchmarks"]:
        sys.exit(f"compare: framefold-bench has no row {row}")
    figures = report["benchmarks"][0]
    if figures.get("error_occurred"):
        sys.exit(f"compare: {row}: {figures['error_message']}")
    return {"seconds": figures["real_time"] * 1e-6, "peak": peak, "spread": figures["spread"],
            "of_roof": figures.get("of_roof"), "flops": figures.get("flop/s"), "bytes": figures.get("bytes/s"),
            "checksum": figures.get("checksum"), "context": report["context"]}


def theirs(python, row, seconds):
    text, peak = run([python, str(HERE / "torch_rows.py"), row, str(seconds)])
    return {**json.loads(text), "peak": peak}


def agree(row, own, other):
    """Both sides must have computed the same from the same operands, where they can."""
    if own["checksum"] is None or other["checksum"] is None:
        return False
    if abs(own["checksum"] - other["checksum"]) > 1e-4 * other["scale"]:
        sys.exit(f"compare: {row}: Framefold computed a checksum of {own['checksum']}, PyTorch "
                 f"{other['checksum']}, of magnitudes that sum to {other['scale']}")
    return True


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
             "| row | Framefold, ms | PyTorch, ms | PyTorch / Framefold | of the roof | same result "
             "| memory, MB | PyTorch, MB |",
             "|---|---|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        step = name.startswith("step/")
        memory = f"{row['our_peak'] / 1e6:.0f} | {row['their_peak'] / 1e6:.0f}" if step else " | "
        roof = f"{100 * row['of_roof']:.0f} %" if row["of_roof"] else ""
        lines.append(f"| {name} | {1e3 * row['ours']:.3f} | {1e3 * row['theirs']:.3f} | "
                     f"{row['theirs'] / row['ours']:.2f} | {roof} | "
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
    result = {"date": time.strftime("%Y-%m-%d"), "processor": processor(),
              "cores": os.cpu_count(), "rounds": arguments.rounds, "rows": {},
              "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                       capture_output=True, text=True).stdout.strip() or "unknown"}
    for row in wanted:
        own, other = [], []
        for _ in range(arguments.rounds):
            own.append(ours(arguments.bench, row, arguments.seconds))
            other.append(theirs(arguments.torch, row, arguments.seconds))
        checked = agree(row, own[0], other[0])
        result["context"], result["torch"] = own[0]["context"], other[0]["version"]
        fastest = min(own, key=lambda one: one["seconds"])
        result["rows"][row] = {
            "ours": statistics.median(one["seconds"] for one in own),
            "theirs": statistics.median(one["seconds"] for one in other),
            "our_seconds": [one["seconds"] for one in own],
            "their_seconds": [one["seconds"] for one in other],
            "of_roof": fastest["of_roof"], "flops": fastest["flops"], "bytes": fastest["bytes"], "checked": checked,
            "our_peak": max(one["peak"] for one in own),
            "their_peak": max(one["peak"] for one in other)}
        print(table({**result, "rows": {row: result["rows"][row]}}).splitlines()[-1], flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(table(result))
    print("\n" + table(result))


if __name__ == "__main__":
    main()
