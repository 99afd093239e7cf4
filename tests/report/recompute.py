#!/usr/bin/env python3
"""Computes every number of a report anew from its result store, with other code, and compares.

usage: recompute.py STORE.sqlite REPORT.json      (the report: steadyiqa report STORE --out REPORT.json)

Needs the standard library; with SciPy the logistic fit is compared, too. Exit status 0 when all agree to 1e-9 (relative,
or absolute below 1), 5 when not. Formulas: docs/evaluation.md.
"""
import json
import math
import sqlite3
import sys

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
TOLERANCE = 1e-9


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def derive_seed(run, purpose, a):
    text = 0xCBF29CE484222325
    for c in purpose.encode():
        text = ((text ^ c) * 0x100000001B3) & MASK
    value = mix((run + GOLDEN) & MASK)
    for part in (text, a, 0):
        value = mix(((value ^ part) + GOLDEN) & MASK)
    return value


def draws(seed, n, resamples):
    for r in range(resamples):
        state = derive_seed(seed, "bootstrap", r)
        picks = []
        while len(picks) < n:
            state = (state + GOLDEN) & MASK
            value = mix(state)
            if value >= (1 << 64) % n:
                picks.append(value % n)
        yield picks


def mean(x):
    return math.fsum(x) / len(x)


def ranks(x):
    order = sorted(range(len(x)), key=lambda i: x[i])
    out = [0.0] * len(x)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and x[order[j + 1]] == x[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2 + 1
        i = j + 1
    return out


def plcc(x, y):
    if min(x) == max(x) or min(y) == max(y):
        return math.nan
    mx, my = mean(x), mean(y)
    xy = math.fsum((a - mx) * (b - my) for a, b in zip(x, y))
    return xy / math.sqrt(math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y))


def srocc(x, y):
    return plcc(ranks(x), ranks(y))


def krocc(x, y):
    concordant = ties_x = ties_y = 0
    n = len(x)
    for i in range(n):
        for j in range(i):
            a, b = x[i] - x[j], y[i] - y[j]
            ties_x += a == 0
            ties_y += b == 0
            concordant += (a * b > 0) - (a * b < 0)
    pairs = n * (n - 1) // 2
    return concordant / math.sqrt((pairs - ties_x) * (pairs - ties_y))


def rmse(x, y):
    return math.sqrt(mean([(a - b) ** 2 for a, b in zip(x, y)]))


def spread(x):
    m = mean(x)
    return math.sqrt(mean([(a - m) ** 2 for a in x]))


def percentile(x, p):
    x = sorted(x)
    place = p / 100 * (len(x) - 1)
    low = int(place)
    high = min(low + 1, len(x) - 1)
    return x[low] + (x[high] - x[low]) * (place - low)


def robustness(clean, attacked):
    total = []
    for s, a in zip(clean, attacked):
        s = min(max(s, 0.0), 100.0)
        total.append(math.log(max(100 - s, s) / max(abs(s - a), 1e-6)))
    return mean(total)


def change(clean, attacked):
    return mean([abs(a - s) for s, a in zip(clean, attacked)])


MEASURES = {
    "srocc_clean": lambda m, s, a: srocc(s, m),
    "plcc_clean": lambda m, s, a: plcc(s, m),
    "srocc_attacked": lambda m, s, a: srocc(a, m),
    "plcc_attacked": lambda m, s, a: plcc(a, m),
    "change_mean": lambda m, s, a: change(s, a),
    "change_share_of_spread": lambda m, s, a: change(s, a) / spread(s),
    "r_natural": lambda m, s, a: robustness(s, a),
}


def interval(values, confidence):
    values = [v for v in values if not math.isnan(v)]
    tail = 50 * (1 - confidence)
    return percentile(values, tail), percentile(values, 100 - tail)


def cdf_distance(a, b, power):
    total, points = 0.0, sorted(a + b)
    for i in range(len(points) - 1):
        fa = sum(v <= points[i] for v in a) / len(a)
        fb = sum(v <= points[i] for v in b) / len(b)
        total += abs(fa - fb) ** power * (points[i + 1] - points[i])
    return total


