"""Tests of the rivals' side where the device is not: every row of a GPU is built and run once on the
processor, ways that only a GPU has excepted, and the VideoMAE of whole steps on a GPU is held against
transformers'. And of what keeps a disturbed machine out of the figures, with a clock and rates made
up. Usage: test_rivals.py [ROW-PREFIX...]     with a python that has PyTorch, transformers
"""

import json
import math
import pathlib
import subprocess
import sys

import torch

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
import compare
import rate
from torch_models import IMAGENET, VideoMAE


class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


def gate_at(best, clock):
    def probe():
        clock.pass_by(1)
        return best
    return compare.Gate(probe, clock, clock.pass_by)


class Side:
    """Figures of rows at the rates given, one a call; how long they take tells the call."""

    def __init__(self, **rates):
        self.rates, self.calls = rates, []

    def __call__(self, names):
        self.calls.append(names)
        return {name: {"seconds": len(self.calls), "rate": self.rates[name].pop(0)} for name in names}


def disturbed_rows_are_taken_again():
    side = Side(good=[200], late=[100, 90, 190], never=[100, 110, *[90] * 9])
    gate = gate_at(200, Clock())
    figures = gate.steady(side, ["good", "late", "never"])
    assert side.calls == [["good", "late", "never"], ["late", "never"], ["late", "never"],
                          *[["never"]] * 4], side.calls
    assert [figures[name]["seconds"] for name in figures] == [1, 3, 2], figures
    rows = {name: {"ours": one["seconds"], "theirs": 1, "our_rates": [one["rate"]], "their_rates": [200]}
            for name, one in figures.items()}
    result = {"rows": rows}
    compare.mark_disturbed(result, gate)
    assert [name for name in rows if "disturbed" in rows[name]] == ["never"], rows
    assert rows["never"]["disturbed"] == ["Framefold"] and result["rate"] == 200
    assert compare.milliseconds(rows["never"], "Framefold", 2) == "2000.000, disturbed"
    assert compare.milliseconds(rows["never"], "PyTorch", 1) == "1000.000"

    gate.best = 300  # a better rate, seen later: the ones accepted before it are taken again
    compare.mark_disturbed(result, gate)
    assert all("disturbed" in row for row in rows.values())
    once_more = Side(good=[290], late=[280], never=[300])
    figures = gate.steady(once_more, list(figures), figures)
    assert once_more.calls == [["good", "late", "never"]] and figures["never"]["rate"] == 300

    tired = gate_at(200, Clock())
    tired.spent = tired.PATIENCE + 1
    side = Side(row=[100])
    assert tired.steady(side, ["row"])["row"]["rate"] == 100 and len(side.calls) == 1
    no_rate = lambda names: {name: {"seconds": 1, "rate": None} for name in names}
    assert gate.steady(no_rate, ["gpu"])["gpu"]["seconds"] == 1
    print("disturbed rows are taken again, and marked where that is in vain")


def calls_between_bad_probes_are_dropped():
    clock, rates = Clock(), iter([200, 199, 100, 101, 198, 197])
    repetitions = rate.Repetitions(lambda: next(rates), clock)
    for seconds in range(1, 9):  # two between probes
        clock.pass_by(0.15)
        repetitions.add(seconds)
    assert repetitions.kept() == ([1, 2], 199)  # 3 ... 8 have a bad probe on a side
    clock.pass_by(0.1)
    repetitions.add(9)
    assert repetitions.kept() == ([1, 2, 9], 197)  # the last probe is made by kept() itself
    assert rate.rate() > 0
    print(f"the probe: {rate.rate():.0f} GFLOP/s")


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
    disturbed_rows_are_taken_again()
    calls_between_bad_probes_are_dropped()
    same_as_transformers()
    every_row_builds(sys.argv[1:])
