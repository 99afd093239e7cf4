#!/usr/bin/python3
"""Prints the golden numbers of korhonen_test.cpp, concealed_test.cpp and stadv_test.cpp: the attacks written down again
with PyTorch's optimisers and losses, scipy.ndimage and numpy.fft, in float64, on the image and the score of
analytic_victim.h. Run: python3 tests/attacks/make_perceptual_values.py
Needs numpy, scipy, PyTorch 1.13 (Debian 12's python3-numpy, -scipy, -torch)."""
import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F

WIDTH, HEIGHT = 25, 17


def scene(width, height):
    """The same pixels as tests/image/noise.h."""
    h = (np.arange(width * height * 3, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    h ^= h >> np.uint64(15)
    h = (h * 2246822519) & 0xFFFFFFFF
    h ^= h >> np.uint64(13)
    noise = (h & 255).astype(np.int64).reshape(height, width, 3)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // width, y * 255 // height, (x + y) * 127 // (width + height)], 2)
    return base * 3 // 4 + noise // 4


CLEAN = torch.from_numpy(scene(WIDTH, HEIGHT).transpose(2, 0, 1).copy()).double().unsqueeze(0) / 255
WEIGHT = ((torch.arange(CLEAN.numel()) * 7919 % 101).double() / 50 - 1).view(CLEAN.shape)


def score(x):
    """As raw in analytic_victim.h."""
    return 50 + 400 * (WEIGHT * torch.sin(4 * x) * (1 + x.roll(1, 3))).mean()


def gradient(x):
    leaf = x.detach().clone().requires_grad_(True)
    return torch.autograd.grad(score(leaf), leaf)[0]


def show(name, x):
    d = (x - CLEAN) * 255
    print(f"{name}: {{{d.abs().max():.9f}, {d.sum():.9f}, {(WEIGHT * d).sum():.9f}}}")


def activity():
    """Korhonen and You's map; the border is dropped, so how Sobel pads does not matter."""
    luma = (CLEAN[0] * torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)).sum(0).numpy()
    squares = (scipy.ndimage.sobel(luma, 0) / 8) ** 2 + (scipy.ndimage.sobel(luma, 1) / 8) ** 2
    inner = np.zeros_like(squares)
    inner[1:-1, 1:-1] = squares[1:-1, 1:-1]
    disc = np.ones((5, 5), bool)
    disc[[0, 0, 4, 4], [0, 4, 0, 4]] = False
    return scipy.ndimage.grey_dilation(inner / inner.max(), footprint=disc)


def korhonen(mask, steps=8, rate=2.0):
    x = (CLEAN * 255).clone().requires_grad_(True)  # grey levels, as theirs
    optimiser = torch.optim.Adam([x], lr=rate)
    best, least = None, np.inf
    for _ in range(steps):
        optimiser.zero_grad()
        loss = 1 - score(x / 255) / 100
        loss.backward()
        if loss.item() < least:
            best, least = x.detach().clone(), loss.item()
        before = x.detach().clone()
        if mask == "gradient":
            x.grad *= MAP
        optimiser.step()
        if mask == "update":
            x.data = before + MAP * (x.data - before)
        x.data.clamp_(0, 255)
    return best / 255


def madc(steps=8, rate=1e-3):
    x = CLEAN.clone()
    for step in range(steps):
        g = gradient(x)
        if step > 0:
            leaf = x.clone().requires_grad_(True)
            e = torch.autograd.grad(((leaf - CLEAN) ** 2).mean() ** 0.5, leaf)[0]
            g = g - (e * g).sum() / (e * e).sum() * e
        x = (x - rate * g.sign()).clamp(0, 1)  # downwards
    return x


def low_band(x):
    even = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
    return F.interpolate(F.avg_pool2d(even, 2), scale_factor=2, mode="nearest")[:, :, :x.shape[2], :x.shape[3]]


def ssah(weight, steps=10, rate=1e-3):
    x = CLEAN.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        cost = 1 - score(x) / 100 + weight * F.smooth_l1_loss(low_band(x), low_band(CLEAN), reduction="sum")
        cost.backward()
        optimiser.step()
        x.data.clamp_(0, 1)
    return x.detach()


def ioi(amplitude=0.1, keep=0.07):
    clean = CLEAN[0].numpy()
    stepped = (CLEAN + amplitude * gradient(CLEAN).sign()).clamp(0, 1)[0].numpy()
    windows = np.lib.stride_tricks.sliding_window_view(clean, (3, 3), (1, 2))
    ratio = windows.std((3, 4)) / np.where(windows.mean((3, 4)) == 0, 1, windows.mean((3, 4)))
    weight = np.pad(ratio / ratio.max(), ((0, 0), (1, 1), (1, 1)))
    weight = np.sqrt(np.where(weight < 0.01, 0, weight))
    result = []
    for channel in range(3):
        spectrum = np.fft.fft2(clean[channel])
        threshold = np.sort(np.abs(spectrum).ravel())[int(np.floor((1 - keep) * spectrum.size))]
        weak = np.abs(spectrum) < threshold * (1 - 1e-9)  # mirror images together, whatever the rounding
        low = np.fft.ifft2(spectrum * ~weak).real
        high = np.fft.ifft2(spectrum * weak).real
        new = np.fft.ifft2(np.fft.fft2(stepped[channel]) * weak).real
        result.append(low + weight[channel] * new + (1 - weight[channel]) * high)
    return torch.from_numpy(np.stack(result)).clamp(0, 1).unsqueeze(0)


def warp(flow):
    """A bilinear look-up by index, 0 <= row <= HEIGHT - 1."""
    y = (torch.arange(HEIGHT).double().view(-1, 1) + flow[0]).clamp(0, HEIGHT - 1)
    x = (torch.arange(WIDTH).double().view(1, -1) + flow[1]).clamp(0, WIDTH - 1)
    y0 = y.detach().floor().long().clamp(0, HEIGHT - 2)
    x0 = x.detach().floor().long().clamp(0, WIDTH - 2)
    v, u = y - y0, x - x0
    at = lambda r, c: CLEAN[:, :, r, c]
    return ((1 - v) * (1 - u) * at(y0, x0) + v * (1 - u) * at(y0 + 1, x0) + (1 - v) * u * at(y0, x0 + 1) +
            v * u * at(y0 + 1, x0 + 1))


def stadv(steps, rate=2.5, weight=1e-5):
    flow = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([flow], lr=rate, max_iter=1, max_eval=25)

    def closure():
        optimiser.zero_grad()
        rough = flow.diff(dim=1).square().sum() + flow.diff(dim=2).square().sum()
        loss = -0.1875 * score(warp(flow)) + weight * rough
        loss.backward()
        return loss

    for _ in range(steps):
        optimiser.step(closure)
    return warp(flow.detach())


def wave():
    """The flow of stadv_test.cpp."""
    i = torch.arange(2 * HEIGHT * WIDTH).double().view(2, HEIGHT, WIDTH)
    return 3 * torch.sin(0.7 * i)


MAP = torch.from_numpy(activity())
print("activity:", f"{MAP.sum():.9f} {MAP.min():.9f} {MAP[0, 0]:.9f} {MAP[3, 7]:.9f} {MAP[16, 24]:.9f}")
show("korhonen update", korhonen("update"))
show("korhonen gradient", korhonen("gradient"))
show("madc down", madc())
show("ssah 0.1", ssah(0.1))
show("ssah 50", ssah(50))
show("ioi", ioi())
rows = np.mgrid[0:HEIGHT, 0:WIDTH] + wave().numpy()
moved = [scipy.ndimage.map_coordinates(CLEAN[0, c].numpy(), rows, order=1, mode="nearest") for c in range(3)]
show("wave", torch.from_numpy(np.stack(moved)).unsqueeze(0))
show("stadv 1", stadv(1))
show("stadv 3", stadv(3))
