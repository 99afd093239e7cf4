#!/usr/bin/python3
"""A training step with gradient-norm regularisation as the NT authors' code takes it (Liu et al., CVPR 2024): the loss's
forward pass, another for the input gradient, a third for the finite difference along its sign, BatchNorm in training mode
in all (with --frozen in eval mode, as a layer), NCHW float32, Adam. On hash weights and a hash batch. Writes seconds and the
first step's values as JSON on stdout. bench/compare runs it."""
import argparse
import json
import time

import torch

import hyperiqa

STEP = 0.01  # h
WEIGHT = 1e-3  # lambda
RATE = 2e-5


def step(model, x, mos, optimiser):
    optimiser.zero_grad()
    scores = model(x)
    loss = torch.nn.functional.l1_loss(scores, mos)
    leaf = x.clone().requires_grad_(True)
    here = model(leaf)
    gradient = torch.autograd.grad(here.sum(), leaf, retain_graph=True)[0]
    difference = (model(x + STEP * gradient.sign()) - here) / STEP
    penalty = difference.square().mean() / 2
    (loss + WEIGHT * penalty).backward()
    optimiser.step()
    return {"loss": loss.item(), "penalty": penalty.item(), "gradient_norm": difference.abs().mean().item()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    hyperiqa.set_threads(args.threads)
    model = hyperiqa.HyperIQA(args.backbone)
    with torch.no_grad():
        hyperiqa.fill_hash_weights(model)
    model.train(not args.frozen)
    trunk = list(model.res.parameters())
    seen = {id(p) for p in trunk}
    head = [p for p in model.parameters() if id(p) not in seen]
    optimiser = torch.optim.Adam([{"params": trunk, "lr": RATE}, {"params": head, "lr": 10 * RATE}], weight_decay=5e-4)
    x, mos = hyperiqa.hash_input(9999, args.batch, 224), torch.arange(args.batch) * 10.0
    first = step(model, x, mos, optimiser)
    seconds = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        step(model, x, mos, optimiser)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": sorted(seconds)[len(seconds) // 2], "first_step": first}))


main()
