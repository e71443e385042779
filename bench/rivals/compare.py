"""Runs the same work in Framefold, in PyTorch and, where it has the primitive, in oneDNN itself, row
by row in turn, and writes one table.

Usage: compare.py --bench build/cpu/bin/framefold-bench --torch PYTHON [--onednn PROGRAM]
                  [--device cpu|cuda] [--rounds 3] [--seconds 0.5] [--out FILE.json] [ROW-PREFIX...]

All compute from the same operands; a row whose results differ gets no time. A figure is the
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
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=out, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"compare: {' '.join(command)} ended with status {process.returncode}:\n"
                     f"{said.read()[-1000:]}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def ours(arguments, names):
    """Figures by row. The regular expression escapes only what Google Benchmark's dialect knows."""
    pattern = "|".join(re.sub(r"([.+*?()|])", r"\\\1", name) for name in names)
    text, peak = run([arguments.bench, "--json", f"--filter=^({pattern})/iterations",
                      f"--seconds={arguments.seconds}", f"--device={arguments.device}"])
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


# Whole steps on a GPU: our presets, and what PyTorch's side is given as well (torch_models.py).
GPU_BATCH = 8
GPU_STEPS = {"step/videomae_b f32": [], "step/videomae_b bf16": ["train.precision=bf16"]}


def framefold(arguments):
    return pathlib.Path(arguments.bench).parent / "framefold"


def gpu_step(arguments, names):
    """`framefold bench` reads, uploads and trains: seconds, clips/s, peak memory, the tenth step."""
    [name] = names
    sets = [f"data.path={arguments.clips}", "data.kind=shards", "data.held_out=0",
            f"train.device={arguments.device}", f"train.batch={GPU_BATCH}", "train.accumulate=1",
            *GPU_STEPS[name]]
    text, _ = run([str(framefold(arguments)), "bench", "videomae-b", "--json",
                   f"--seconds={max(10, arguments.seconds)}", *(f"--set={one}" for one in sets)])
    figures = json.loads(text)
    seconds = figures["step_seconds"]["median"]
    return {name: {"seconds": seconds, "peak": figures["memory"]["tensors"],
                   "flops": figures["flops"] / seconds, "bytes": None, "checksum": None,
                   "clips": figures["clips_per_second"]["median"],
                   "tenth_step": 1e-3 * figures["tenth_step_ms"], "context": {}}}


def theirs(arguments, names):
    command = [arguments.torch, str(HERE / "torch_rows.py"), *names,
               f"--seconds={arguments.seconds}", f"--device={arguments.device}"]
    text, peak = run(command)
    figures = {row["row"]: {"peak": peak, **row} for row in map(json.loads, text.splitlines())}
    steps = [name for name in names if name.startswith("step/")]
    if steps:
        text, peak = run([*command, "--compiled"])
        for row in map(json.loads, text.splitlines()):
            eager = figures[row["row"]]
            ways = {eager["way"]: eager["seconds"], row["way"]: row["seconds"]}
            best = min(eager, {"peak": peak, **row}, key=lambda one: one["seconds"])
            figures[row["row"]] = {**best, "ways": ways}
    return figures


def itself(program, names, seconds):
    """oneDNN's own figures for those of the rows that it has."""
    text, _ = run([program, *names, f"--seconds={seconds}"])
    return {row["row"]: row for row in map(json.loads, text.splitlines())}


def on_all(context, key):
    """The figure for all threads of "112 on one thread, 221 on all"."""
    return float(context[key].split(",")[-1].split()[0]) * 1e9


def raise_roof(result, context):
    """Keeps the best rates that any process measured, and every row's share of them."""
    kept = result.setdefault("context", context)
    arithmetic = "f32_gflops" if "f32_gflops" in kept else "peak_gflops"
    for key in (arithmetic, "copy_gb_per_s"):
        kept[key] = max(kept[key], context.get(key, kept[key]),
                        key=lambda text: on_all({key: text}, key))
    peak, copy = on_all(kept, arithmetic), on_all(kept, "copy_gb_per_s")
    for name, row in result["rows"].items():
        rates = [(row["bytes"], copy)]
        if "bf16" not in name:  # its peak is not measured
            rates.append((row["flops"], peak))
        shares = [rate / most for rate, most in rates if rate]
        row["of_roof"] = max(shares) if shares else None


def agree(own, other, name):
    """Whether both sides computed the same from the same operands; None where they can't be held
    against one another. bf16 keeps 8 bits."""
    if own["checksum"] is None or other["checksum"] is None:
        return None
    return abs(own["checksum"] - other["checksum"]) <= (4e-3 if "bf16" in name else 1e-4) * other["scale"]


def groups(names):
    """Rows that share a process on either side: those of one operation; each whole step alone, for
    its memory."""
    grouped = {}
    for name in names:
        grouped.setdefault(name if name.startswith(WHOLE) else name.split("/")[0], []).append(name)
    return grouped.values()


def listed(*command):
    return json.loads(run([*command, "--list"])[0])


