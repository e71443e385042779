"""Rows of the comparison in PyTorch: what framefold-bench's row of the same name does, on the same
operands.

Usage: torch_rows.py ROW... [--seconds=1] [--compiled] | --list
Prints {"row", "seconds", "checksum", "scale", "way", "version"} for each, a line apiece.

Operands and checksums are bench/op_rows.h's. Where PyTorch has several ways (memory layouts, number
of threads, backends of attention) the best one counts and is named. --compiled: whole steps through
torch.compile.
"""

import importlib.util
import json
import statistics
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last_3d}


def values(operand, *shape):
    """Operand number `operand` as op_rows.h fills it."""
    i = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint32)
    with numpy.errstate(over="ignore"):
        h = i * numpy.uint32(2654435761) + numpy.uint32((operand + 1) * 7919)
        h = (h ^ (h >> numpy.uint32(15))) * numpy.uint32(2246822519)
    h = (h ^ (h >> numpy.uint32(13))) % numpy.uint32(97)
    return torch.from_numpy(((h.astype(numpy.int32) - 48) / 256).astype(numpy.float32)).view(shape)


def pixels(*shape):
    count = int(numpy.prod(shape))
    return torch.from_numpy((numpy.arange(count) % 251).astype(numpy.uint8)).view(shape)


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


def median_seconds(work, budget, least=9):
    begin = time.perf_counter()
    count = 0
    while count < 2 or (count < 100 and time.perf_counter() - begin < 0.1 * budget):
        work()
        count += 1
    times = []
    end = time.perf_counter() + budget
    while len(times) < least or (time.perf_counter() < end and len(times) < 5000):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def first(layout, x):
    """Our [B, T, H, W, C] as PyTorch's [B, C, T, H, W], in a memory layout of its own."""
    return x.permute(0, 4, 1, 2, 3).contiguous(memory_format=layout)


def last(x):
    return x.permute(0, 2, 3, 4, 1)


def same(x):
    return x


class Way:
    """`function` of `leaves`; how its results and the leaves' gradients look in our layout."""

    def __init__(self, function, leaves, ours=same, gradients=None, outputs=None, name="eager"):
        self.function, self.leaves, self.ours, self.name = function, leaves, ours, name
        self.gradients = gradients or [same] * len(leaves)
        self.outputs = outputs  # gradients of the results, where operand 15 is not it


def dense(gradients):
    """Gradients that are views of others become tensors, as ours are."""
    return [g if g.is_contiguous() or (g.dim() == 5 and g.is_contiguous(
        memory_format=torch.channels_last_3d)) else g.contiguous() for g in gradients]


def measure(ways, which, budget, checks=True):
    """Seconds of the best way, its checksum and its name: of forward, backward (from a kept graph), both,
    dgrad (the first leaf's gradient) or wgrad (the others')."""
    best = None
    for way in ways:
        wanted = {"dgrad": slice(0, 1), "wgrad": slice(1, None)}.get(which, slice(None))
        leaves = [leaf.requires_grad_() for leaf in way.leaves][wanted]
        results = way.function()
        results = results if isinstance(results, tuple) else (results,)
        if way.outputs is not None:
            douts = way.outputs
        else:
            douts = [values(15, *way.ours(r).shape).expand_as(way.ours(r)) for r in results]
            if way.ours is last:
                douts = [first(torch.channels_last_3d if r.is_contiguous(
                    memory_format=torch.channels_last_3d) else torch.contiguous_format, d)
                    for r, d in zip(results, douts)]

        def forward():
            with torch.no_grad():
                return way.function()

        def gradients():
            return dense(torch.autograd.grad(results, leaves, douts, retain_graph=True))

        def both():
            made = way.function()
            made = made if isinstance(made, tuple) else (made,)
            return dense(torch.autograd.grad(made, leaves, douts))

        work = {"forward": forward, "both": both}.get(which, gradients)
        parts = []
        if which in ("forward", "both"):
            parts += [way.ours(r) for r in results]
        if which != "forward":
            parts += [back(g) for back, g in zip(way.gradients[wanted], work())]
        seconds = median_seconds(work, budget)
        if best is None or seconds < best[0]:
            best = (seconds, *(checksum(parts) if checks else (None, None)), way.name)
    return best


