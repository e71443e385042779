"""Times the work of framefold-bench's rows in PyTorch on the CPU, in the best memory layout.

Usage: torch_rows.py --list | ROW...; prints one JSON object: {row: seconds (median)}, and the process's peak
resident bytes under "peak_rss". Rows carry framefold-bench's names.
"""

import importlib.util
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn

LAYOUTS = (torch.contiguous_format, torch.channels_last_3d)


def median_seconds(work, budget=1.5):
    for _ in range(3):
        work()
    times = []
    end = time.perf_counter() + budget
    while len(times) < 5 or (time.perf_counter() < end and len(times) < 2000):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def matmul(m, k, n, transposed):
    a = torch.randn(k, m).t() if "a" in transposed else torch.randn(m, k)
    b = torch.randn(n, k).t() if "b" in transposed else torch.randn(k, n)
    return median_seconds(lambda: a @ b)


def conv_pass(which, transposed, c, n, size, kernel, stride, padding, batch):
    """Seconds of one pass (forward, dgrad, wgrad) of a convolution; the better of two layouts."""
    best = float("inf")
    for layout in LAYOUTS:
        kind = nn.ConvTranspose3d if transposed else nn.Conv3d
        conv = kind(c, n, kernel, stride, padding, bias=False).to(memory_format=layout)
        x = torch.randn(batch, c, *size).to(memory_format=layout)
        dy = torch.randn_like(conv(x).detach()).to(memory_format=layout)
        mask = {"dgrad": [True, False, False], "wgrad": [False, True, False]}.get(which)

        def backward():
            torch.ops.aten.convolution_backward(
                dy, x, conv.weight, None, [stride] * 3, [padding] * 3, [1] * 3, transposed,
                [0] * 3, 1, mask)

        with torch.no_grad():
            best = min(best, median_seconds((lambda: conv(x)) if mask is None else backward))
    return best


def attention(which, batch, tokens, heads, depth):
    """Forward, or forward and backward, on packed queries, keys and values; the better of two ways:
    heads and tokens exchanged in place, or each of the three contiguous, head by head, from the start."""
    packed = torch.randn(batch, tokens, 3 * heads * depth, requires_grad=True)
    parts = [torch.randn(batch, heads, tokens, depth, requires_grad=True) for _ in range(3)]
    attend = nn.functional.scaled_dot_product_attention

    def from_packed():
        q, k, v = packed.view(batch, tokens, 3, heads, depth).permute(2, 0, 3, 1, 4)
        return attend(q, k, v).transpose(1, 2).reshape(batch, tokens, heads * depth)

    best = float("inf")
    for forward, leaves in ((from_packed, [packed]), (lambda: attend(*parts), parts)):
        dy = torch.randn_like(forward())

        def both():
            for leaf in leaves:
                leaf.grad = None
            forward().backward(dy)

        with torch.set_grad_enabled(which == "both"):
            best = min(best, median_seconds(both if which == "both" else forward))
    return best


def lstm(hidden, which, batch=16, steps=20):
    """Forward, or forward and backward with the input's gradient, at the best number of threads."""
    layer = nn.LSTM(hidden, hidden, batch_first=True)
    x = torch.randn(batch, steps, hidden, requires_grad=True)
    dy = torch.randn(batch, steps, hidden)

    def forward():
        with torch.no_grad():
            layer(x)

    def both():
        layer.zero_grad()
        x.grad = None
        layer(x)[0].backward(dy)

    work = forward if which == "forward" else both

    def trial(threads):
        torch.set_num_threads(threads)
        return median_seconds(work, budget=0)

    torch.set_num_threads(min({1, torch.get_num_threads()}, key=trial))
    return median_seconds(work)


def dense_step():
    model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 784))
    x = torch.rand(256, 784)
    return step(model, x, nn.BCEWithLogitsLoss())


