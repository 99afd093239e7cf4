#!/usr/bin/env python3
"""Prints the values of trajectories_test.cpp: the attacks in plain PyTorch, on a network that both sides can write down.

usage: python3 make_trajectories.py   (any torch from 1.10 on, CPU)
"""
import torch

EPS = 4 / 255
STEPS = 10


def image():
    """[1,3,12,10], multiples of 1/255."""
    c, y, x = torch.meshgrid(torch.arange(3), torch.arange(12), torch.arange(10), indexing="ij")
    return ((37 * c + 11 * y + 7 * x + 5 * x * y) % 256).float()[None] / 255


def score(x):
    o, i, ky, kx = torch.meshgrid(torch.arange(4), torch.arange(3), torch.arange(3), torch.arange(3), indexing="ij")
    weight = torch.sin((27 * o + 9 * i + 3 * ky + kx + 1).double()).float()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = torch.tanh(torch.conv2d((x - mean) / std, weight) / 3).mean((2, 3))
    return (features * torch.cos(torch.arange(4).float())).sum(1) * 20


def gradient(x):
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(score(x).sum(), x)[0]


def project(x, clean):
    return torch.minimum(torch.maximum(x, clean - EPS), clean + EPS).clamp(0, 1)


def fgsm(clean, sign):
    return project(clean + EPS * (sign * gradient(clean)).sign(), clean), []


def ifgsm(clean, sign):
    x, scores = clean, []
    for _ in range(STEPS):
        x = project(x + 2.5 * EPS / STEPS * (sign * gradient(x)).sign(), clean)
        scores.append(score(x).item())
    return x, scores


def mifgsm(clean, sign):
    x, momentum, scores = clean, torch.zeros_like(clean), []
    for _ in range(STEPS):
        g = sign * gradient(x)
        momentum = momentum + g / g.abs().sum()
        x = project(x + EPS / STEPS * momentum.sign(), clean)
        scores.append(score(x).item())
    return x, scores


def main():
    clean = image()
    print(f"clean {score(clean).item():.7f}")
    ramp = torch.arange(clean.numel()).view_as(clean).float() / clean.numel()
    for attack in (fgsm, ifgsm, mifgsm):
        for sign in (1, -1):
            x, scores = attack(clean, sign)
            print(f'{{"{attack.__name__}", {sign}, {score(x).item():.7f}, {((x - clean) * ramp).sum().item():.7f}, '
                  f"{{{', '.join(f'{s:.7f}' for s in scores)}}}}},")


if __name__ == "__main__":
    main()