def logistic_plcc(x, y):
    """Pearson's r after the 4-parameter logistic of least squares, fitted on standardised values from both slopes."""
    import numpy as np
    from scipy.optimize import least_squares

    u, v = ((np.array(values) - mean(values)) / spread(values) for values in (x, y))

    def width(b):
        return max(abs(b[3]), 1e-12)

    def share(b):
        return 1 / (1 + np.exp(np.clip(-(u - b[2]) / width(b), -700, 700)))

    def curve(b):
        return b[1] + (b[0] - b[1]) * share(b)

    def jacobian(b):
        g = share(b)
        slope = (b[0] - b[1]) * g * (1 - g) / width(b)
        return np.stack([g, 1 - g, -slope, -slope * (u - b[2]) / width(b) * np.sign(b[3])], axis=1)

    best = None
    for high, low in ((max(v), min(v)), (min(v), max(v))):
        fit = least_squares(lambda b: curve(b) - v, [high, low, 0, 0.25], jacobian, method="lm", xtol=1e-15, ftol=1e-15,
                            gtol=1e-15, max_nfev=20000)
        if math.isfinite(fit.cost) and (best is None or fit.cost < best.cost):
            best = fit
    return plcc(list(curve(best.x)), y)


class Comparison:
    def __init__(self):
        self.count, self.worst, self.place, self.bad = 0, 0.0, "", []

    def check(self, place, reported, computed, tolerance=TOLERANCE):
        self.count += 1
        if reported is None:
            if not (computed is None or math.isnan(computed) or math.isinf(computed)):
                self.bad.append((place, reported, computed))
            return
        difference = abs(reported - computed) / max(1.0, abs(computed))
        if difference > self.worst and tolerance == TOLERANCE:
            self.worst, self.place = difference, place
        if not difference <= tolerance:
            self.bad.append((place, reported, computed))


def agreement(compare, place, reported, scores, truth):
    compare.check(place + ".srocc", reported["srocc"], srocc(scores, truth))
    compare.check(place + ".plcc", reported["plcc"], plcc(scores, truth))
    compare.check(place + ".krocc", reported["krocc"], krocc(scores, truth))
    compare.check(place + ".rmse", reported["rmse"], rmse(scores, truth))
    compare.check(place + ".mae", reported["mae"], change(scores, truth))
    try:
        # Two optimisers stop at slightly different parameters; the correlation differs by their square.
        compare.check(place + ".plcc_logistic4", reported["plcc_logistic4"], logistic_plcc(scores, truth), 1e-6)
    except ImportError:
        pass


def check_attack(compare, place, attack, rows, line, base, report):
    mos, clean, attacked = ([r[k] for r in rows] for k in ("mos", "score", "attacked"))
    m = attack["measures"]
    agreement(compare, place + ".with_mos", m["with_mos"], attacked, mos)
    agreement(compare, place + ".with_clean", m["with_clean"], attacked, clean)
    moved = [abs(a - s) for s, a in zip(clean, attacked)]
    raw = [[line[0] * r[k] + line[1] for r in rows] for k in ("raw_score", "attacked_raw")]
    finite = lambda key: [r[key] for r in rows if r[key] is not None and math.isfinite(r[key])]
    expected = {
        "r_natural": robustness(clean, attacked), "r_log10": robustness(clean, attacked) / math.log(10),
        "r_natural_uncalibrated": robustness(*raw), "r_log10_uncalibrated": robustness(*raw) / math.log(10),
        "change_mean": mean(moved), "change_median": percentile(moved, 50), "change_p95": percentile(moved, 95),
        "change_signed_mean": mean([a - s for s, a in zip(clean, attacked)]),
        "change_share_of_spread": mean(moved) / spread(clean), "psnr_mean_db": mean(finite("psnr_db")),
        "ssim_mean": mean(finite("ssim")), "linf_max_levels": max(r["linf_levels"] for r in rows),
        "model_calls_mean": mean([r["model_calls"] for r in rows]),
        "own_training_images": sum(r["own_training_image"] for r in rows),
        "rho_mean": mean([abs(r["attacked_float"] - r["score"]) / max(attack["eps_px"] * r["grad_l1_px"], 1e-12)
                          for r in rows])}
    for key, value in expected.items():
        compare.check(f"{place}.{key}", m[key], value)
    low, high = min(clean), max(clean)
    scaled = [((s - low) / (high - low), (a - s) / (high - low)) for s, a in zip(clean, attacked)]
    d = attack["distribution"]
    compare.check(place + ".gain", d["msu_absolute_gain"], mean([g for _, g in scaled]))
    compare.check(place + ".gain", d["msu_relative_gain"], mean([g / (s + 1) for s, g in scaled]))
    compare.check(place + ".wasserstein", d["wasserstein_points"], cdf_distance(clean, attacked, 1))
    compare.check(place + ".energy", d["energy_distance"], math.sqrt(2 * cdf_distance(clean, attacked, 2)))
    options = report["bootstrap"]
    picks = list(draws(options["seed"], len(rows), options["resamples"]))
    for name, measure in MEASURES.items():
        of = lambda p, mos=mos, clean=clean, attacked=attacked: measure(
            [mos[i] for i in p], [clean[i] for i in p], [attacked[i] for i in p])
        values = [of(p) for p in picks]
        reported = attack["intervals"][name]
        compare.check(f"{place}.{name}", reported["value"], of(range(len(rows))))
        for end, value in zip(("low", "high"), interval(values, options["confidence"])):
            compare.check(f"{place}.{name}.{end}", reported[end], value)
        if base is not None:
            b = {k: [r[k] for r in base] for k in ("mos", "score", "attacked")}
            first = [measure([b["mos"][i] for i in p], [b["score"][i] for i in p], [b["attacked"][i] for i in p])
                     for p in picks]
            reported = attack["differences"][name]
            differences = [x - y for x, y in zip(values, first)]
            compare.check(f"{place}.diff.{name}", reported["value"],
                          of(range(len(rows))) - measure(b["mos"], b["score"], b["attacked"]))
            for end, value in zip(("low", "high"), interval(differences, options["confidence"])):
                compare.check(f"{place}.diff.{name}.{end}", reported[end], value)