ROWS = {}


def row(name, passes, ways, checks=True):
    for which in passes:
        ROWS[f"{name}/{which}"] = lambda budget, which=which: measure(ways(), which, budget, checks)


BOTH = ("forward", "backward")

# Convolutions: (transposed, from, to, size, kernel, stride, batch)
CONVOLUTIONS = {
    "3-32_s2": (False, 3, 32, (16, 64, 64), 3, 2, 4),
    "32-64_s2": (False, 32, 64, (8, 32, 32), 3, 2, 4),
    "64-128_s2": (False, 64, 128, (4, 16, 16), 3, 2, 4),
    "16-16": (False, 16, 16, (8, 32, 32), 3, 1, 4),
    "64-64": (False, 64, 64, (8, 32, 32), 3, 1, 1),
    "transposed_128-64_s2": (True, 128, 64, (2, 8, 8), 4, 2, 4),
    "transposed_64-32_s2": (True, 64, 32, (4, 16, 16), 4, 2, 4),
    "transposed_32-3_s2": (True, 32, 3, (8, 32, 32), 4, 2, 4),
}


def convolution(transposed, c, n, size, kernel, stride, batch):
    function = F.conv_transpose3d if transposed else F.conv3d
    for layout_name, layout in LAYOUTS.items():
        x = first(layout, values(0, batch, *size, c))
        if transposed:  # ours [k, k, k, to, from], PyTorch's [from, to, k, k, k]
            weight = values(1, kernel, kernel, kernel, n, c).permute(4, 3, 0, 1, 2)
            back = lambda g: g.permute(2, 3, 4, 1, 0)
        else:  # ours [k, k, k, from, to], PyTorch's [to, from, k, k, k]
            weight = values(1, kernel, kernel, kernel, c, n).permute(4, 3, 0, 1, 2)
            back = lambda g: g.permute(2, 3, 4, 1, 0)
        weight = weight.contiguous(memory_format=layout)
        yield Way(lambda x=x, w=weight: function(x, w, None, stride, 1), [x, weight], last,
                  [last, back], name=layout_name)


for name, shape in CONVOLUTIONS.items():
    row(f"conv3d/{name}", ("forward", "dgrad", "wgrad"), lambda s=shape: convolution(*s))

# Products: (batch, m, k, n, a transposed, b transposed)
PRODUCTS = {
    "square 1024": (1, 1024, 1024, 1024, False, False),
    "square 1024 B transposed": (1, 1024, 1024, 1024, False, True),
    "square 1024 A transposed": (1, 1024, 1024, 1024, True, False),
    "scores 3136": (1, 3136, 64, 3136, False, True),
    "scores 12x196": (12, 196, 64, 196, False, True),
    "mix 12x196": (12, 196, 196, 64, False, False),
}


def product(batch, m, k, n, ta, tb):
    a = values(0, batch, k, m).transpose(1, 2) if ta else values(0, batch, m, k)
    b = values(1, batch, n, k).transpose(1, 2) if tb else values(1, batch, k, n)
    if batch == 1:
        a, b = a[0], b[0]
    yield Way(lambda: a @ b, [a.detach(), b.detach()])


for name, shape in PRODUCTS.items():
    row(f"matmul/{name}", ("forward",), lambda s=shape: product(*s))

# Linear layers: (rows, from, to, what follows forward)
LAYERS = {
    "dense 784-32": (256, 784, 32, "relu"),
    "dense 32-784": (256, 32, 784, "sigmoid"),
    "tokens 384-1536": (1568, 384, 1536, "bias"),
    "long 64-64": (65536, 64, 64, ""),
    "lstm 512": (16, 512, 2048, ""),
    "lstm 2048": (16, 2048, 8192, ""),
}


