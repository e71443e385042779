"""Whole models of the comparison in PyTorch: the steps and features of bench/bench_step.cpp."""

import importlib.util
import math
import os
import pathlib
import time
from contextlib import nullcontext
from functools import partial

import numpy
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from torch_common import (COMPILED, DRY, LAYOUTS, PLACE, checksum, first, median_seconds, pixels,
                          values)

ROWS = {}


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


# Means and deviations of ImageNet's channels.
IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
TINY = {"width": 48, "depth": 1, "heads": 3, "decoder": (24, 1, 3)}


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.packed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, n, width = x.shape
        q, k, v = self.packed(x).view(b, n, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, width))


class Block(nn.Module):
    def __init__(self, width, heads, epsilon):
        super().__init__()
        self.before, self.after = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.attention = Attention(width, heads)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.before(x))
        return x + self.dense(self.after(x))


def sines(tokens, width):
    """transformers' fixed positions."""
    angle = torch.arange(tokens)[:, None] / 10000 ** (2 * (torch.arange(width) // 2) / width)
    return torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos())


class VideoMAE(nn.Module):
    """Pre-training as transformers' VideoMAEForPreTraining does it (test_rivals.py holds the two
    against one another), quicker: tubelets are cut by a view and embedded by a linear layer, tokens are
    gathered by number, so that every shape is known and a compiler takes the step whole."""

    def __init__(self, width=768, depth=12, heads=12, decoder=(384, 4, 6), size=(16, 224, 224)):
        super().__init__()
        tokens, pixels_each = size[0] // 2 * (size[1] // 16) * (size[2] // 16), 2 * 16 * 16 * 3
        self.embed = nn.Linear(pixels_each, width)
        self.encoder = nn.Sequential(*(Block(width, heads, 1e-12) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, 1e-12)
        self.bridge = nn.Linear(width, decoder[0], bias=False)
        self.mask_token = nn.Parameter(torch.zeros(decoder[0]))
        self.decoder = nn.Sequential(*(Block(decoder[0], decoder[2], 1e-12) for _ in range(decoder[1])))
        self.last = nn.LayerNorm(decoder[0])
        self.head = nn.Linear(decoder[0], pixels_each)
        self.register_buffer("seen_at", sines(tokens, width))
        self.register_buffer("decoded_at", sines(tokens, decoder[0]))

    def forward(self, clip, visible, masked):
        """clip [B, T, H, W, 3] of 0 to 1; numbers of tokens [B, N]."""
        b, t, h, w, c = clip.shape
        tubelets = clip.view(b, t // 2, 2, h // 16, 16, w // 16, 16, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
        tubelets = tubelets.reshape(b, -1, 512, 3)
        pick = lambda index: torch.gather(tubelets, 1, index[:, :, None, None].expand(-1, -1, 512, 3))
        mean, deviation = IMAGENET
        seen = ((pick(visible) - mean) / deviation).flatten(2)
        x = self.norm(self.encoder(self.embed(seen) + self.seen_at[visible]))
        x = torch.cat((self.bridge(x) + self.decoded_at[visible],
                       self.mask_token + self.decoded_at[masked]), 1)
        predicted = self.head(self.last(self.decoder(x)[:, visible.shape[1]:]))
        target = pick(masked)
        mean, deviation = target.mean(2, True), target.var(2, keepdim=True).sqrt() + 1e-6
        return F.mse_loss(predicted.float(), ((target - mean) / deviation).flatten(2))


def process_age():
    """Seconds since this process began."""
    ticks = float(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def gpu_step(precision, budget):
    """VideoMAE-B's pre-training with fused AdamW, parameters in f32; clips come as pixels from pinned
    memory, as ours do. With the backend of attention that PyTorch chooses, then with each; the time to
    the tenth step is of the first."""
    batch, size = (1, (4, 32, 32)) if DRY else (8, (16, 224, 224))
    model = VideoMAE(size=size, **(TINY if DRY else {}))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, (0.9, 0.95), weight_decay=0.05, fused=True)
    slots, tokens = size[0] // 2, model.seen_at.shape[0]
    places = tokens // slots
    kept = places - int(0.9 * places)
    first_of_slot = torch.arange(slots)[:, None] * places
    pinned = pixels(batch, *size, 3).cpu()
    if PLACE == "cuda":
        pinned = pinned.pin_memory()

    def numbers(chosen):
        return (first_of_slot + chosen.sort(1).values[:, None]).flatten(1)

    def work():
        clip = pinned.to(PLACE, non_blocking=True).float().div_(255)
        order = torch.rand(batch, places).argsort(1)
        with torch.autocast(PLACE, torch.bfloat16, enabled=precision == "bf16"):
            loss = run(clip, numbers(order[:, :kept]), numbers(order[:, kept:]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    best, tenth = None, None
    for name in ("own choice", "FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION"):
        torch.compiler.reset()
        run = torch.compile(model, mode="max-autotune", dynamic=False) if COMPILED else model
        backend = sdpa_kernel(getattr(SDPBackend, name)) if name.isupper() else nullcontext()
        try:
            with backend:
                for _ in range(10):
                    value = work().item()
                tenth = tenth or process_age()
                seconds = median_seconds(work, budget)
        except RuntimeError:  # the device has no such backend
            continue
        if not math.isfinite(value):
            raise ValueError(f"{precision}: the loss is {value}")
        if best is None or seconds < best[0]:
            best = (seconds, name.lower())
    seconds, name = best
    peak = torch.cuda.max_memory_allocated() if PLACE == "cuda" else 0
    way = f"{'compiled' if COMPILED else 'eager'}, {name}"
    return seconds, None, None, way, {"clips": batch / seconds if seconds else None, "peak": peak,
                                      "tenth_step": tenth}


GPU_ROWS = {f"step/videomae_b {precision}": partial(gpu_step, precision)
            for precision in ("f32", "bf16")}
