#!/usr/bin/python3
"""I-FGSM on HyperIQA as published attack code runs it: plain PyTorch, one image after the other, each crop through the
network on its own, NCHW float32, parameters that require gradients. Takes a SteadyIQA model file (HyperIQA on
MobileNetV2, a grid of crops, no resize) and writes scores and seconds as JSON on stdout. bench/compare_ifgsm runs it.
Needs PyTorch, numpy and Pillow (Debian 12's python3-torch, python3-numpy, python3-pil)."""
import argparse
import json
import math
import os
import struct
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="safetensors file of SteadyIQA")
    parser.add_argument("--eps", type=float, required=True, help="budget in [0,1] pixels")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch-crops", action="store_true", help="all crops of an image in one batch")
    parser.add_argument("images", nargs="+")
    return parser.parse_args()


ARGS = arguments()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(ARGS.threads)  # read when the libraries are loaded

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(ARGS.threads)
torch.set_flush_denormal(True)


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        layers = [conv_norm(inputs, hidden, 1)] if expansion != 1 else []
        layers += [conv_norm(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False),
                   nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, with HyperIQA's layers for the content beside it, as its files have them."""
    TAPS = (3, 6, 13, 18)

    def __init__(self):
        super().__init__()
        layers, inputs = [conv_norm(3, 32, 3, 2)], 32
        for expansion, outputs, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                   (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for block in range(blocks):
                layers.append(InvertedResidual(inputs, outputs, stride if block == 0 else 1, expansion))
                inputs = outputs
        layers.append(conv_norm(inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        for i, (channels, narrow, cells) in enumerate(((24, 16, 8), (32, 32, 4), (96, 64, 2)), start=1):
            setattr(self, f"lda{i}_pool", nn.Sequential(nn.Conv2d(channels, narrow, 1, bias=False), nn.AvgPool2d(7)))
            setattr(self, f"lda{i}_fc", nn.Linear(narrow * cells * cells, 16))
        self.lda4_fc = nn.Linear(1280, 176)

    def forward(self, x):
        taps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.TAPS:
                taps.append(x)
        local = [getattr(self, f"lda{i + 1}_fc")(getattr(self, f"lda{i + 1}_pool")(taps[i]).flatten(1))
                 for i in range(3)]
        return taps[3], torch.cat(local + [self.lda4_fc(taps[3].mean((2, 3)))], 1)


class HyperIQA(nn.Module):
    """Su et al., CVPR 2020: the weights of a small network over the content vector are computed from the image."""
    WIDTHS = (224, 112, 56, 28, 14)

    def __init__(self):
        super().__init__()
        self.res = MobileNetV2()
        self.conv1 = nn.Sequential(nn.Conv2d(1280, 640, 1), nn.ReLU(inplace=True), nn.Conv2d(640, 320, 1),
                                   nn.ReLU(inplace=True), nn.Conv2d(320, 112, 1), nn.ReLU(inplace=True))
        for i in range(1, 5):
            setattr(self, f"fc{i}w_conv", nn.Conv2d(112, self.WIDTHS[i - 1] * self.WIDTHS[i] // 49, 3, padding=1))
            setattr(self, f"fc{i}b_fc", nn.Linear(112, self.WIDTHS[i]))
        self.fc5w_fc = nn.Linear(112, 14)
        self.fc5b_fc = nn.Linear(112, 1)

    def forward(self, x):
        last, content = self.res(x)
        hyper = self.conv1(last)
        pooled = hyper.mean((2, 3))
        batch = x.shape[0]
        for i in range(1, 5):
            weight = getattr(self, f"fc{i}w_conv")(hyper).reshape(batch, self.WIDTHS[i], self.WIDTHS[i - 1])
            bias = getattr(self, f"fc{i}b_fc")(pooled)
            content = torch.sigmoid(self.target(content, weight, bias))
        return self.target(content, self.fc5w_fc(pooled).unsqueeze(1), self.fc5b_fc(pooled)).flatten()

    @staticmethod
    def target(x, weight, bias):
        """Each image's own linear layer, as a grouped 1x1 convolution."""
        batch, outputs, inputs = weight.shape
        y = F.conv2d(x.reshape(1, batch * inputs, 1, 1), weight.reshape(batch * outputs, inputs, 1, 1),
                     bias.flatten(), groups=batch)
        return y.view(batch, outputs)


def read_model(path):
    """The network and what the file says of its preprocessing."""
    kinds = {"F32": np.float32, "I64": np.int64}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    about = json.loads(header.pop("__metadata__")["steadyiqa"])
    if about["format"] != 2:
        raise SystemExit(f"{path}: this peer reads model files of format 2")
    if (about["model"], about["backbone"], about["crops"]["crops"], about["crops"]["pooling"]) != (
            "hyperiqa", "mobilenet_v2", "grid", "mean") or about["input"]["resize"] != "none":
        raise SystemExit(f"{path}: this peer knows HyperIQA on MobileNetV2 with the mean over a grid of crops only")
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).copy()
        state[name] = torch.from_numpy(values).view(entry["shape"])
    model = HyperIQA()
    model.load_state_dict(state, strict=False)
    left = set(model.state_dict()) ^ set(state)
    if any(not name.endswith("num_batches_tracked") for name in left):
        raise SystemExit(f"{path}: other tensors than HyperIQA on MobileNetV2 has: {sorted(left)[:3]}")
    return model.eval(), about


class Scorer:
    def __init__(self, path):
        self.model, about = read_model(path)
        self.crop = about["crop"]
        self.side = math.isqrt(about["crops"]["crop-count"])
        self.mean = torch.tensor(about["mean"]).view(1, 3, 1, 1)
        self.std = torch.tensor(about["std"]).view(1, 3, 1, 1)
        self.slope, self.intercept = about["score"]["slope"], about["score"]["intercept"]

    def crops(self, x):
        free = [size - self.crop for size in x.shape[2:]]
        if min(free) < 0:
            raise SystemExit("an image is smaller than the crop, which this peer does not enlarge")
        places = [[f // 2] if self.side == 1 else [i * f // (self.side - 1) for i in range(self.side)] for f in free]
        return [x[:, :, top:top + self.crop, left:left + self.crop] for top in sorted(set(places[0]))
                for left in sorted(set(places[1]))]

    def parts(self, x):
        crops = self.crops(x)
        return [torch.cat(crops)] if ARGS.batch_crops else crops

    def score(self, x):
        with torch.no_grad():
            return torch.cat([self.model((part - self.mean) / self.std) for part in self.parts(x)]).mean().item()

    def calibrated(self, raw):
        return raw * self.slope + self.intercept

    def gradient(self, x):
        """Of the sum of the crops' scores, part by part; the parameters receive theirs, too."""
        self.model.zero_grad()
        leaf = x.clone().requires_grad_(True)
        for part in self.parts(leaf):
            self.model((part - self.mean) / self.std).sum().backward()
        return leaf.grad


def attack(scorer, clean):
    """Down when the calibrated score is above 50, else up; (score before, score after 8-bit rounding)."""
    before = scorer.score(clean)
    sign = -1.0 if scorer.calibrated(before) > 50 else 1.0
    sign = sign if scorer.slope >= 0 else -sign
    size = 2.5 * ARGS.eps / ARGS.steps
    levels = math.floor(ARGS.eps * 255 + 1e-4)
    x = clean
    for _ in range(ARGS.steps):
        x = x + size * sign * scorer.gradient(x).sign()
        x = torch.minimum(torch.maximum(x, clean - ARGS.eps), clean + ARGS.eps).clamp(0, 1)
    base = (clean * 255).round()
    x = torch.minimum(torch.maximum((x * 255).round(), base - levels), base + levels).clamp(0, 255) / 255
    return scorer.calibrated(before), scorer.calibrated(scorer.score(x))


def main():
    scorer = Scorer(ARGS.model)
    rows = []
    for path in ARGS.images:
        pixels = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        clean = torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255
        start = time.perf_counter()
        score, attacked = attack(scorer, clean)
        rows.append({"image": path, "score": score, "attacked": attacked, "seconds": time.perf_counter() - start})
    print(json.dumps(rows))


main()
