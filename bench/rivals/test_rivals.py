"""Tests of the rivals' side where the device is not: every row of a GPU is built and run once on the
processor, ways that only a GPU has excepted, and the VideoMAE of whole steps on a GPU is held against
transformers'. Usage: test_rivals.py [ROW-PREFIX...]     with a python that has PyTorch, transformers
"""

import json
import math
import pathlib
import subprocess
import sys

import torch

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
from torch_models import IMAGENET, VideoMAE


def same_as_transformers():
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    torch.manual_seed(1)
    config = VideoMAEConfig(
        image_size=32, num_frames=4, hidden_size=48, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=192, decoder_hidden_size=24, decoder_num_hidden_layers=1,
        decoder_num_attention_heads=3, decoder_intermediate_size=96, use_mean_pooling=False,
        attn_implementation="eager")
    theirs = VideoMAEForPreTraining(config).eval()
    ours = VideoMAE(48, 2, 3, (24, 1, 3), (4, 32, 32))
    with torch.no_grad():
        copied(ours, theirs)
        clip = torch.rand(2, 4, 32, 32, 3)
        visible, masked = torch.tensor([[1, 6], [3, 4]]), torch.tensor(
            [[0, 2, 3, 4, 5, 7], [0, 1, 2, 5, 6, 7]])
        mask = torch.ones(2, 8, dtype=torch.bool).scatter(1, visible, False)
        mean, deviation = IMAGENET
        normalised = ((clip - mean) / deviation).permute(0, 1, 4, 2, 3)
        own, other = ours(clip, visible, masked).item(), theirs(normalised, mask).loss.item()
    assert math.isclose(own, other, rel_tol=1e-5), (own, other)
    print(f"the step's VideoMAE: a loss of {own:.6f}, transformers' {other:.6f}")


def copied(ours, theirs):
    def dense(to, source):
        to.weight.copy_(source.weight)
        to.bias.copy_(source.bias)

    def block(to, source):
        dense(to.before, source.layernorm_before)
        dense(to.after, source.layernorm_after)
        attention = source.attention.attention
        to.attention.packed.weight.copy_(torch.cat(
            [attention.query.weight, attention.key.weight, attention.value.weight]))
        to.attention.packed.bias.zero_()
        dense(to.attention.out, source.attention.output.dense)
        dense(to.dense[0], source.intermediate.dense)
        dense(to.dense[2], source.output.dense)

    encoder = theirs.videomae
    projection = encoder.embeddings.patch_embeddings.projection
    ours.embed.weight.copy_(projection.weight.permute(0, 2, 3, 4, 1).flatten(1))
    ours.embed.bias.copy_(projection.bias)
    for to, source in zip(ours.encoder, encoder.encoder.layer):
        block(to, source)
    dense(ours.norm, encoder.layernorm)
    ours.bridge.weight.copy_(theirs.encoder_to_decoder.weight)
    ours.mask_token.copy_(theirs.mask_token.view(-1))
    for to, source in zip(ours.decoder, theirs.decoder.decoder_layers):
        block(to, source)
    dense(ours.last, theirs.decoder.norm)
    dense(ours.head, theirs.decoder.head)


def every_row_builds(prefixes):
    command = [sys.executable, str(HERE / "torch_rows.py"), "--device=cuda", "--dry-run"]
    say = lambda *more: subprocess.run([*command, *more], check=True, capture_output=True,
                                       text=True).stdout
    rows = [row for row in json.loads(say("--list"))
            if not prefixes or row.removeprefix("bf16/").startswith(tuple(prefixes))]
    built = {one["row"]: one for one in map(json.loads, say(*rows).splitlines())}
    assert list(built) == rows, set(rows) - set(built)
    for name, one in built.items():  # both precisions compute the same
        wide = built.get(name.removeprefix("bf16/"))
        if one["checksum"] is not None and wide:
            assert abs(one["checksum"] - wide["checksum"]) <= 4e-3 * wide["scale"], (name, one, wide)
    print(f"{len(rows)} rows of a GPU, built and run once on the processor")


if __name__ == "__main__":
    same_as_transformers()
    every_row_builds(sys.argv[1:])
