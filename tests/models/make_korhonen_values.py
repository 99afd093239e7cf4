#!/usr/bin/env python3
"""Prints the values of korhonen_test.cpp: the network on torchvision's trunks with hash weights, float64.

usage: python3 make_korhonen_values.py   (torch 1.13, torchvision 0.14, numpy)
"""
import hashlib

import numpy
import torch
import torchvision


def hash_unit(count, s):
    """models/hash_weights.h."""
    with numpy.errstate(over="ignore"):
        h = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(2654435761) + numpy.uint32(s * 40503 + 12345)
        h ^= h >> numpy.uint32(16)
        h *= numpy.uint32(2246822519)
        h ^= h >> numpy.uint32(13)
        h *= numpy.uint32(3266489917)
        h ^= h >> numpy.uint32(16)
    return h / 4294967296.0


def hash_input(seed, *shape):
    count = int(numpy.prod(shape))
    return torch.tensor((4 * hash_unit(count, seed) - 2).astype(numpy.float32)).view(shape).double()


def fill(module):
    entries = sorted(module.state_dict().items(), key=lambda item: item[0].encode())
    for s, (name, tensor) in enumerate(entries, start=1):
        if not tensor.is_floating_point():
            continue
        r = hash_unit(tensor.numel(), s)
        if name.endswith("running_var"):
            r = 0.5 + r
        elif name.endswith("running_mean"):
            r = (r - 0.5) * 0.2
        elif tensor.dim() > 1:
            r = (r - 0.5) * 2 * numpy.sqrt(3 / (tensor.numel() / tensor.shape[0]))
        elif name.endswith("weight"):
            r = 0.8 + 0.4 * r
        else:
            r = (r - 0.5) * 0.2
        tensor.copy_(torch.tensor(r.astype(numpy.float32)).view(tensor.shape))


class Korhonen(torch.nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.trunk = getattr(torchvision.models, backbone)()
        if backbone == "mobilenet_v2":
            del self.trunk.classifier
        else:
            del self.trunk.fc, self.trunk.avgpool
        self.head = torch.nn.Linear(1280 if backbone == "mobilenet_v2" else 2048, 1)

    def forward(self, x):
        t = self.trunk
        if hasattr(t, "features"):
            x = t.features(x)
        else:
            x = t.layer4(t.layer3(t.layer2(t.layer1(t.maxpool(t.relu(t.bn1(t.conv1(x))))))))
        x = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return torch.sigmoid(self.head(x)).squeeze(1)


def main():
    torch.set_grad_enabled(False)
    for backbone in ("resnet50", "mobilenet_v2"):
        network = Korhonen(backbone).eval()
        fill(network)
        lines = "".join(f"{name} {','.join(str(n) for n in tensor.shape)}\n"
                        for name, tensor in sorted(network.state_dict().items(), key=lambda item: item[0].encode()))
        print(backbone, len(network.state_dict()), hashlib.sha256(lines.encode()).hexdigest())
        network.double()
        print(*(repr(v) for v in network(hash_input(9999, 2, 3, 96, 128)).tolist()))
        print(*(repr(v) for v in network(hash_input(7, 1, 3, 65, 97)).tolist()))


if __name__ == "__main__":
    main()