def layer(rows, k, n, ending, which, budget):
    """The better of a weight stored as ours is and as nn.Linear's; gradients add to the weight's."""
    best = None
    x, bias, dy = values(0, rows, k), values(2, n), values(15, rows, n)
    for weight_name, weight in (("weight as ours", values(1, k, n)),
                                ("weight as nn.Linear's", values(1, k, n).t().contiguous().t())):
        dweight = torch.zeros_like(weight)

        def forward():
            y = torch.addmm(bias, x, weight) if ending else x @ weight
            return {"relu": torch.relu_, "sigmoid": torch.sigmoid_}.get(ending, same)(y)

        def dgrad():
            return dy @ weight.t()

        def wgrad():
            return dweight.addmm_(x.t(), dy)

        work = {"forward": forward, "dgrad": dgrad, "wgrad": wgrad}[which]
        with torch.no_grad():
            sums = checksum([work()])
            seconds = median_seconds(work, budget)
        if best is None or seconds < best[0]:
            best = (seconds, *sums, weight_name)
    return best


for name, shape in LAYERS.items():
    for which in ("forward", "dgrad", "wgrad"):
        ROWS[f"matmul/{name}/{which}"] = lambda budget, s=shape, w=which: layer(*s, w, budget)

# Attention: (batch, tokens, heads, depth, causal)
ATTENTIONS = {
    "8x160 6 heads": (8, 160, 6, 64, False),
    "8x160 12 heads": (8, 160, 12, 64, False),
    "2x1568 6 heads": (2, 1568, 6, 64, False),
    "2x1568 12 heads": (2, 1568, 12, 64, False),
    "2x1568 3 heads": (2, 1568, 3, 64, False),
    "8x160 6 heads of 32": (8, 160, 6, 32, False),
    "4x197 16 heads of 80": (4, 197, 16, 80, False),
    "2x1568 6 heads causal": (2, 1568, 6, 64, True),
}


BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "math": SDPBackend.MATH}


def attention(batch, tokens, heads, depth, causal):
    """Heads and tokens exchanged in place, or the three operands contiguous from the start; by each
    backend that processors have."""
    packed = values(0, batch, tokens, 3 * heads * depth)
    merged = lambda y: y.transpose(1, 2).reshape(batch, tokens, heads * depth)
    split = lambda x: x.view(batch, tokens, 3, heads, depth).permute(2, 0, 3, 1, 4)
    parts = [part.contiguous() for part in split(values(0, batch, tokens, 3 * heads * depth))]
    dy = values(15, batch, tokens, heads * depth).view(batch, tokens, heads, depth).transpose(1, 2)
    for name, backend in BACKENDS.items():
        def attend(q, k, v, backend=backend):
            with sdpa_kernel(backend):
                return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

        yield Way(lambda attend=attend: merged(attend(*split(packed))), [packed],
                  name=f"{name}, packed")
        yield Way(lambda attend=attend: attend(*parts), parts, merged, outputs=[dy.contiguous()],
                  name=f"{name}, contiguous")


def attention_row(shape, which, budget):
    seconds, *_, way = measure(list(attention(*shape)), which, budget, checks=False)
    _, *sums, _ = measure([next(attention(*shape))], which, 0)
    return (seconds, *sums, way)


for name, shape in ATTENTIONS.items():
    for which in ("forward", "backward", "both"):
        ROWS[f"attention/{name}/{which}"] = (
            lambda budget, s=shape, w=which: attention_row(s, w, budget))


