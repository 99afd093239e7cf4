"""HyperIQA in plain PyTorch, as published code has it: NCHW float32, BatchNorm as a layer, each image's own linear layers
as a grouped convolution. What the peers share; `set_threads` comes before anything else of PyTorch runs."""
import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn


def set_threads(count):
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


def add_content_layers(trunk, channels, last):
    """HyperIQA's layers over three stages and the last one; its files have them beside the trunk's own."""
    for i, (inputs, narrow, cells) in enumerate(zip(channels, (16, 32, 64), (8, 4, 2)), start=1):
        setattr(trunk, f"lda{i}_pool", nn.Sequential(nn.Conv2d(inputs, narrow, 1, bias=False), nn.AvgPool2d(7)))
        setattr(trunk, f"lda{i}_fc", nn.Linear(narrow * cells * cells, 16))
    trunk.lda4_fc = nn.Linear(last, 176)


def content_of(trunk, taps):
    local = [getattr(trunk, f"lda{i + 1}_fc")(getattr(trunk, f"lda{i + 1}_pool")(taps[i]).flatten(1)) for i in range(3)]
    return torch.cat(local + [trunk.lda4_fc(taps[3].mean((2, 3)))], 1)


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
        add_content_layers(self, (24, 32, 96), 1280)

    def forward(self, x):
        taps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.TAPS:
                taps.append(x)
        return taps[3], content_of(self, taps)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """He et al. 2016, the stride in the 3x3 convolution, with HyperIQA's layers for the content beside it."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for i, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            layers = []
            for block in range(blocks):
                layers.append(Bottleneck(inputs, width, 2 if block == 0 and i > 1 else 1))
                inputs = 4 * width
            setattr(self, f"layer{i}", nn.Sequential(*layers))
        add_content_layers(self, (256, 512, 1024), 2048)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        taps = []
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
            taps.append(x)
        return taps[3], content_of(self, taps)


class HyperIQA(nn.Module):
    """Su et al., CVPR 2020: the weights of a small network over the content vector are computed from the image."""
    WIDTHS = (224, 112, 56, 28, 14)

    def __init__(self, backbone):
        super().__init__()
        self.res = {"mobilenet_v2": MobileNetV2, "resnet50": ResNet50}[backbone]()
        last = {"mobilenet_v2": 1280, "resnet50": 2048}[backbone]
        self.conv1 = nn.Sequential(nn.Conv2d(last, last // 2, 1), nn.ReLU(inplace=True), nn.Conv2d(last // 2, last // 4, 1),
                                   nn.ReLU(inplace=True), nn.Conv2d(last // 4, 112, 1), nn.ReLU(inplace=True))
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
    if about["format"] != 3 or about["model"] != "hyperiqa" or about["input"]["resize"] != "none" or about.get("purify"):
        raise SystemExit(f"{path}: the peers know HyperIQA without resize and purification, in files of format 3")
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).copy()
        state[name] = torch.from_numpy(values).view(entry["shape"])
    model = HyperIQA(about["backbone"])
    model.load_state_dict(state, strict=False)
    left = set(model.state_dict()) ^ set(state)
    if any(not name.endswith("num_batches_tracked") for name in left):
        raise SystemExit(f"{path}: other tensors than HyperIQA has: {sorted(left)[:3]}")
    return model.eval(), about


class Scorer:
    """Crops of a grid of side x side, the mean of their scores."""

    def __init__(self, path, crop_count, batch_crops):
        self.model, about = read_model(path)
        self.crop = about["crop"]
        self.side = math.isqrt(crop_count)
        self.batch_crops = batch_crops
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
        return [torch.cat(crops)] if self.batch_crops else crops

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


def read_pixels(path):
    """[1,3,H,W] in [0,1]."""
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255


def hash_values(count, seed):
    """Integer hash to [0,1): the values of SteadyIQA's hash weights, so that both start alike without a file."""
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32((seed * 40503 + 12345) % 2**32)
        h ^= h >> np.uint32(16)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
        h *= np.uint32(3266489917)
        h ^= h >> np.uint32(16)
    return h / 2.0**32


def fill_hash_weights(model):
    for i, (name, tensor) in enumerate(sorted(model.state_dict().items(), key=lambda item: item[0].encode())):
        if not tensor.is_floating_point():
            continue
        r = hash_values(tensor.numel(), i + 1)
        if name.endswith("running_var"):
            values = 0.5 + r
        elif name.endswith("running_mean"):
            values = (r - 0.5) * 0.2
        elif tensor.dim() > 1:
            values = (r - 0.5) * 2 * math.sqrt(3 / (tensor.numel() / tensor.shape[0]))
        else:
            values = 0.8 + 0.4 * r if name.endswith("weight") else (r - 0.5) * 0.2
        tensor.copy_(torch.from_numpy(values.astype(np.float32)).view(tensor.shape))


def hash_input(seed, batch, side):
    values = 4 * hash_values(batch * 3 * side * side, seed) - 2
    return torch.from_numpy(values.astype(np.float32)).view(batch, 3, side, side)
