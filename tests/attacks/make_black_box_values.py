#!/usr/bin/env python3
"""Prints the values of black_box_test.cpp: schedule of the Square attack, cosine basis, just-noticeable differences.

usage: python3 make_black_box_values.py   (numpy and scipy)
"""
import numpy as np
import scipy.fft


def square_side(step, steps, side, share=0.05):
    """Andriushchenko et al. 2020, appendix B: the share is halved at 10, 50, ... of 10,000 steps."""
    at = int(step / steps * 10000)
    halvings = sum(at > mark for mark in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
    return max(round(np.sqrt(share / 2**halvings * side * side)), 1)


def window_range(values):
    """Largest minus smallest in each 5x5 window."""
    height, width = values.shape
    windows = [[values[max(0, y - 2):y + 3, max(0, x - 2):x + 3] for x in range(width)] for y in range(height)]
    return np.array([[w.max() - w.min() for w in row] for row in windows], dtype=float)


def jnd(luma, edges):
    luma = luma.astype(int)
    plain = np.where(luma < 128, 17 * (1 - np.sqrt(np.minimum(luma, 127) / 127)) + 3, 3 * (luma - 127) / 128 + 3)
    texture = (luma - edges) % 256
    masking = 0.117 * window_range(edges) + 0.351 * window_range(texture)
    return plain + masking - 0.3 * np.minimum(plain, masking)


def main():
    steps = 400
    sides = [square_side(step, steps, 64) for step in range(steps)]
    changes = [step for step in range(steps) if step == 0 or sides[step] != sides[step - 1]]
    print("square, 400 steps, 64 x 64:", ", ".join(f"{{{step}, {sides[step]}}}" for step in changes))
    print("dct of 5:", np.round(scipy.fft.dct(np.eye(5), axis=0, norm="ortho"), 7).tolist())
    # A ramp of 10 levels a pixel: a Sobel response of 80, below the 150 that an edge needs to begin.
    ramp = np.tile(np.arange(0, 120, 10), (8, 1))
    print("jnd of the ramp:", np.round(jnd(ramp, np.zeros_like(ramp))[4], 6).tolist())
    # A step of 200 levels after the fourth column: Canny marks the first of the two columns of equal response.
    step = np.tile([0] * 4 + [200] * 8, (8, 1))
    edges = np.zeros_like(step)
    edges[:, 3] = 255
    print("jnd of the step:", np.round(jnd(step, edges)[4], 6).tolist())


if __name__ == "__main__":
    main()
