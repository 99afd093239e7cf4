#!/usr/bin/python3
"""FGSM or I-FGSM on HyperIQA as published attack code runs it: plain PyTorch, one image after the other, each crop
through the network on its own, NCHW float32, parameters that require gradients. Takes a SteadyIQA model file and writes
scores and seconds as JSON on stdout. bench/compare runs it."""
import argparse
import json
import math
import time

import torch

import hyperiqa


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="safetensors file of SteadyIQA")
    parser.add_argument("--eps", type=float, required=True, help="budget in [0,1] pixels")
    parser.add_argument("--steps", type=int, default=10, help="1: FGSM, one step of the whole budget")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--crop-count", type=int, required=True)
    parser.add_argument("--batch-crops", action="store_true", help="all crops of an image in one batch")
    parser.add_argument("images", nargs="+")
    return parser.parse_args()


def attack(scorer, clean, eps, steps):
    """Down when the calibrated score is above 50, else up; (score before, score after 8-bit rounding)."""
    before = scorer.score(clean)
    sign = -1.0 if scorer.calibrated(before) > 50 else 1.0
    sign = sign if scorer.slope >= 0 else -sign
    size = eps if steps == 1 else 2.5 * eps / steps
    levels = math.floor(eps * 255 + 1e-4)
    x = clean
    for _ in range(steps):
        x = x + size * sign * scorer.gradient(x).sign()
        x = torch.minimum(torch.maximum(x, clean - eps), clean + eps).clamp(0, 1)
    base = (clean * 255).round()
    x = torch.minimum(torch.maximum((x * 255).round(), base - levels), base + levels).clamp(0, 255) / 255
    return scorer.calibrated(before), scorer.calibrated(scorer.score(x))


def main():
    args = arguments()
    hyperiqa.set_threads(args.threads)
    scorer = hyperiqa.Scorer(args.model, args.crop_count, args.batch_crops)
    rows = []
    for path in args.images:
        clean = hyperiqa.read_pixels(path)
        start = time.perf_counter()
        score, attacked = attack(scorer, clean, args.eps, args.steps)
        rows.append({"image": path, "score": score, "attacked": attacked, "seconds": time.perf_counter() - start})
    print(json.dumps({"seconds": sum(row["seconds"] for row in rows), "images": rows}))


main()
