"""What the rivals' rows in PyTorch share: operands and checksums as bench/op_rows.h has them, layouts,
and the clock. On a GPU (--device=cuda) everything lies there, calls are timed by events before and
behind them, as framefold-bench times its own, and f32 stays f32 (no TF32), as ours does.
--dry-run: everything once, without a clock, for machines where the device is not.
"""

import statistics
import sys
import time

import numpy
import torch

from rate import Repetitions

DEVICE = "cuda" if "--device=cuda" in sys.argv else "cpu"
DRY = "--dry-run" in sys.argv
COMPILED = "--compiled" in sys.argv
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last_3d}
PLACE = "cpu" if DRY else DEVICE
if PLACE == "cpu" or torch.cuda.is_available():
    torch.set_default_device(PLACE)
if DEVICE == "cuda":
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


class Precision:
    """What operands are made of: f32, or bf16 in rows of that name. Their values are exact in both."""
    now = torch.float32


def values(operand, *shape):
    """Operand number `operand` as op_rows.h fills it."""
    i = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint32)
    with numpy.errstate(over="ignore"):
        h = i * numpy.uint32(2654435761) + numpy.uint32((operand + 1) * 7919)
        h = (h ^ (h >> numpy.uint32(15))) * numpy.uint32(2246822519)
    h = (h ^ (h >> numpy.uint32(13))) % numpy.uint32(97)
    made = torch.from_numpy(((h.astype(numpy.int32) - 48) / 256).astype(numpy.float32))
    return made.view(shape).to(PLACE, Precision.now)


def pixels(*shape):
    count = int(numpy.prod(shape))
    return torch.from_numpy((numpy.arange(count) % 251).astype(numpy.uint8)).view(shape).to(PLACE)


def numbers(*shape):
    """i32 operands: the element's number modulo the last axis."""
    return (torch.arange(int(numpy.prod(shape))) % shape[-1]).view(shape)


def checksum(tensors):
    total = scale = 0.0
    for t, tensor in enumerate(tensors):
        flat = tensor.detach().contiguous().view(-1).double()
        terms = flat * values(31 + t, flat.numel()).double()
        total += terms.sum().item()
        scale += terms.abs().sum().item()
    return total, scale


def seconds_of(work):
    """Of one call: by the clock, on a GPU between events."""
    if PLACE == "cpu":
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    work()
    end.record()
    end.synchronize()
    return 1e-3 * begin.elapsed_time(end)


RATES = []  # the processor's beside what was timed for this row


def median_seconds(work, budget, least=9):
    """The median of calls that the processor ran at its rate; that rate goes to RATES."""
    if DRY:
        work()
        return 0.0
    begin = time.perf_counter()
    count = 0
    while count < 2 or (count < 100 and time.perf_counter() - begin < 0.1 * budget):
        seconds_of(work)  # to warm up
        count += 1
    repetitions = Repetitions() if PLACE == "cpu" else Repetitions(lambda: 1.0)
    count = 0
    end = time.perf_counter() + budget
    while count < least or (time.perf_counter() < end and count < 5000):
        repetitions.add(seconds_of(work))
        count += 1
    times, rate = repetitions.kept()
    RATES.append(rate)
    return statistics.median(times)


def first(layout, x):
    """Our [B, T, H, W, C] as PyTorch's [B, C, T, H, W], in a memory layout of its own."""
    return x.permute(0, 4, 1, 2, 3).contiguous(memory_format=layout)


def last(x):
    return x.permute(0, 2, 3, 4, 1)


def same(x):
    return x
