#!/usr/bin/python3
"""Prints the golden numbers of feature_distance_test.cpp: LPIPS and DISTS written down in plain PyTorch from their papers,
in float64, with the weights of models.md section 7 (integer hashes, by sorted name; the distances' own weights as
magnitudes), and the digests of their state's names and shapes. Run: python3 tests/models/make_feature_distance_values.py
Needs numpy and PyTorch 1.13 (Debian 12's python3-numpy, python3-torch)."""
import hashlib

import numpy as np
import torch
import torch.nn.functional as F

VGG = [(0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256), (17, 512), (19, 512), (21, 512), (24, 512),
       (26, 512), (28, 512)]  # (layer of torchvision's features, width): 3x3, padding 1, then ReLU
VGG_GROUPS = [(0, 4), (4, 9), (9, 16), (16, 23), (23, 30)]  # layers; each but the first begins with the pooling
ALEX = [(0, 64, 11, 4, 2), (3, 192, 5, 1, 2), (6, 384, 3, 1, 1), (8, 256, 3, 1, 1), (10, 256, 3, 1, 1)]
ALEX_GROUPS = [(0, 2), (2, 5), (5, 8), (8, 10), (10, 12)]


def hash_units(count, stream):
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32((stream * 40503 + 12345) & 0xFFFFFFFF)
        h ^= h >> np.uint32(16)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
        h *= np.uint32(3266489917)
        h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 4294967296.0


def pixels(seed, batch, height, width):
    values = (4.0 * hash_units(batch * 3 * height * width, seed) - 2.0).astype(np.float32)
    return torch.from_numpy((values + np.float32(2)) / np.float32(4)).view(batch, 3, height, width).double()


def filled(shapes):
    """Every tensor of a state by the rules of fill_hash_weights, then the distances' own as magnitudes."""
    state = {}
    for stream, name in enumerate(sorted(shapes), start=1):
        shape = shapes[name]
        values = hash_units(int(np.prod(shape)), stream)
        if len(shape) > 1:
            values = (values - 0.5) * (2.0 * np.sqrt(3.0 / np.prod(shape[1:])))
        else:
            values = (values - 0.5) * 0.2
        tensor = torch.from_numpy(values.astype(np.float32)).view(shape).double()
        state[name] = tensor.abs() if name.startswith(("lin", "alpha", "beta")) else tensor
    return state


def group_of(layer, groups):
    return next(i for i, (begin, end) in enumerate(groups, start=1) if begin <= layer < end)


def vgg_shapes(prefix):
    shapes, inputs = {}, 3
    for layer, width in VGG:
        name = f"{prefix}{group_of(layer, VGG_GROUPS)}.{layer}"
        shapes[name + ".weight"], shapes[name + ".bias"] = (width, inputs, 3, 3), (width,)
        inputs = width
    return shapes


def alex_shapes():
    shapes, inputs = {}, 3
    for layer, width, kernel, _, _ in ALEX:
        name = f"net.slice{group_of(layer, ALEX_GROUPS)}.{layer}"
        shapes[name + ".weight"], shapes[name + ".bias"] = (width, inputs, kernel, kernel), (width,)
        inputs = width
    return shapes


def lin_shapes(widths):
    return {f"lin{i}.model.1.weight": (1, width, 1, 1) for i, width in enumerate(widths)}


def vgg_maps(state, prefix, x, pool):
    maps = []
    for group, (begin, end) in enumerate(VGG_GROUPS, start=1):
        if group > 1:
            x = pool(x)
        for layer, _ in VGG:
            if begin <= layer < end:
                name = f"{prefix}{group}.{layer}"
                x = F.relu(F.conv2d(x, state[name + ".weight"], state[name + ".bias"], padding=1))
        maps.append(x)
    return maps


def alex_maps(state, x):
    maps = []
    for group, (layer, _, _, stride, padding) in enumerate(ALEX, start=1):
        if group in (2, 3):
            x = F.max_pool2d(x, 3, 2)
        name = f"net.slice{group}.{layer}"
        x = F.relu(F.conv2d(x, state[name + ".weight"], state[name + ".bias"], stride=stride, padding=padding))
        maps.append(x)
    return maps


def lpips(state, maps_of, x, y):
    shift = torch.tensor([-0.030, -0.088, -0.188], dtype=torch.float64).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450], dtype=torch.float64).view(1, 3, 1, 1)
    total = 0
    pairs = zip(maps_of((2 * x - 1 - shift) / scale), maps_of((2 * y - 1 - shift) / scale))
    for i, (a, b) in enumerate(pairs):
        a, b = (m / (m.norm(dim=1, keepdim=True) + 1e-10) for m in (a, b))
        total = total + F.conv2d((a - b) ** 2, state[f"lin{i}.model.1.weight"]).mean((1, 2, 3))
    return total


def l2_pool(x):
    window = np.hanning(5)[1:-1]
    window = torch.from_numpy(np.outer(window, window) / np.outer(window, window).sum())
    weight = torch.zeros(x.shape[1], x.shape[1], 3, 3, dtype=torch.float64)
    weight[range(x.shape[1]), range(x.shape[1])] = window
    return torch.sqrt(F.conv2d(x * x, weight, stride=2, padding=1) + 1e-12)


def dists(state, x, y):
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
    stages = [[image] + vgg_maps(state, "stage", (image - mean) / std, l2_pool) for image in (x, y)]
    weights = torch.cat([state["alpha"], state["beta"]]) / (state["alpha"].sum() + state["beta"].sum())
    total, first = 0, 0
    for a, b in zip(*stages):
        a, b = a.flatten(2), b.flatten(2)
        alpha, beta = weights[:, first:first + a.shape[1], 0, 0]
        first += a.shape[1]
        texture = (2 * a.mean(2) * b.mean(2) + 1e-6) / (a.mean(2) ** 2 + b.mean(2) ** 2 + 1e-6)
        covariance = (a * b).mean(2) - a.mean(2) * b.mean(2)
        structure = (2 * covariance + 1e-6) / (a.var(2, unbiased=False) + b.var(2, unbiased=False) + 1e-6)
        total = total + (alpha * texture + beta * structure).sum(1)
    return 1 - total


def show(name, shapes, values):
    lines = "".join(f"{key} {','.join(map(str, shapes[key]))}\n" for key in sorted(shapes))
    print(name, [float(v) for v in values], hashlib.sha256(lines.encode()).hexdigest())


def pair(height, width):
    x = pixels(21, 2, height, width)
    return x, (x + 0.2 * (pixels(22, 2, height, width) - 0.5)).clamp(0, 1)


vgg = vgg_shapes("net.slice") | lin_shapes((64, 128, 256, 512, 512))
alex = alex_shapes() | lin_shapes((64, 192, 384, 256, 256))
stages = vgg_shapes("stage") | {"alpha": (1, 1475, 1, 1), "beta": (1, 1475, 1, 1)}
weights = filled(vgg)
show("lpips vgg", vgg, lpips(weights, lambda x: vgg_maps(weights, "net.slice", x, lambda m: F.max_pool2d(m, 2)), *pair(40, 37)))
weights = filled(alex)
show("lpips alex", alex, lpips(weights, lambda x: alex_maps(weights, x), *pair(67, 61)))
weights = filled(stages)
show("dists", stages, dists(weights, *pair(40, 37)))