def lstm(hidden, which, budget, batch=16, steps=20):
    """At the best number of threads. PyTorch has two biases; ours is their sum."""
    unit = nn.LSTM(hidden, hidden, batch_first=True)
    with torch.no_grad():
        unit.weight_ih_l0.copy_(values(1, hidden, 4 * hidden).t())
        unit.weight_hh_l0.copy_(values(2, hidden, 4 * hidden).t())
        unit.bias_ih_l0.copy_(values(3, 4 * hidden))
        unit.bias_hh_l0.zero_()
    x = values(0, batch, steps, hidden)

    def function():
        h, (h_last, c_last) = unit(x)
        return h, h_last[0], c_last[0]

    leaves = [x, unit.weight_ih_l0, unit.weight_hh_l0, unit.bias_ih_l0]
    transposed = lambda g: g.t()
    way = Way(function, leaves, gradients=[same, transposed, transposed, same])

    def trial(threads):
        torch.set_num_threads(threads)
        return measure([way], which, 0, checks=False)[0]

    threads = min({1, torch.get_num_threads()}, key=trial)
    torch.set_num_threads(threads)
    way.name = f"threads: {threads}"
    return measure([way], which, budget)


for hidden in (512, 2048):
    for which in ("forward", "both"):
        ROWS[f"lstm/{hidden}/{which}"] = lambda budget, h=hidden, w=which: lstm(h, w, budget)

WIDE = (8, 1024, 1024)
TOKENS = (8, 1568, 384)
CLIP = (4, 16, 32, 32, 64)
HALF = (4, 8, 16, 16, 64)
PIXELS = (8, 16, 224, 224, 3)


def plain(function, *shapes):
    """A function of contiguous operands."""
    def ways():
        operands = [values(i, *shape) for i, shape in enumerate(shapes)]
        yield Way(lambda: function(*operands), operands)
    return ways


for name, function in {
        "relu": F.relu, "leaky_relu": F.leaky_relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
        "gelu_erf": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu}.items():
    row(f"activation {name}", BOTH, plain(function, WIDE))
row("activity_penalty", BOTH, plain(lambda x: x.abs().sum().view(1) / x.shape[0], (256, 784)))
row("add", ("forward",), plain(torch.add, WIDE, WIDE))
row("concat", BOTH, plain(lambda a, b: torch.cat((a, b), -1), CLIP, CLIP))
row("dropout", BOTH, plain(lambda x: F.dropout(x, 0.5), WIDE), checks=False)
row("gaussian_kl", BOTH, plain(
    lambda mu, logvar: -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum().view(1) / mu.shape[0],
    (256, 512), (256, 512)))
row("layer_norm", BOTH, plain(lambda x, g, b: F.layer_norm(x, (384,), g, b), TOKENS, (384,), (384,)))
row("multiply", BOTH, plain(torch.mul, WIDE, WIDE))
row("noise", BOTH, plain(lambda x: (x + 0.1 * torch.randn_like(x)).clamp_(0, 1), WIDE), checks=False)
row("permute heads", BOTH, plain(lambda x: x.permute(2, 0, 3, 1, 4).contiguous(),
                                 (8, 1568, 3, 6, 64)))
row("permute patches", BOTH, plain(lambda x: x.permute(0, 1, 3, 5, 2, 4, 6, 7).contiguous(),
                                   (4, 8, 2, 14, 16, 14, 16, 3)))
row("permute transpose", BOTH, plain(lambda x: x.permute(0, 2, 1).contiguous(), TOKENS))
row("reduce columns", BOTH, plain(lambda x: x.mean(1), TOKENS))
row("reduce rows", BOTH, plain(lambda x: x.mean(2), TOKENS))
row("scale", BOTH, plain(lambda x: 2 * x + 1, WIDE))
row("slice", BOTH, plain(lambda x: x[..., 16:48].contiguous(), CLIP))
row("softmax", BOTH, plain(lambda x: x.softmax(-1), (6, 1568, 1568)))


def with_target(function, *shape):
    def ways():
        x, target = values(0, *shape), values(1, *shape)
        yield Way(lambda: function(x, target).view(1), [x])
    return ways


