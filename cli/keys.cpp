// The table of keys.
#include <array>
#include <cctype>

#include "cli/config.h"

namespace framefold {
namespace {

constexpr double any = std::numeric_limits<double>::infinity();
constexpr double many = 1e6;  // passes or batches: products with the steps stay whole numbers

#define FIELD(member) [](Config& c) -> Field { return &c.member; }

constexpr std::array table = {
    Key{"run.name", FIELD(run.name), "the run's name; empty: the preset's or the file's"},
    Key{"run.directory", FIELD(run.directory), "where runs are kept, each in a folder of its name"},

    Key{"data.kind", FIELD(data.kind), "what the clips are made from",
        "digits|moving-digits|images|videos|list|shards"},
    Key{"data.path", FIELD(data.path),
        "IDX file, folder, video file, list or packed folder to read; empty: digits are drawn"},
    Key{"data.held_out_path", FIELD(data.held_out_path),
        "list and shards: another one for held-out clips; empty: a share of the videos"},
    Key{"data.list_format", FIELD(data.list_format),
        "list: folders, videomae, videomae2, rawframes, ucf101, kinetics, ssv2, jsonl, tar or npy; "
        "empty: detected"},
    Key{"data.list_root", FIELD(data.list_root),
        "list: where its relative paths begin; empty: beside it"},
    Key{"data.sampling", FIELD(data.sampling), "list and shards: which frames make a clip",
        "dense|segments|windows"},
    Key{"data.step", FIELD(data.step),
        "list and shards, windows: frames from one clip's start to the next; 0: side by side", "",
        0},
    Key{"data.test_clips", FIELD(data.test_clips), "list and shards: held-out clips of a video", "",
        1},
    Key{"data.test_crops", FIELD(data.test_crops), "list and shards: parts of a held-out clip", "",
        1},
    Key{"data.frames", FIELD(data.frames), "frames of a clip; 1: single images", "", 1},
    Key{"data.height", FIELD(data.height), "height of a frame in pixels", "", 1},
    Key{"data.width", FIELD(data.width), "width of a frame in pixels", "", 1},
    Key{"data.channels", FIELD(data.channels), "1: gray, 3: colour", "", 1, 3},
    Key{"data.stride", FIELD(data.stride),
        "videos, list and shards: frames from one of a clip to the next", "", 1},
    Key{"data.fps", FIELD(data.fps),
        "videos and list: frames a second taken by their times, before data.stride counts; 0: "
        "every "
        "frame",
        "", 0, 1000},
    Key{"data.clips", FIELD(data.clips), "digits drawn and moving digits: how many there are", "",
        1},
    Key{"data.digits", FIELD(data.digits), "moving digits: how many in a clip", "", 1},
    Key{"data.speed", FIELD(data.speed), "moving digits: pixels a frame", "", 0},
    Key{"data.directions", FIELD(data.directions),
        "moving digits: all of a clip move up, down, left or right, its class, and on at the "
        "opposite edge"},
    Key{"data.held_out", FIELD(data.held_out), "the share of the data that is never trained on", "",
        0, 1},
    Key{"data.on_bad", FIELD(data.on_bad),
        "what a damaged sample does: stop the run, or give its place to another", "fail|skip", 0, 0,
        true},
    Key{"data.bad_budget", FIELD(data.bad_budget),
        "skip: how many damaged samples a run may meet before it stops; 0: any number", "", 0, any,
        true},
    Key{"data.isolate", FIELD(data.isolate),
        "decode in child processes: a codec that crashes, hangs or takes too much memory costs one "
        "sample",
        "", 0, 0, true},
    Key{"data.hardware", FIELD(data.hardware),
        "decode by an NVIDIA GPU; auto: by the CPU where that cannot be, and say why",
        "off|auto|require", 0, 0, true},
    Key{"data.cache_mib", FIELD(data.cache_mib),
        "videos and images: memory for decoded frames, in MiB", "", 0, any, true},
    Key{"data.seed", FIELD(data.seed), "the seed of data made on the fly", "", 0},
    Key{"data.repeats", FIELD(data.repeats),
        "how often a batch takes each sample in a row, augmented anew", "", 1, 64},
    Key{"data.workers", FIELD(data.workers), "threads that read ahead; 0: none", "", 0, 256, true},
    Key{"data.prefetch", FIELD(data.prefetch), "batches kept ready", "", 1, 1024, true},

    Key{"augment.crop", FIELD(augment.crop), "the part of a frame that training sees",
        "none|multi-scale|resized"},
    Key{"augment.scale_low", FIELD(augment.values.scale_low), "resized: smallest share of the area",
        "", 0, 1},
    Key{"augment.scale_high", FIELD(augment.values.scale_high),
        "resized: largest share of the area", "", 0, 1},
    Key{"augment.aspect_low", FIELD(augment.values.aspect_low),
        "resized: smallest width over height, relative to the clip's", "", 0},
    Key{"augment.aspect_high", FIELD(augment.values.aspect_high), "resized: largest", "", 0},
    Key{"augment.flip", FIELD(augment.values.flip),
        "probability that left and right change places; refused where direction is meaning", "", 0,
        1},
    Key{"augment.rotate", FIELD(augment.values.rotate), "rotation in degrees, at most", "", 0, 180},
    Key{"augment.shear", FIELD(augment.values.shear), "shear in degrees, at most", "", 0, 60},
    Key{"augment.zoom", FIELD(augment.values.zoom), "zoom by 1 +- this, at most", "", 0, 0.9},
    Key{"augment.shift", FIELD(augment.values.shift), "shift in shares of the sides, at most", "",
        0, 1},
    Key{"augment.brightness", FIELD(augment.values.brightness), "brightness times 1 +- this", "", 0,
        1},
    Key{"augment.contrast", FIELD(augment.values.contrast), "contrast times 1 +- this", "", 0, 1},
    Key{"augment.saturation", FIELD(augment.values.saturation), "saturation times 1 +- this", "", 0,
        1},
    Key{"augment.hue", FIELD(augment.values.hue), "hue by +- this part of a turn", "", 0, 0.5},
    Key{"augment.rand_ops", FIELD(augment.values.rand_ops), "RandAugment: operations; 0: none", "",
        0, 15},
    Key{"augment.rand_magnitude", FIELD(augment.values.rand_magnitude), "RandAugment: strength", "",
        0, 10},
    Key{"augment.rand_deviation", FIELD(augment.values.rand_deviation),
        "RandAugment: the strength's deviation", "", 0, 10},
    Key{"augment.blur", FIELD(augment.values.blur), "Gaussian blur in pixels, at most", "", 0, 32},
    Key{"augment.erase", FIELD(augment.values.erase),
        "probability that a rectangle becomes noise through all frames", "", 0, 1},
    Key{"augment.erase_low", FIELD(augment.values.erase_low), "its smallest share of the area", "",
        0, 1},
    Key{"augment.erase_high", FIELD(augment.values.erase_high), "its largest", "", 0, 1},
    Key{"augment.masks", FIELD(augment.values.masks), "grey rectangles through all frames", "", 0,
        1000},
    Key{"augment.mask_side", FIELD(augment.values.mask_side), "their sides, of the frame's", "", 0,
        1},
    Key{"augment.gaussian", FIELD(augment.values.gaussian),
        "Gaussian noise: its deviation, white is 1", "", 0, 1},
    Key{"augment.walk", FIELD(augment.values.walk),
        "noise that adds up over time: deviation of a frame's step", "", 0, 1},
    Key{"augment.poisson", FIELD(augment.values.poisson),
        "Poisson noise: photons at white; 0: none", "", 0, 10000},
    Key{"augment.salt", FIELD(augment.values.salt), "share of pixels that turn black or white", "",
        0, 1},
    Key{"augment.mixup", FIELD(augment.mixing.mixup),
        "clips of a batch mixed in pairs: alpha of the shares; 0: none", "", 0, 10},
    Key{"augment.cutmix", FIELD(augment.mixing.cutmix),
        "rectangles swapped between clips of a batch: alpha of the shares; 0: none", "", 0, 10},
    Key{"augment.mix_probability", FIELD(augment.mixing.probability),
        "probability that a batch is mixed at all", "", 0, 1},
    Key{"augment.mix_switch", FIELD(augment.mixing.switching),
        "where both are set: probability of the second", "", 0, 1},

    Key{"corrupt.masks", FIELD(corrupt.masks),
        "grey rectangles through all frames of what the model is fed, not of what it is compared "
        "with, as all of corrupt",
        "", 0, 1000},
    Key{"corrupt.mask_side", FIELD(corrupt.mask_side), "their sides, of the frame's", "", 0, 1},
    Key{"corrupt.gaussian", FIELD(corrupt.gaussian), "Gaussian noise: its deviation, white is 1",
        "", 0, 1},
    Key{"corrupt.walk", FIELD(corrupt.walk),
        "noise that adds up over time: deviation of a frame's step", "", 0, 1},
    Key{"corrupt.poisson", FIELD(corrupt.poisson), "Poisson noise: photons at white; 0: none", "",
        0, 10000},
    Key{"corrupt.salt", FIELD(corrupt.salt), "share of pixels that turn black or white", "", 0, 1},

    Key{"model.name", FIELD(model.name), "one of `framefold models`"},
    Key{"model.widths", FIELD(model.widths),
        "dense: units of each layer down to the code; convolutional: channels by level", "", 1},
    Key{"model.spatial_levels", FIELD(model.spatial_levels),
        "3-D: the first levels that halve height and width alone", "", 0},
    Key{"model.blocks", FIELD(model.blocks), "residual: blocks at each level", "", 1},
    Key{"model.code", FIELD(model.code), "residual: channels of the code; 0: the last width", "",
        0},
    Key{"model.activation", FIELD(model.activation), "the activation between layers",
        "relu|leaky_relu|tanh|sigmoid"},
    Key{"model.loss", FIELD(model.loss), "what is minimised", "mse|l1|huber|bce"},
    Key{"model.size", FIELD(model.size),
        "videomae: ti, s, b, l or h, which says the numbers that are 0 below"},
    Key{"model.width", FIELD(model.width), "videomae: the encoder's width; 0: the size's", "", 0},
    Key{"model.depth", FIELD(model.depth), "videomae: its blocks", "", 0},
    Key{"model.heads", FIELD(model.heads), "videomae: its heads", "", 0},
    Key{"model.decoder_width", FIELD(model.decoder_width), "videomae: the decoder's width", "", 0},
    Key{"model.decoder_depth", FIELD(model.decoder_depth), "videomae: its blocks", "", 0},
    Key{"model.decoder_heads", FIELD(model.decoder_heads), "videomae: its heads", "", 0},
    Key{"model.mlp_ratio", FIELD(model.mlp_ratio), "videomae: a block's hidden units by its width",
        "", 0},
    Key{"model.tubelet", FIELD(model.tubelet), "videomae: frames of a token", "", 1},
    Key{"model.patch", FIELD(model.patch), "videomae: height and width of a token in pixels", "",
        1},
    Key{"model.positions", FIELD(model.positions),
        "videomae: how the encoder knows where a token is", "sincos|learned"},
    Key{"model.mask", FIELD(model.mask),
        "videomae: what is hidden: places through all frames, tokens, or frames",
        "tube|random|frame"},
    Key{"model.mask_ratio", FIELD(model.mask_ratio), "videomae: the share that is hidden", "", 0,
        1},
    Key{"model.target", FIELD(model.target),
        "videomae: what is predicted: pixels, or each tubelet by its own mean and deviation",
        "raw|normalized"},
    Key{"model.encoder_norm", FIELD(model.encoder_norm),
        "videomae: whether the encoder's tokens are normalised; false where a norm follows their "
        "mean"},
    Key{"model.input", FIELD(model.input),
        "videomae: pixels from 0 to 1, or by ImageNet's mean and deviation", "unit|imagenet"},
    Key{"model.drop_path", FIELD(model.drop_path),
        "videomae: probability that a sample passes the last block by; the first has 0", "", 0, 1},
    Key{"model.norm_epsilon", FIELD(model.norm_epsilon),
        "videomae: of all layer norms but the last", "", 0},
    Key{"model.final_epsilon", FIELD(model.final_epsilon),
        "videomae: of the norm before the decoder's head", "", 0},

    Key{"task.kind", FIELD(task.kind), "what is learnt: the clips themselves, or their classes",
        "reconstruct|classify"},
    Key{"task.from", FIELD(task.from),
        "first weights, by name: a run's folder or a safetensors file; empty: drawn"},
    Key{"task.freeze", FIELD(task.classifier.freeze),
        "classify: the encoder keeps its weights (a probe)"},
    Key{"task.classes", FIELD(task.classifier.classes),
        "classify: how many there are; 0: as the data says", "", 0},
    Key{"task.head", FIELD(task.classifier.head),
        "classify: a linear layer, or attention of learnt queries to the tokens before it",
        "linear|attentive"},
    Key{"task.pool", FIELD(task.classifier.pool),
        "classify, linear: the mean of the tokens, or all side by side", "mean|flat"},
    Key{"task.dropout", FIELD(task.classifier.dropout), "classify: dropout before the head", "", 0,
        0.99},
    Key{"task.smoothing", FIELD(task.smoothing),
        "classify: the share of each label that is spread over all classes", "", 0, 1},

    Key{"train.seed", FIELD(train.seed), "of weights, order of data and noise", "", 0},
    Key{"train.batch", FIELD(train.batch), "clips of a batch", "", 1},
    Key{"train.steps", FIELD(train.steps), "updates of the run", "", 0, 1e12, true},
    Key{"train.epochs", FIELD(train.epochs),
        "passes over the training data, in the place of steps unless those were given later; 0: "
        "steps",
        "", 0, many, true},
    Key{"train.seconds", FIELD(train.seconds), "stop after this long and save; 0: never", "", 0,
        any, true},
    Key{"train.accumulate", FIELD(train.accumulate), "batches whose gradients make one update", "",
        1, many},
    Key{"train.recompute", FIELD(train.recompute),
        "residual3d and videomae: keep the blocks' inputs alone and compute them twice; less "
        "memory, about a quarter more arithmetic",
        "", -any, any, true},
    Key{"train.optimizer", FIELD(train.optimizer), "the rule of the updates",
        "sgd|rmsprop|adam|adamw"},
    Key{"train.learning_rate", FIELD(train.learning_rate), "the schedule's highest learning rate",
        "", 0},
    Key{"train.layer_decay", FIELD(train.layer_decay),
        "the learning rate's factor from each layer of the encoder to the one before it", "", 0, 1},
    Key{"train.momentum", FIELD(train.momentum), "sgd and rmsprop: momentum", "", 0, 1},
    Key{"train.nesterov", FIELD(train.nesterov), "sgd: Nesterov's momentum"},
    Key{"train.smoothing", FIELD(train.smoothing), "rmsprop: decay of the mean square", "", 0, 1},
    Key{"train.beta1", FIELD(train.beta1), "adam and adamw: decay of the mean", "", 0, 1},
    Key{"train.beta2", FIELD(train.beta2), "adam and adamw: decay of the mean square", "", 0, 1},
    Key{"train.epsilon", FIELD(train.epsilon), "rmsprop, adam and adamw: added to the root", "", 0},
    Key{"train.weight_decay", FIELD(train.weight_decay),
        "adamw: of the weights; the others: added to the gradient", "", 0},
    Key{"train.clip", FIELD(train.clip), "largest norm of all gradients together; 0: any", "", 0},
    Key{"train.average", FIELD(train.average),
        "decay of the weights' moving average, which evaluations use; 0: none", "", 0, 1},
    Key{"train.schedule", FIELD(train.schedule), "how the learning rate changes",
        "constant|cosine|decay"},
    Key{"train.warmup", FIELD(train.warmup), "steps over which the learning rate rises", "", 0},
    Key{"train.minimum_rate", FIELD(train.minimum_rate), "cosine: the last learning rate", "", 0},
    Key{"train.decay_every", FIELD(train.decay_every), "decay: steps between two drops", "", 0},
    Key{"train.decay_factor", FIELD(train.decay_factor), "decay: the learning rate's factor", "", 0,
        1},
    Key{"train.device", FIELD(train.device), "what computes: cpu, cuda or cuda:N, the GPU's number",
        "", -any, any, true},
    Key{"train.threads", FIELD(train.threads), "of arithmetic; 0: one a core", "", 0, 4096, true},
    Key{"train.path", FIELD(train.path),
        "which implementation of the operations is wanted; measured: ours or the vendor's, "
        "whichever is faster here, kept with the run",
        "automatic|reference|native|vendor|measured"},
    Key{"train.log_every", FIELD(train.log_every), "steps between two rows of metrics", "", 1, any,
        true},
    Key{"train.evaluate_every", FIELD(train.evaluate_every),
        "steps between two evaluations on held-out clips; 0: none", "", 0, any, true},
    Key{"train.evaluate_clips", FIELD(train.evaluate_clips),
        "held-out clips that an evaluation while training takes; 0: all", "", 0, any, true},
    Key{"train.save_every", FIELD(train.save_every), "steps between two checkpoints; 0: at the end",
        "", 0, any, true},
    Key{"train.keep", FIELD(train.keep), "checkpoints kept beside the best", "", 1, 1000, true},
    Key{"train.max_skipped", FIELD(train.max_skipped),
        "steps that numbers which are not finite may cost before the run stops", "", 0, any, true},
};

#undef FIELD

}  // namespace

std::span<const Key> keys() { return table; }

std::string_view type_name(const Key& key) {
  static Config defaults;
  constexpr std::array<std::string_view, 5> names = {"text", "integer", "number", "true or false",
                                                     "list of integers"};
  return names[key.field(defaults).index()];
}

std::string described(const Key& key) {
  std::string text(key.doc);
  if (!key.choices.empty()) text += ": ";
  for (const char c : key.choices) text += c == '|' ? std::string(", ") : std::string(1, c);
  return text;
}

std::string variable_name(const Key& key) {
  std::string name = "FRAMEFOLD_" + std::string(key.name);
  for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

}  // namespace framefold