def rows(arguments):
    """The rows that both sides have; on a GPU framefold-bench may have fewer."""
    wanted = listed(arguments.torch, str(HERE / "torch_rows.py"), f"--device={arguments.device}")
    if arguments.device == "cuda":
        text, _ = run([arguments.bench, "--benchmark_list_tests"])
        known = {line.split("/iterations")[0] for line in text.splitlines()}
        left = [name for name in wanted if name not in known and not name.startswith(WHOLE)]
        if left:
            print(f"compare: framefold-bench has none of {len(left)} rows, {left[0]} the first",
                  file=sys.stderr)
        wanted = [name for name in wanted if name not in left]
        if "train.precision" not in run([str(framefold(arguments)), "keys"])[0]:
            print("compare: framefold trains in f32 alone: the bf16 step is left out", file=sys.stderr)
            wanted = [name for name in wanted if name != "step/videomae_b bf16"]
    return wanted


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def milliseconds(seconds):
    return f"{1e3 * seconds:.3f}" if seconds else ""


def roof_of(context):
    return context.get("f32_gflops") or context.get("peak_gflops", "?")


def table(result):
    lines = [f"{result['date']}, {result['processor']}, {result['cores']} cores, commit "
             f"{result['commit']}, PyTorch {result['torch']}, oneDNN {result.get('onednn', 'left out')}, "
             f"peak {roof_of(result['context'])} GFLOP/s, copy "
             f"{result['context'].get('copy_gb_per_s', '?')} GB/s", "",
             "| row | Framefold, ms | PyTorch, ms | PyTorch's way | PyTorch / Framefold | oneDNN, ms "
             "| of the roof | same result | memory, MB | PyTorch, MB |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        step = name.startswith(WHOLE)
        memory = f"{row['our_peak'] / 1e6:.0f} | {row['their_peak'] / 1e6:.0f}" if step else " | "
        roof = f"{100 * row['of_roof']:.0f} %" if row["of_roof"] else ""
        lines.append(f"| {name} | {1e3 * row['ours']:.3f} | {1e3 * row['theirs']:.3f} | "
                     f"{row['way']} | {row['theirs'] / row['ours']:.2f} | "
                     f"{milliseconds(row.get('onednn'))} | {roof} | "
                     f"{'yes' if row['checked'] else 'not comparable'} | {memory} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--onednn", help="what bench/rivals/onednn_rows.cpp makes")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--clips", type=pathlib.Path,
                        help="shards (framefold data pack) that whole steps on a GPU read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="most for one row, a round")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("prefixes", nargs="*")
    arguments = parser.parse_args()
    wanted = [row for row in rows(arguments)
              if not arguments.prefixes or row.startswith(tuple(arguments.prefixes))]
    if arguments.device == "cuda" and not arguments.clips:
        print("compare: whole steps are left out: --clips names no shards", file=sys.stderr)
        wanted = [row for row in wanted if not row.startswith(WHOLE)]
    wanted.sort(key=lambda row: not row.startswith(WHOLE))  # whole steps first
    with_onednn = listed(arguments.onednn) if arguments.onednn else []
    result = {"date": time.strftime("%Y-%m-%d"), "processor": processor(),
              "cores": os.cpu_count(), "device": arguments.device, "rounds": arguments.rounds,
              "rows": {},
              "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                       capture_output=True, text=True).stdout.strip() or "unknown"}
    different = []
    for names in groups(wanted):
        own, other, third = [], [], []
        shared = [name for name in names if name in with_onednn]
        for _ in range(arguments.rounds):
            whole_on_gpu = arguments.device == "cuda" and names[0].startswith(WHOLE)
            own.append((gpu_step if whole_on_gpu else ours)(arguments, names))
            other.append(theirs(arguments, names))
            if shared:
                third.append(itself(arguments.onednn, shared, arguments.seconds))
        for name in names:
            mine, its = [one[name] for one in own], [one[name] for one in other]
            checked = agree(mine[0], its[0], name)
            if checked is False:
                different.append(f"{name}: a checksum of {mine[0]['checksum']}, PyTorch's is "
                                 f"{its[0]['checksum']}, the magnitudes' {its[0]['scale']}")
                continue
            result["torch"] = its[0]["version"]
            fastest = min(mine, key=lambda one: one["seconds"])
            row = result["rows"][name] = {
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
            for key in ("clips", "tenth_step"):  # of whole steps on a GPU
                if key in mine[0] and key in its[0]:
                    row["our_" + key] = statistics.median(one[key] for one in mine)
                    row["their_" + key] = statistics.median(one[key] for one in its)
            if name in shared:
                dnnl = [one[name] for one in third]
                if agree(mine[0], dnnl[0], name) is False:
                    different.append(f"{name}: a checksum of {mine[0]['checksum']}, oneDNN's is "
                                     f"{dnnl[0]['checksum']}, the magnitudes' {dnnl[0]['scale']}")
                else:
                    result["onednn"] = dnnl[0]["version"]
                    row["onednn_seconds"] = [one["seconds"] for one in dnnl]
                    row["onednn"] = statistics.median(row["onednn_seconds"])
                    row["onednn_way"] = min(dnnl, key=lambda one: one["seconds"])["way"]
            for one in mine:
                raise_roof(result, one["context"])
            print(table({**result, "rows": {name: row}}).splitlines()[-1], flush=True)
        if arguments.out and result["rows"]:  # a comparison that is stopped keeps what it has
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
            arguments.out.with_suffix(".md").write_text(table(result))
    if not result["rows"]:
        sys.exit("compare: no row to show" + "".join("\n" + one for one in different))
    print("\n" + table(result))
    if different:
        sys.exit("compare: without a time, since the results differ:\n" + "\n".join(different))


if __name__ == "__main__":
    main()