row("cross_entropy", BOTH, with_target(F.cross_entropy, 512, 400))
row("pointwise_loss bce", BOTH, with_target(F.binary_cross_entropy_with_logits, 256, 784))
row("pointwise_loss mse", BOTH, plain(lambda x, target: F.mse_loss(x, target).view(1), WIDE, WIDE))


def volume(function, shape, parameters=()):
    def ways():
        for layout_name, layout in LAYOUTS.items():
            x = first(layout, values(0, *shape))
            own = [values(1 + i, count) for i, count in enumerate(parameters)]
            yield Way(lambda x=x, own=own: function(x, *own), [x, *own], last,
                      [last] + [same] * len(own), name=layout_name)
    return ways


def batch_norm(x, gamma, beta):
    return F.batch_norm(x, torch.zeros(64), torch.ones(64), gamma, beta, training=True)


row("batch_norm", BOTH, volume(batch_norm, CLIP, (64, 64)))
row("group_norm", BOTH, volume(lambda x, g, b: F.group_norm(x, 8, g, b), CLIP, (64, 64)))
row("max_pool3d 2", BOTH, volume(lambda x: F.max_pool3d(x, 2), CLIP))
row("max_pool3d 3 stride 2", BOTH, volume(lambda x: F.max_pool3d(x, 3, 2, 1), CLIP))
row("mean_pool3d 2", BOTH, volume(lambda x: F.avg_pool3d(x, 2), CLIP))
row("upsample3d nearest", BOTH, volume(lambda x: F.interpolate(x, (16, 32, 32)), HALF))
row("upsample3d trilinear", BOTH,
    volume(lambda x: F.interpolate(x, (16, 32, 32), mode="trilinear"), HALF))


def add_rows():
    x, table, token = values(0, 8, 160, 384), values(1, 1568, 384), values(4, 384)
    seen, masked = numbers(8, 160), numbers(8, 1408)
    yield Way(lambda: torch.cat((x + table[seen], token + table[masked]), 1), [x, table, token])


def gather_rows():
    x, index = values(0, *TOKENS), numbers(8, 784)
    yield Way(lambda: torch.gather(x, 1, index[..., None].expand(-1, -1, 384)), [x])


def scatter_rows():
    x, index, token = values(0, 8, 160, 384), numbers(8, 160), values(2, 384)
    places = index[..., None].expand(-1, -1, 384)
    yield Way(lambda: token.expand(8, 1568, 384).scatter(1, places, x), [x, token])


def tubelets(clip):
    b, t, h, w, c = clip.shape
    return clip.view(b, t // 2, 2, h // 16, 16, w // 16, 16, c).permute(
        0, 1, 3, 5, 2, 4, 6, 7).reshape(b, -1, 1536)