def check_theory(compare, place, at, db, model_sha):
    rows = db.execute(
        "SELECT clean.grad_l1_px, bound_up, bound_down, change_up, change_down, member.name FROM bound "
        "JOIN clean USING (model, image) JOIN model USING (model) JOIN member USING (image) WHERE model.sha256 = ? "
        "AND eps_px = ? GROUP BY member.position ORDER BY member.position", (model_sha, at["eps_px"])).fetchall()
    x = [at["eps_px"] * r[0] for r in rows]
    y = [max(abs(r[3]), abs(r[4])) for r in rows]
    expected = {"pearson": plcc(x, y), "spearman": srocc(x, y),
                "slope": math.fsum(a * b for a, b in zip(x, y)) / math.fsum(a * a for a in x),
                "violation_rate": mean([0.5 * (r[3] > r[1] * 1.001) + 0.5 * (r[4] > r[2] * 1.001) for r in rows]),
                "score_change_bound_mean": mean([max(r[1], r[2]) for r in rows]), "change_mean": mean(y)}
    for key, value in expected.items():
        compare.check(f"{place}.{key}", at[key], value)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    with open(sys.argv[2]) as file:
        report = json.load(file)
    names = {image["name"] for image in report["images"]}
    compare = Comparison()
    first = {}
    for m, model in enumerate(report["models"]):
        line = json.loads(db.execute("SELECT description FROM model WHERE sha256 = ?",
                                     (model["sha256"],)).fetchone()[0])["raw_to_0_100"]
        clean = db.execute("SELECT clean.*, mos, name FROM clean JOIN model USING (model) JOIN member USING (image) "
                           "WHERE sha256 = ? GROUP BY position ORDER BY position", (model["sha256"],)).fetchall()
        clean = [r for r in clean if r["name"] in names]
        scores = [r["score"] for r in clean]
        agreement(compare, f"model {m} clean", model["clean"], scores, [r["mos"] for r in clean])
        compare.check("spread", model["spread"], spread(scores))
        compare.check("raw spread", model["spread_uncalibrated"], spread([r["raw_score"] for r in clean]))
        compare.check("gradient", model["grad_l1_px_mean"], mean([r["grad_l1_px"] for r in clean]))
        for a, attack in enumerate(model["attacks"]):
            rows = [dict(r) for r in db.execute(
                "SELECT * FROM result WHERE model_sha256 = ? AND attack = ? AND pushed = ? AND eps_px = ?",
                (model["sha256"], attack["name"], attack["direction"], attack["eps_px"])) if r["image"] in names]
            check_attack(compare, f"model {m} {attack['name']} {attack['eps_px'] * 255:g}/255", attack, rows, line,
                         first.get(a) if m else None, report)
            first.setdefault(a, rows)
        for at in model["theory"]:
            check_theory(compare, f"model {m} theory {at['eps_px'] * 255:g}/255", at, db, model["sha256"])
        for curve in model["curves"]:
            area, x, y = 0.0, 0.0, 0.0
            for point in curve["points"]:
                height = point["change_mean"] / 100
                area += (point["eps_px"] - x) * (height + y) / 2
                x, y = point["eps_px"], height
            compare.check(f"model {m} integral", curve["integral_score"], area / x)
    print(f"{compare.count} numbers, largest difference {compare.worst:.2g} ({compare.place})")
    for place, reported, computed in compare.bad[:20]:
        print(f"DIFFERS {place}: report {reported}, here {computed}")
    sys.exit(5 if compare.bad else 0)


if __name__ == "__main__":
    main()
