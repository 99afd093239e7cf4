#!/usr/bin/python3
"""Scores of files as the authors' demo takes them: one image after the other, each crop through the network on its own,
NCHW float32. Takes a SteadyIQA model file and writes scores and seconds as JSON on stdout. bench/compare runs it."""
import argparse
import json
import time

import hyperiqa


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="safetensors file of SteadyIQA")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--crop-count", type=int, required=True)
    parser.add_argument("--batch-crops", action="store_true", help="all crops of an image in one batch")
    parser.add_argument("--warm-up", action="store_true", help="the first image once before the time is taken")
    parser.add_argument("images", nargs="+")
    args = parser.parse_args()
    hyperiqa.set_threads(args.threads)
    scorer = hyperiqa.Scorer(args.model, args.crop_count, args.batch_crops)
    if args.warm_up:
        scorer.score(hyperiqa.read_pixels(args.images[0]))
    start = time.perf_counter()
    scores = [scorer.calibrated(scorer.score(hyperiqa.read_pixels(path))) for path in args.images]
    print(json.dumps({"seconds": time.perf_counter() - start,
                      "images": [{"image": p, "score": s} for p, s in zip(args.images, scores, strict=True)]}))


main()