def gather_tubelets():
    """Taken from the pixels before they become numbers: the least work."""
    clip, index = pixels(*PIXELS), numbers(8, 160)

    def function():
        b, t, h, w, c = clip.shape
        grid = clip.view(b, t // 2, 2, h // 16, 16, w // 16, 16, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
        i, j, k = index // 196, index // 14 % 14, index % 14
        return grid[torch.arange(b)[:, None], i, j, k].reshape(b, -1, 1536).float().div_(255)
    yield Way(function, [])


def to_numbers():
    clip = pixels(*PIXELS)
    yield Way(lambda: clip.float().div_(255), [])


def tube_mask():
    def function():
        order = torch.rand(8, 196).argsort(1)
        return order[:, :20].sort(1).values, order[:, 20:].sort(1).values
    yield Way(function, [])


def tubelet_mse():
    """Targets as VideoMAE makes them: each tubelet's channels normalised by themselves."""
    x, clip, index = values(0, 8, 1408, 1536), pixels(*PIXELS), numbers(8, 1408)

    def function():
        with torch.no_grad():
            target = torch.gather(tubelets(clip), 1, index[..., None].expand(-1, -1, 1536))
            target = target.float().div_(255).view(8, 1408, 512, 3)
            mean, var = target.mean(2, True), target.var(2, keepdim=True, unbiased=True)
            target = ((target - mean) / (var.sqrt() + 1e-6)).view(8, 1408, 1536)
        return F.mse_loss(x, target).view(1)
    yield Way(function, [x])


row("add_rows", BOTH, add_rows)
row("gather_rows", BOTH, gather_rows)
row("scatter_rows", BOTH, scatter_rows)
row("gather_tubelets", ("forward",), gather_tubelets)
row("pixels", ("forward",), to_numbers)
row("tube_mask", ("forward",), tube_mask, checks=False)
row("tubelet_mse", BOTH, tubelet_mse)

WEIGHTS = 24_000_000


def optimizer(make, budget):
    """The better of one flat parameter with the fused and with the plain update."""
    best = (float("inf"),)
    for options in ({"fused": True}, {"foreach": True}):
        weight = torch.full((WEIGHTS,), 0.25, requires_grad=True)
        weight.grad = torch.full((WEIGHTS,), 0.25)
        try:
            updater = make([weight], **options)
            updater.step()
        except (RuntimeError, TypeError):
            continue
        best = min(best, (median_seconds(updater.step, budget), None, None, *options))
    return best


def flat(work, budget):
    a, b = torch.full((WEIGHTS,), 0.25), torch.full((WEIGHTS,), 0.25)
    return median_seconds(lambda: work(a, b), budget), None, None, "eager"


ROWS["optimizer/sgd, momentum"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.SGD(p, 1e-3, momentum=0.9, **o), budget)
ROWS["optimizer/adam"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.Adam(p, 1e-3, **o), budget)
ROWS["optimizer/average"] = lambda budget: flat(lambda a, b: a.lerp_(b, 0.01), budget)
ROWS["optimizer/norm"] = lambda budget: flat(lambda a, b: torch.linalg.vector_norm(a), budget)


def filled(model):
    """Weights as bench_step.cpp fills them: parameters in order, in our layouts."""
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            if parameter.dim() == 1:
                parameter.copy_(values(i, *parameter.shape))
            elif parameter.dim() == 2:
                parameter.copy_(values(i, *parameter.t().shape).t())
            else:
                a, b, *kernel = parameter.shape  # reversed in ours, transposed or not
                parameter.copy_(values(i, *kernel, b, a).permute(4, 3, 0, 1, 2))
    return model


COMPILED = "--compiled" in sys.argv


def step(model, x, loss, budget, layout="contiguous"):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    run = torch.compile(model) if COMPILED else model

    def work():
        optimizer.zero_grad()
        value = loss(run(x), x)
        value.backward()
        optimizer.step()
        return value

    for _ in range(3):
        value = work().item()
    way = ("compiled, " if COMPILED else "eager, ") + layout
    return median_seconds(work, budget), value, value, way


def dense_step(budget):
    model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 784))
    x = pixels(256, 784).float().div_(255)
    return step(filled(model), x, nn.BCEWithLogitsLoss(), budget)