def video_step():
    best = float("inf")
    for layout in LAYOUTS:
        model = nn.Sequential(
            nn.Conv3d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv3d(32, 64, 3, 2, 1), nn.ReLU(),
            nn.Conv3d(64, 128, 3, 2, 1), nn.ReLU(), nn.ConvTranspose3d(128, 64, 4, 2, 1),
            nn.ReLU(), nn.ConvTranspose3d(64, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose3d(32, 3, 4, 2, 1), nn.Sigmoid()).to(memory_format=layout)
        x = torch.rand(4, 3, 16, 64, 64).to(memory_format=layout)
        best = min(best, step(model, x, nn.MSELoss(), budget=4))
    return best


def step(model, x, loss, budget=1.5):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def work():
        optimizer.zero_grad()
        loss(model(x), x).backward()
        optimizer.step()

    return median_seconds(work, budget)


def videomae_step():
    """Pre-training of VideoMAE-S by transformers' model; its loss is of normalised tubelets."""
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    config = VideoMAEConfig(
        hidden_size=384, num_attention_heads=6, intermediate_size=1536, decoder_hidden_size=192,
        decoder_num_attention_heads=3, decoder_intermediate_size=768, use_mean_pooling=False,
        attn_implementation="sdpa")
    model = VideoMAEForPreTraining(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    clip = torch.rand(2, 16, 3, 224, 224)
    masks = []
    for _ in range(2):
        frame = torch.zeros(14 * 14, dtype=torch.bool)
        frame[torch.randperm(14 * 14)[:int(0.9 * 14 * 14)]] = True
        masks.append(frame.repeat(8))
    masks = torch.stack(masks)

    def work():
        optimizer.zero_grad()
        model(clip, masks).loss.backward()
        optimizer.step()

    return median_seconds(work, budget=6)


# The convolutions of the 3-D autoencoder and the shapes that its users try next.
CONVOLUTIONS = {
    "3-32_s2": (False, 3, 32, (16, 64, 64), 3, 2, 1, 4),
    "32-64_s2": (False, 32, 64, (8, 32, 32), 3, 2, 1, 4),
    "64-128_s2": (False, 64, 128, (4, 16, 16), 3, 2, 1, 4),
    "16-16": (False, 16, 16, (8, 32, 32), 3, 1, 1, 4),
    "64-64": (False, 64, 64, (8, 32, 32), 3, 1, 1, 1),
    "transposed_128-64_s2": (True, 128, 64, (2, 8, 8), 4, 2, 1, 4),
    "transposed_64-32_s2": (True, 64, 32, (4, 16, 16), 4, 2, 1, 4),
    "transposed_32-3_s2": (True, 32, 3, (8, 32, 32), 4, 2, 1, 4),
}
ROWS = {"step/dense": dense_step, "step/video": video_step}
if importlib.util.find_spec("transformers"):
    ROWS["step/videomae_s"] = videomae_step
PRODUCTS = {  # m, k, n, and which operands stand transposed
    "square 1024": (1024, 1024, 1024, ""),
    "scores 3136": (3136, 64, 3136, "b"),
    "dense 784-32 forward": (256, 784, 32, ""),
    "dense 784-32 wgrad": (784, 256, 32, "a"),
    "dense 32-784 forward": (256, 32, 784, ""),
    "dense 32-784 wgrad": (32, 256, 784, "a"),
    "tokens 384-1536 forward": (1568, 384, 1536, ""),
    "tokens 384-1536 wgrad": (384, 1568, 1536, "a"),
}
ATTENTIONS = {  # batch, tokens, heads, depth
    "8x160 6 heads": (8, 160, 6, 64),
    "8x160 12 heads": (8, 160, 12, 64),
    "2x1568 6 heads": (2, 1568, 6, 64),
    "2x1568 12 heads": (2, 1568, 12, 64),
}
for name, shape in ATTENTIONS.items():
    for which in ("forward", "both"):
        ROWS[f"attention/{name}/{which}"] = lambda w=which, s=shape: attention(w, *s)
for hidden in (512, 2048):
    for which in ("forward", "both"):
        ROWS[f"lstm/{hidden}/{which}"] = lambda w=which, h=hidden: lstm(h, w)
for name, shape in PRODUCTS.items():
    ROWS[f"matmul/{name}"] = lambda s=shape: matmul(*s)
for name, shape in CONVOLUTIONS.items():
    for which in ("forward", "dgrad", "wgrad"):
        ROWS[f"conv3d/{name}/{which}"] = lambda w=which, s=shape: conv_pass(w, *s)


def main():
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(list(ROWS)))
        return
    wanted = sys.argv[1:] or list(ROWS)
    unknown = [row for row in wanted if row not in ROWS]
    if unknown:
        sys.exit(f"torch_rows: unknown rows {unknown}; known: {list(ROWS)}")
    result = {row: ROWS[row]() for row in wanted}
    result["peak_rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result["version"] = torch.__version__
    print(json.dumps(result))


if __name__ == "__main__":
    main()
