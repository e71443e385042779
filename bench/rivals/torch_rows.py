"""Rows of the comparison in PyTorch: what framefold-bench's row of the same name does, on the same
operands.

Usage: torch_rows.py ROW... [--seconds=1] [--compiled] [--device=cuda] [--dry-run] | --list
Prints {"row", "seconds", "rate", "checksum", "scale", "way", "version"} for each, a line apiece; the
rate is the processor's beside it (bench/rate.h), the least of all ways.

Where PyTorch has several ways (memory layouts, number of threads, backends of attention) the best one
counts and is named. --compiled: whole steps through torch.compile.
"""

import json
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import torch_models
from torch_common import (DEVICE, DRY, LAYOUTS, PLACE, RATES, Precision, checksum, first, last,
                          median_seconds, numbers, pixels, same, values)


class Way:
    """`function` of `leaves`; how its results and the leaves' gradients look in our layout."""

    def __init__(self, function, leaves, ours=same, gradients=None, outputs=None, name="eager"):
        self.function, self.leaves, self.ours, self.name = function, leaves, ours, name
        self.gradients = gradients or [same] * len(leaves)
        self.outputs = outputs  # gradients of the results, where operand 15 is not it


def dense(gradients):
    """Gradients that are views of others become tensors, as ours are."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return [g if g.is_contiguous() or (g.dim() in formats and g.is_contiguous(
        memory_format=formats[g.dim()])) else g.contiguous() for g in gradients]


def measure(ways, which, budget, checks=True):
    """Seconds of the best way, its checksum and its name; ways that the device refuses are left out,
    unless that leaves none."""
    done, refused = [], []
    for way in ways:
        try:
            done.append(measure_way(way, which, budget, checks))
        except RuntimeError as error:
            refused.append(error)
    if not done:
        raise refused[0]
    return min(done, key=lambda one: one[0])


def measure_way(way, which, budget, checks):
    """forward, backward (from a kept graph), both, dgrad (the first leaf's gradient) or wgrad (the
    others')."""
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
    return (seconds, *(checksum(parts) if checks else (None, None)), way.name)


ROWS = {}
BF16 = "bf16/"  # before the names of rows whose operands are bf16


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



def flat_convolution():
    """Frames by conv2d."""
    for name, layout in (("contiguous", torch.contiguous_format),
                         ("channels last", torch.channels_last)):
        x = values(0, 64, 28, 28, 32).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        weight = values(1, 3, 3, 32, 32).permute(3, 2, 0, 1).contiguous(memory_format=layout)
        ours = lambda y: y.permute(0, 2, 3, 1)
        dy = values(15, 64, 28, 28, 32).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        yield Way(lambda x=x, w=weight: F.conv2d(x, w, None, 1, 1), [x, weight], ours,
                  [ours, lambda g: g.permute(2, 3, 1, 0)], [dy], name)


def biased_convolution():
    for name, layout in LAYOUTS.items():
        x = first(layout, values(0, 4, 8, 32, 32, 32))
        weight = values(1, 3, 3, 3, 32, 64).permute(4, 3, 0, 1, 2).contiguous(memory_format=layout)
        bias = values(2, 64)
        yield Way(lambda x=x, w=weight, b=bias: F.conv3d(x, w, b, 2, 1).relu_(), [x, weight, bias],
                  last, name=name)


row("conv2d 32-32", ("forward", "dgrad", "wgrad"), flat_convolution)
row("conv3d with bias, relu", ("forward",), biased_convolution)

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
if DEVICE == "cuda":
    BACKENDS |= {"efficient": SDPBackend.EFFICIENT_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def attention(batch, tokens, heads, depth, causal):
    """Heads and tokens exchanged in place, or the three operands contiguous from the start; by each
    backend that the device has."""
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
    packed = [way for way in attention(*shape) if way.name.endswith("packed")]
    for one in packed:  # the first that the device has
        try:
            _, *sums, _ = measure_way(one, which, 0, True)
            return (seconds, *sums, way)
        except RuntimeError as error:
            refused = error
    raise refused


for name, shape in ATTENTIONS.items():
    for which in ("forward", "backward", "both"):
        ROWS[f"attention/{name}/{which}"] = (
            lambda budget, s=shape, w=which: attention_row(s, w, budget))


def lstm(hidden, which, budget, batch=16, steps=20):
    """At the best number of threads. PyTorch has two biases; ours is their sum."""
    unit = nn.LSTM(hidden, hidden, batch_first=True, dtype=Precision.now)
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

    if DEVICE == "cpu":
        threads = min({1, torch.get_num_threads()}, key=trial)
        torch.set_num_threads(threads)
        way.name = f"threads: {threads}"
    return measure([way], which, budget)


for hidden in (512, 2048):
    for which in ("forward", "both"):
        ROWS[f"lstm/{hidden}/{which}"] = lambda budget, h=hidden, w=which: lstm(h, w, budget)



def peepholes(batch=16, steps=20, hidden=512):
    """PyTorch has no such unit: its operations, step by step."""
    x, wx, wh = values(0, batch, steps, hidden), values(1, hidden, 4 * hidden), values(2, hidden, 4 * hidden)
    bias, p = values(3, 4 * hidden), values(4, 3 * hidden)

    def function():
        projected = x @ wx + bias
        to_i, to_f, to_o = p.chunk(3)
        h = c = torch.zeros(batch, hidden, dtype=x.dtype)
        made = []
        for t in range(steps):
            i, f, g, o = (projected[:, t] + h @ wh).chunk(4, 1)
            c = torch.sigmoid(f + to_f * c) * c + torch.sigmoid(i + to_i * c) * torch.tanh(g)
            h = torch.sigmoid(o + to_o * c) * torch.tanh(c)
            made.append(h)
        return torch.stack(made, 1), h, c

    yield Way(function, [x, wx, wh, bias, p], name="step by step")


row("lstm with peepholes", ("forward", "both"), peepholes)

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
row("activity_penalty l2", BOTH, plain(lambda x: x.square().sum().view(1) / x.shape[0], (256, 784)))


def sparsity(x, target=0.05):
    mean = x.mean(0).clamp(1e-6, 1 - 1e-6)
    return (target * (target / mean).log()
            + (1 - target) * ((1 - target) / (1 - mean)).log()).sum().view(1)


def normalized_sum(x, b, gamma, beta):
    total = x + b
    return total, F.layer_norm(total, (384,), gamma, beta)


row("activity_penalty sparsity", ("forward",), plain(sparsity, (256, 784)))
row("add", ("forward",), plain(torch.add, WIDE, WIDE))
row("add bias", ("forward",), plain(torch.add, WIDE, (1024,)))
row("concat", BOTH, plain(lambda a, b: torch.cat((a, b), -1), CLIP, CLIP))
row("dropout", BOTH, plain(lambda x: F.dropout(x, 0.5), WIDE), checks=False)
row("gaussian_kl", BOTH, plain(
    lambda mu, logvar: -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum().view(1) / mu.shape[0],
    (256, 512), (256, 512)))
row("layer_norm", BOTH, plain(lambda x, g, b: F.layer_norm(x, (384,), g, b), TOKENS, (384,), (384,)))
row("layer_norm of a sum", BOTH, plain(normalized_sum, TOKENS, TOKENS, (384,), (384,)))
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
row("pointwise_loss huber", BOTH,
    plain(lambda x, target: F.huber_loss(x, target, delta=0.1).view(1), WIDE, WIDE))
row("pointwise_loss l1", BOTH, plain(lambda x, target: F.l1_loss(x, target).view(1), WIDE, WIDE))
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
    return F.batch_norm(x, torch.zeros(64, dtype=x.dtype), torch.ones(64, dtype=x.dtype), gamma, beta, training=True)


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


def mask(cells, kept):
    def function():
        order = torch.rand(8, cells).argsort(1)
        return order[:, :kept].sort(1).values, order[:, kept:].sort(1).values
    return lambda: iter([Way(function, [])])


def chosen_tubelets(clip, index):
    """As numbers, and the mean and deviation of each one's channels."""
    chosen = tubelets(clip)[torch.arange(8)[:, None], index]
    chosen = chosen.float().div_(255).view(8, 1408, 512, 3)
    return chosen, chosen.mean(2, True), chosen.var(2, keepdim=True, unbiased=True).sqrt() + 1e-6


def tubelet_mse():
    """Targets as VideoMAE makes them: each tubelet's channels normalised by themselves."""
    x, clip, index = values(0, 8, 1408, 1536), pixels(*PIXELS), numbers(8, 1408)

    def function():
        with torch.no_grad():
            target, mean, deviation = chosen_tubelets(clip, index)
            target = ((target - mean) / deviation).view(8, 1408, 1536).to(x.dtype)
        return F.mse_loss(x, target).view(1)
    yield Way(function, [x])


def fold_tubelets():
    x, clip, index = values(0, 8, 1408, 1536), pixels(*PIXELS), numbers(8, 1408)

    def function():
        _, mean, deviation = chosen_tubelets(clip, index)
        made = (x.view(8, 1408, 512, 3) * deviation + mean).view(8, 1408, 1536)
        tokens = tubelets(clip).float().div_(255)
        tokens[torch.arange(8)[:, None], index] = made
        return tokens.view(8, 8, 14, 14, 2, 16, 16, 3).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(PIXELS)
    yield Way(function, [])


row("add_rows", BOTH, add_rows)
row("gather_rows", BOTH, gather_rows)
row("scatter_rows", BOTH, scatter_rows)
row("gather_tubelets", ("forward",), gather_tubelets)
row("pixels", ("forward",), to_numbers)
row("tube_mask", ("forward",), mask(196, 20), checks=False)
row("tube_mask random", ("forward",), mask(1568, 157), checks=False)
row("tubelet_mse", BOTH, tubelet_mse)
row("fold_tubelets", ("forward",), fold_tubelets)

WEIGHTS = 24_000_000


def optimizer(make, budget, clip=None):
    """The better of one flat parameter with the fused and with the plain update."""
    best = (float("inf"),)
    for options in ({"fused": True}, {"foreach": True}):
        weight = torch.full((WEIGHTS,), 0.25, requires_grad=True)
        weight.grad = torch.full((WEIGHTS,), 0.25)

        def update():
            if clip:
                torch.nn.utils.clip_grad_norm_([weight], clip)
            updater.step()

        try:
            updater = make([weight], **options)
            update()
        except (RuntimeError, TypeError):
            continue
        best = min(best, (median_seconds(update, budget), None, None, *options))
    return best


def flat(work, budget):
    a, b = torch.full((WEIGHTS,), 0.25), torch.full((WEIGHTS,), 0.25)
    return median_seconds(lambda: work(a, b), budget), None, None, "eager"


ROWS["optimizer/sgd, momentum"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.SGD(p, 1e-3, momentum=0.9, **o), budget)
ROWS["optimizer/adam"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.Adam(p, 1e-3, **o), budget)
ROWS["optimizer/adam, clipped"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.Adam(p, 1e-3, **o), budget, clip=1)
ROWS["optimizer/adamw"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.AdamW(p, 1e-3, weight_decay=0.05, **o), budget)
ROWS["optimizer/rmsprop"] = lambda budget: optimizer(
    lambda p, **o: torch.optim.RMSprop(p, 1e-2, **o), budget)
ROWS["optimizer/average"] = lambda budget: flat(lambda a, b: a.lerp_(b, 0.01), budget)
ROWS["optimizer/norm"] = lambda budget: flat(lambda a, b: torch.linalg.vector_norm(a), budget)

ROWS.update(torch_models.ROWS)


def in_bf16(measured):
    def work(budget):
        Precision.now = torch.bfloat16
        try:
            return measured(budget)
        finally:
            Precision.now = torch.float32
    return work


if DEVICE == "cuda":  # framefold-bench's rows of the GPU: operations alone, in both precisions
    PASSES = ("forward", "backward", "both", "dgrad", "wgrad")
    ROWS = {name: work for name, work in ROWS.items() if name.endswith(PASSES)}
    ROWS |= {BF16 + name: in_bf16(work) for name, work in ROWS.items()}
    ROWS.update(torch_models.GPU_ROWS)


def main():
    if "--list" in sys.argv:
        print(json.dumps(list(ROWS)))
        return
    if PLACE == "cuda" and not torch.cuda.is_available():
        sys.exit("rivals: PyTorch sees no GPU here")
    budget = 1.0
    for argument in sys.argv[1:]:
        if argument.startswith("--seconds="):
            budget = float(argument.split("=")[1])
    threads = torch.get_num_threads()
    for name in sys.argv[1:]:
        if name.startswith("--"):
            continue
        torch.set_num_threads(threads)
        RATES.clear()
        seconds, total, scale, way, *more = ROWS[name](budget)
        rate = {} if DRY or PLACE == "cuda" else {"rate": min(RATES)}
        print(json.dumps({"row": name, "seconds": seconds, **rate, "checksum": total, "scale": scale,
                          "way": way, "version": torch.__version__, **(more[0] if more else {})}),
              flush=True)


if __name__ == "__main__":
    main()