def video_step(budget):
    best = None
    for name, layout in LAYOUTS.items():
        model = nn.Sequential(
            nn.Conv3d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv3d(32, 64, 3, 2, 1), nn.ReLU(),
            nn.Conv3d(64, 128, 3, 2, 1), nn.ReLU(), nn.ConvTranspose3d(128, 64, 4, 2, 1),
            nn.ReLU(), nn.ConvTranspose3d(64, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose3d(32, 3, 4, 2, 1), nn.Sigmoid())
        x = first(layout, pixels(4, 16, 64, 64, 3).float().div_(255))
        result = step(filled(model).to(memory_format=layout), x, nn.MSELoss(), budget, name)
        if best is None or result[0] < best[0]:
            best = result
    return best


def videomae_step(budget):
    """Pre-training of VideoMAE-S by transformers' model; its loss is of normalised tubelets."""
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    config = VideoMAEConfig(
        hidden_size=384, num_attention_heads=6, intermediate_size=1536, decoder_hidden_size=192,
        decoder_num_attention_heads=3, decoder_intermediate_size=768, use_mean_pooling=False,
        attn_implementation="sdpa")
    model = VideoMAEForPreTraining(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    run = torch.compile(model) if COMPILED else model
    clip = torch.rand(2, 16, 3, 224, 224)
    masks = []
    for _ in range(2):
        frame = torch.zeros(14 * 14, dtype=torch.bool)
        frame[torch.randperm(14 * 14)[:int(0.9 * 14 * 14)]] = True
        masks.append(frame.repeat(8))
    masks = torch.stack(masks)

    def work():
        optimizer.zero_grad()
        run(clip, masks).loss.backward()
        optimizer.step()

    return median_seconds(work, budget), None, None, "compiled" if COMPILED else "eager"


def filled_encoder(model):
    """transformers' encoder with the weights of bench_step.cpp's, in its order of parameters."""
    state, number = {}, 0

    def take(shape):
        nonlocal number
        number += 1
        return values(number - 1, *shape) * (9 / shape[0] ** 0.5 if len(shape) == 2 else 1)

    def norm(name, width):
        state[name + ".weight"], state[name + ".bias"] = 1 + take((width,)), take((width,))

    def dense(name, inner, width):
        state[name + ".weight"], state[name + ".bias"] = take((inner, width)).t(), take((width,))

    config = model.config
    width, hidden = config.hidden_size, config.intermediate_size
    kernel = (config.tubelet_size, config.patch_size, config.patch_size, config.num_channels)
    projection = "embeddings.patch_embeddings.projection"
    weight = take((int(numpy.prod(kernel)), width))
    state[projection + ".weight"] = weight.view(*kernel, width).permute(4, 3, 0, 1, 2)
    state[projection + ".bias"] = take((width,))
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}."
        norm(layer + "layernorm_before", width)
        parts = take((width, 3 * width)).t().chunk(3)
        for part, weight in zip(("query", "key", "value"), parts):
            state[layer + f"attention.attention.{part}.weight"] = weight
        for part in ("query", "value"):
            state[layer + f"attention.attention.{part}.bias"] = take((width,))
        dense(layer + "attention.output.dense", width, width)
        norm(layer + "layernorm_after", width)
        dense(layer + "intermediate.dense", width, hidden)
        dense(layer + "output.dense", hidden, width)
    norm("layernorm", width)
    model.load_state_dict(state)
    return model


def videomae_features(budget):
    """The mean of VideoMAE-B's tokens by transformers' model, without gradients."""
    from transformers import VideoMAEConfig, VideoMAEModel

    config = VideoMAEConfig(use_mean_pooling=False, attn_implementation="sdpa")
    model = filled_encoder(VideoMAEModel(config).eval())
    clip = pixels(1, 16, 224, 224, 3).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    clip = ((clip - mean) / std).permute(0, 1, 4, 2, 3).contiguous()

    def work():
        return model(clip).last_hidden_state.mean(1)

    with torch.inference_mode():
        total, scale = checksum([work()])
        return median_seconds(work, budget, least=3), total, scale, "eager"  # seconds each


ROWS["step/dense"] = dense_step
ROWS["step/video"] = video_step
if importlib.util.find_spec("transformers"):
    ROWS["step/videomae_s"] = videomae_step
    ROWS["features/videomae_b"] = videomae_features


def main():
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(list(ROWS)))
        return
    budget = 1.0
    for argument in sys.argv[1:]:
        if argument.startswith("--seconds="):
            budget = float(argument.split("=")[1])
    threads = torch.get_num_threads()
    for name in sys.argv[1:]:
        if name.startswith("--"):
            continue
        torch.set_num_threads(threads)
        seconds, total, scale, way = ROWS[name](budget)
        print(json.dumps({"row": name, "seconds": seconds, "checksum": total, "scale": scale,
                          "way": way, "version": torch.__version__}), flush=True)


if __name__ == "__main__":
    main()
