#!/ usr / bin / env python3
"""Prints the values of uap_training_test.cpp and uap_test.cpp: the trainers' steps in plain PyTorch, tiles by numpy.

usage: python3 make_uap_values.py   (any torch from 1.10 on, CPU; numpy)
"""
import numpy as np
import torch

from make_trajectories import score

SIDE = 10
BOUND = 0.1
STEPS = 6


def batch(step):
    """[2,3,10,10], multiples of 1/255."""
    i, c, y, x = torch.meshgrid(torch.arange(2), torch.arange(3), torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return ((37 * c + 11 * y + 7 * x + 5 * x * y + 53 * i + 29 * step) % 256).float() / 255


def objective(x, u, way, official):
    moved = x + u
    if official:
        seen = moved
        seen.data.clamp_(0, 1)  # the value is cut, the gradient is not
    else:
        seen = moved.clamp(0, 1)
    return way * score(seen).mean() / 100


def train(trainer, way, official):
    u = torch.zeros(1, 3, SIDE, SIDE, requires_grad=True)
    adam = torch.optim.Adam([u], lr=0.03)
    last = 0
    for step in range(STEPS):
        value = objective(batch(step), u, way, official)
        last = value.item()
        adam.zero_grad()
        (-value).backward()
        if trainer == "optimised":
            adam.step()
        else:
            u.data -= 40 * u.grad
        u.data.clamp_(-BOUND, BOUND)
    return u.detach()[0], last


def generator(side, channels, levels):
    """The U-Net's output for a noise, with weights that are a formula: level by level, down before up."""
    counter = 0

    def filled(*shape):
        nonlocal counter
        n = int(np.prod(shape))
        values = 0.2 * torch.sin(torch.arange(counter + 1, counter + n + 1).double())
        counter += n
        return values.float().view(shape)

    widths = [channels * min(2 ** i, 8) for i in range(levels)]
    down, up = [], []
    for i in range(levels):
        inner = 3 if i == 0 else widths[i - 1]
        outer = widths[i] if i + 1 == levels else 2 * widths[i]
        down.append((filled(widths[i], inner, 4, 4), filled(widths[i])))
        up.append((filled(outer, inner, 4, 4), filled(inner)))
    f = torch.nn.functional
    x = torch.cos(torch.arange(3 * side * side).double()).float().view(1, 3, side, side)
    x = f.conv2d(x, *down[0], stride=2, padding=1)
    skips = []
    for i in range(1, levels):
        skips.append(x)
        x = f.conv2d(f.leaky_relu(x, 0.2), *down[i], stride=2, padding=1)
        if i + 1 < levels:
            x = f.instance_norm(x)
    for i in range(levels - 1, 0, -1):
        x = f.instance_norm(f.conv_transpose2d(f.relu(x), *up[i], stride=2, padding=1))
        x = torch.cat((x, skips[i - 1]), 1)
    return torch.tanh(f.conv_transpose2d(f.relu(x), *up[0], stride=2, padding=1))


def main():
    ramp = torch.arange(3 * SIDE * SIDE).view(3, SIDE, SIDE).float() / (3 * SIDE * SIDE)
    for trainer in ("optimised", "cumulative"):
        for way in (1, -1):
            for official in (False, True):
                u, last = train(trainer, way, official)
                print(f"{trainer} {way:+d} {'official' if official else 'paper'}: objective {last:.8f} place "
                      f"{(u * ramp).sum().item():.7f} size {u.abs().sum().item():.7f} at the bound "
                      f"{(u.abs() >= BOUND).sum().item()}")
    out = generator(16, 2, 4)
    weights = torch.arange(out.numel()).view_as(out).float() / out.numel()
    print(f"generator: sum {out.sum().item():.6f} place {(out * weights).sum().item():.6f} "
          f"size {out.abs().sum().item():.6f}")
    square = np.arange(3 * 5 * 5, dtype=np.float64).reshape(3, 5, 5)
    for height, width in ((12, 13), (3, 4), (5, 10)):
        tiles = np.tile(square, (1, height // 5 + 1, width // 5 + 1))[:, :height, :width]
        weights = np.arange(tiles.size).reshape(tiles.shape)
        print(f"tiled {height}x{width}: {int((tiles * weights).sum())}")


if __name__ == "__main__":
    main()
