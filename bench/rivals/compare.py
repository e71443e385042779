"""Runs the same work in Framefold, in PyTorch and, where it has the primitive, in oneDNN itself, row
by row in turn, and writes one table.

Usage: compare.py --bench build/cpu/bin/framefold-bench --torch PYTHON [--onednn PROGRAM]
                  [--device cpu|cuda] [--rounds 3] [--seconds 0.5] [--out FILE.json]
                  [--add FILE.json] [ROW-PREFIX...]

All compute from the same operands; a row whose results differ gets no time. A figure is the
median over rounds of each round's median. On a processor every figure has the machine's rate beside it
(bench/rate.h): a row at less than 0.85 of the run's best rate is measured again on that side alone, up
to six times; one that stays below is marked disturbed. Peak memory is the resident set of a process that does
nothing but that row. Ratios above 1 favour Framefold. Whole steps run in PyTorch eagerly and
compiled; the faster counts. The roof is the best that any process of the run measured.
"""

import argparse
import functools
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

sys.dont_write_bytecode = True
import rate

WHOLE = ("step/", "features/")  # rows of whole models, whose memory is told
HERE = pathlib.Path(__file__).parent


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
    text, peak = run([arguments.bench, "--json", f"--filter=^({pattern})$",
                      f"--seconds={arguments.seconds}", f"--device={arguments.device}"])
    report = json.loads(text)
    figures = {}
    for row in report["benchmarks"]:
        if row.get("error_occurred"):
            sys.exit(f"compare: {row['name']}: {row['error_message']}")
        figures[row["name"]] = {
            "seconds": row["real_time"] * 1e-6, "rate": row.get("rate"), "peak": peak,
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


def theirs(arguments, names, *more):
    text, peak = run([arguments.torch, str(HERE / "torch_rows.py"), *names,
                      f"--seconds={arguments.seconds}", f"--device={arguments.device}", *more])
    return {row["row"]: {"peak": peak, **row} for row in map(json.loads, text.splitlines())}


def compiled(arguments, names):
    return theirs(arguments, names, "--compiled")


def faster(eager, other):
    """Of PyTorch's two ways to take a whole step; at the lesser rate, since both decide."""
    figures = dict(eager)
    for name, row in other.items():
        both = (eager[name], row)
        figures[name] = {**min(both, key=lambda one: one["seconds"]),
                         "ways": {one["way"]: one["seconds"] for one in both},
                         **({"rate": min(one["rate"] for one in both)} if row.get("rate") else {})}
    return figures


def itself(arguments, names):
    """oneDNN's own figures for those of the rows that it has."""
    text, _ = run([arguments.onednn, *names, f"--seconds={arguments.seconds}"])
    return {row["row"]: row for row in map(json.loads, text.splitlines())}


class Gate:
    """Figures taken while the machine gave less than it can are taken again."""
    TRIES = 6
    PATIENCE = 900  # seconds that a whole run waits and measures again: no machine need recover

    def __init__(self, probe=rate.rate, clock=time.monotonic, sleep=time.sleep, warm=5):
        self.probe, self.clock, self.sleep = probe, clock, sleep
        self.best, self.spent = 0, 0
        begun = clock()
        while clock() - begun < warm:  # seconds: a rate to begin with
            self.best = max(self.best, probe())

    def disturbed(self, figures):
        return figures.get("rate") is not None and figures["rate"] < rate.GOOD * self.best

    def wait(self, most=20):
        begun = self.clock()
        while self.clock() - begun < most and self.probe() < rate.GOOD * self.best:
            self.sleep(1)

    def steady(self, measure, names, figures=None):
        """measure(names) gives figures by row. Of each row those with the best rate."""
        figures = figures or measure(names)
        for attempt in range(self.TRIES + 1):
            self.best = max([self.best, *(one.get("rate") or 0 for one in figures.values())])
            left = [name for name in figures if self.disturbed(figures[name])]
            if not left or attempt == self.TRIES or self.spent > self.PATIENCE:
                return figures
            begun = self.clock()
            self.wait()
            for name, again in measure(left).items():
                figures[name] = max(figures[name], again, key=lambda one: one["rate"])
            self.spent += self.clock() - begun


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


def added(earlier, result):
    """`earlier` with the rounds of `result`, another run of the same things, behind those of its rows."""
    for key in ("commit", "processor", "device", "torch"):
        if earlier[key] != result[key]:
            sys.exit(f"compare: --add: the file's {key} is {earlier[key]}, this run's {result[key]}")
    kept = earlier["rows"]
    for name, row in result["rows"].items():
        old = kept.setdefault(name, row)
        if old is row:
            continue
        for side, seconds in (("our", "ours"), ("their", "theirs"), ("onednn", "onednn")):
            if side + "_seconds" not in row or side + "_seconds" not in old:
                continue
            if side == "our" and min(row["our_seconds"]) < min(old["our_seconds"]):
                old.update(flops=row["flops"], bytes=row["bytes"])
            if side == "their" and min(row["their_seconds"]) < min(old["their_seconds"]):
                old["way"] = row["way"]
            for values in (side + "_seconds", side + "_rates"):
                old[values] = old.get(values, []) + row.get(values, [])
            old[seconds] = statistics.median(old[side + "_seconds"])
        for peak in ("our_peak", "their_peak"):
            old[peak] = max(old[peak], row[peak])
    raise_roof(earlier, result["context"])
    return earlier


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
        text, _ = run([arguments.bench, "--device=cuda", "--list"])
        known = set(text.splitlines())
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


SIDES = {"Framefold": "our", "PyTorch": "their", "oneDNN": "onednn"}


def mark_disturbed(result, gate):
    """The best rate may have risen since a row was measured."""
    result["rate"] = gate.best
    for row in result["rows"].values():
        row.pop("disturbed", None)
        sides = [side for side, key in SIDES.items()
                 if any(gate.disturbed({"rate": one}) for one in row.get(f"{key}_rates", []))]
        if sides:
            row["disturbed"] = sides


def milliseconds(row, side, seconds):
    shown = f"{1e3 * seconds:.3f}" if seconds else ""
    return shown + (", disturbed" if side in row.get("disturbed", []) else "")


def roof_of(context):
    return context.get("f32_gflops") or context.get("peak_gflops", "?")


def rate_of(result):
    return f", best rate {result['rate']:.0f} GFLOP/s" if result.get("rate") else ""


def table(result):
    lines = [f"{result['date']}, {result['processor']}, {result['cores']} cores, commit "
             f"{result['commit']}, PyTorch {result['torch']}, oneDNN {result.get('onednn', 'left out')}, "
             f"peak {roof_of(result['context'])} GFLOP/s, copy "
             f"{result['context'].get('copy_gb_per_s', '?')} GB/s{rate_of(result)}", "",
             "| row | Framefold, ms | PyTorch, ms | PyTorch's way | PyTorch / Framefold | oneDNN, ms "
             "| of the roof | same result | memory, MB | PyTorch, MB |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        step = name.startswith(WHOLE)
        memory = f"{row['our_peak'] / 1e6:.0f} | {row['their_peak'] / 1e6:.0f}" if step else " | "
        roof = f"{100 * row['of_roof']:.0f} %" if row["of_roof"] else ""
        lines.append(f"| {name} | {milliseconds(row, 'Framefold', row['ours'])} | "
                     f"{milliseconds(row, 'PyTorch', row['theirs'])} | {row['way']} | {row['theirs'] / row['ours']:.2f} | "
                     f"{milliseconds(row, 'oneDNN', row.get('onednn'))} | {roof} | "
                     f"{'yes' if row['checked'] else 'not comparable'} | {memory} |")
    return "\n".join(lines) + "\n"


def sides(arguments, names):
    """How each side measures a group of rows, and which of them."""
    yield "ours", (gpu_step if arguments.device == "cuda" and names[0].startswith(WHOLE) else ours), names
    yield "theirs", theirs, names
    if names[0].startswith("step/"):
        yield "compiled", compiled, names
    shared = [name for name in names if name in arguments.onednn_rows]
    if shared:
        yield "onednn", itself, shared


def measure_round(arguments, gate, names, taken):
    """Figures by side and row; of those already taken, the disturbed ones again."""
    for side, measure, rows in sides(arguments, names):
        taken[side] = gate.steady(functools.partial(measure, arguments), rows, taken.get(side))


def summary(name, rounds, different):
    """A row of the result, and its processes' contexts; None where the sides differ."""
    mine = [taken["ours"][name] for taken in rounds]
    its = [faster(taken["theirs"], taken["compiled"])[name] if "compiled" in taken
           else taken["theirs"][name] for taken in rounds]
    dnnl = [taken["onednn"][name] for taken in rounds if name in taken.get("onednn", [])]
    checked = agree(mine[0], its[0], name)
    if checked is False:
        different[name] = (f"a checksum of {mine[0]['checksum']}, PyTorch's is {its[0]['checksum']}, "
                           f"the magnitudes' {its[0]['scale']}")
        return None
    fastest = min(mine, key=lambda one: one["seconds"])
    row = {"ours": statistics.median(one["seconds"] for one in mine),
           "theirs": statistics.median(one["seconds"] for one in its),
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
    if dnnl and agree(mine[0], dnnl[0], name) is False:
        different[name + " of oneDNN"] = (f"a checksum of {mine[0]['checksum']}, oneDNN's is "
                                          f"{dnnl[0]['checksum']}, the magnitudes' {dnnl[0]['scale']}")
        dnnl = []
    if dnnl:
        row["onednn"] = statistics.median(one["seconds"] for one in dnnl)
        row["onednn_way"] = min(dnnl, key=lambda one: one["seconds"])["way"]
    for key, figures in zip(SIDES.values(), (mine, its, dnnl)):
        if figures:
            row[key + "_seconds"] = [one["seconds"] for one in figures]
            if figures[0].get("rate") is not None:
                row[key + "_rates"] = [one["rate"] for one in figures]
    return row


def parsed():
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
    parser.add_argument("--add", type=pathlib.Path,
                        help="put the rounds behind those of an earlier file of the same commit")
    parser.add_argument("prefixes", nargs="*")
    return parser.parse_args()


def main():
    arguments = parsed()
    wanted = [row for row in rows(arguments)
              if not arguments.prefixes or row.startswith(tuple(arguments.prefixes))]
    if arguments.device == "cuda" and not arguments.clips:
        print("compare: whole steps are left out: --clips names no shards", file=sys.stderr)
        wanted = [row for row in wanted if not row.startswith(WHOLE)]
    wanted.sort(key=lambda row: not row.startswith(WHOLE))  # whole steps first
    arguments.onednn_rows = listed(arguments.onednn) if arguments.onednn else []
    gate = Gate(warm=0 if arguments.device == "cuda" else 5)
    result = {"date": time.strftime("%Y-%m-%d"), "processor": processor(),
              "cores": os.cpu_count(), "device": arguments.device, "rounds": arguments.rounds,
              "rows": {},
              "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                       capture_output=True, text=True).stdout.strip() or "unknown"}
    different = {}

    def show(names, rounds):
        for name in names:
            row = summary(name, rounds, different)
            if not row:
                continue
            result["torch"] = rounds[0]["theirs"][name]["version"]
            if "onednn" in row:
                result["onednn"] = rounds[0]["onednn"][name]["version"]
            result["rows"][name] = row
            for taken in rounds:
                raise_roof(result, taken["ours"][name]["context"])
            mark_disturbed(result, gate)
            print(table({**result, "rows": {name: row}}).splitlines()[-1], flush=True)
        if arguments.out and result["rows"]:  # a comparison that is stopped keeps what it has
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
            arguments.out.with_suffix(".md").write_text(table(result))

    done = []
    for names in groups(wanted):
        rounds = [{} for _ in range(arguments.rounds)]
        for taken in rounds:
            measure_round(arguments, gate, names, taken)
        show(names, rounds)
        done.append((names, rounds))
    for names, rounds in done:  # once more what only a later, better rate has shown to be disturbed
        if any("disturbed" in result["rows"].get(name, {}) for name in names):
            for taken in rounds:
                measure_round(arguments, gate, names, taken)
            show(names, rounds)
    if not result["rows"]:
        sys.exit("compare: no row to show" + "".join(f"\n{name}: {why}" for name, why in different.items()))
    if arguments.add:
        result = added(json.loads(arguments.add.read_text()), result)
        gate.best = max(gate.best, result.get("rate", 0))
        mark_disturbed(result, gate)
        arguments.add.write_text(json.dumps(result, indent=1) + "\n")
        arguments.add.with_suffix(".md").write_text(table(result))
    print("\n" + table(result))
    if different:
        sys.exit("compare: without a time, since the results differ:\n" +
                 "\n".join(f"{name}: {why}" for name, why in different.items()))


if __name__ == "__main__":
    main()
