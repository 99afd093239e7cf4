#!/usr/bin/python3
"""Prints the golden numbers of purification_test.cpp: the purifiers by Pillow, scipy.ndimage and numpy on the 61 x 45
scene of tests/image/noise.h. Run: python3 tests/models/make_purified_values.py
Needs Pillow 9.4, numpy, scipy (Debian 12's python3-pil, -numpy, -scipy)."""
import hashlib
import io

import numpy as np
import scipy.ndimage
from PIL import Image

WIDTH, HEIGHT = 61, 45


def scene(width, height):
    """The same pixels as tests/image/noise.h."""
    h = (np.arange(width * height * 3, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    h ^= h >> np.uint64(15)
    h = (h * 2246822519) & 0xFFFFFFFF
    h ^= h >> np.uint64(13)
    noise = (h & 255).astype(np.int64).reshape(height, width, 3)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // width, y * 255 // height, (x + y) * 127 // (width + height)], 2)
    return (base * 3 // 4 + noise // 4).astype(np.uint8)


SCENE = scene(WIDTH, HEIGHT)
WEIGHT = (np.arange(SCENE.size) * 7919 % 101 / 50 - 1).reshape(3, HEIGHT, WIDTH)


def show(name, levels):
    print(name, hashlib.sha256(np.ascontiguousarray(levels, np.uint8).tobytes()).hexdigest())


for quality in 50, 90:
    buffer = io.BytesIO()
    Image.fromarray(SCENE).save(buffer, 'JPEG', quality=quality, subsampling='4:2:0')
    show(f'jpeg {quality}', np.asarray(Image.open(buffer)))
for kernel in 3, 7:
    show(f'median {kernel}', scipy.ndimage.median_filter(SCENE, (kernel, kernel, 1), mode='nearest'))
for bits in 1, 3, 7:
    show(f'bits {bits}', np.rint(SCENE / 255 * (2 ** bits - 1)))
for kernel in 5, 11:
    # OpenCV tabulates sizes up to 9; above, sigma = 0.3 ((size - 1) / 2 - 1) + 0.8.
    at = np.arange(kernel) - kernel // 2
    weights = np.array([1, 4, 6, 4, 1.]) if kernel == 5 else np.exp(-at ** 2 / (2 * (0.3 * (kernel // 2 - 1) + 0.8) ** 2))
    x = SCENE.transpose(2, 0, 1) / 255
    for axis in 1, 2:
        x = scipy.ndimage.correlate1d(x, weights / weights.sum(), axis, mode='nearest')
    print(f'blur {kernel}: {x.sum():.9f} {(WEIGHT * x).sum():.9f}')
