'use strict';
// Renders the report document (docs/results.md) that stands in the page. No network, no framework.
(() => {
  const doc = JSON.parse(document.getElementById('document').textContent);
  const models = doc.models;
  const main = document.getElementById('main');
  let charts = [];  // {draw, group}: how to draw each chart again, for another theme or width

  // ---- small helpers ----
  const shown = (value, digits = 3) => (value === null || value === undefined ? '-' : Number(value).toFixed(digits));
  const budget = (eps) => `${+(eps * 255).toPrecision(4)}/255`;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const modelColour = (m) => colour(`--model${m % 4}`);
  const shortName = (attack) => `${attack.name} ${budget(attack.eps_px)} ${attack.direction}`;
  /** With parameters only where another attack would have the same name. */
  const attackName = (attack) => (models[0].attacks.filter((other) => shortName(other) === shortName(attack)).length > 1
    ? `${attack.text} ${budget(attack.eps_px)} ${attack.direction}` : shortName(attack));

  /** An element with attributes and children; texts become text nodes, so nothing in the document is read as HTML. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in element && typeof value !== 'string') element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null));
    return element;
  }

  function section(title, ...children) {
    const id = title.toLowerCase().replace(/[^a-z]+/g, '-');
    const part = make('section', {'aria-labelledby': id}, make('h2', {id}, title), ...children);
    main.append(part);
    return part;
  }

  /** rows: lists of texts or nodes. The first column heads its row. */
  function table(caption, head, rows) {
    const body = rows.map((row) => make('tr', {}, row.map((cell, i) =>
      i === 0 ? make('th', {scope: 'row'}, cell) : cell instanceof HTMLTableCellElement ? cell : make('td', {}, cell))));
    return make('div', {class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption},
      make('table', {}, make('caption', {}, caption),
        make('thead', {}, make('tr', {}, head.map((cell) => make('th', {scope: 'col'}, cell)))),
        make('tbody', {}, body)));
  }

  const swatch = (m) => {
    const box = make('span', {class: 'swatch', 'aria-hidden': 'true'});
    box.style.background = `var(--model${m % 4})`;
    return box;
  };
  const modelName = (m) => [swatch(m), models[m].label];

  // ---- charts ----
  /** series: [{label, model, points: [[x, y], ...], line}]. A table of the same numbers stands behind it. */
  function chart(title, xLabel, yLabel, series, group = '') {
    const host = make('div', {role: 'img', 'aria-label': `${title}; the table below has its numbers`});
    const rows = series.flatMap((s) => s.points.map(([x, y]) => [s.label, shown(x), shown(y)]));
    const figure = make('figure', {}, make('figcaption', {}, title), host,
      make('details', {}, make('summary', {}, `Numbers of: ${title}`), table(title, ['series', xLabel, yLabel], rows)));
    const draw = () => {
      host.replaceChildren();
      const xs = [...new Set(series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
      const at = new Map(xs.map((x, i) => [x, i]));
      const data = [xs, ...series.map((s) => {
        const ys = new Array(xs.length).fill(s.line ? undefined : null);
        s.points.forEach(([x, y]) => { ys[at.get(x)] = y; });
        return ys;
      })];
      const axis = {stroke: colour('--muted'), grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line')}};
      new uPlot({
        width: Math.max(260, Math.min(560, host.clientWidth)), height: 300,
        scales: {x: {time: false}},
        axes: [{...axis, label: xLabel}, {...axis, label: yLabel, size: 60}],
        series: [{label: xLabel}, ...series.map((s) => {
          const stroke = s.model === undefined ? colour('--muted') : modelColour(s.model);
          return s.line
            ? {label: s.label, stroke, width: 2, spanGaps: true, points: {show: s.model !== undefined, size: 7}}
            : {label: s.label, stroke, paths: () => null, points: {show: true, size: 6, fill: stroke}};
        })],
      }, data, host);
    };
    charts.push({draw, group});
    return figure;
  }

  const drawAll = () => charts.forEach((chart) => chart.draw());

  // ---- sections ----
  function facts() {
    const {protocol, data} = doc;
    document.getElementById('facts').textContent =
      `Protocol ${protocol.name || 'none, by flags'}, digest ${protocol.digest.slice(0, 12)} · ${data.name}, ` +
      `${data.images} images · judged ${doc.judged} · ${doc.device}, ${doc.precision} · steadyiqa ${doc.version || ''}`;
    if (data.images < data.expected_images) {
      main.append(make('p', {class: 'notice', role: 'note'},
        `Not finished: ${data.images} of ${data.expected_images} images. Every number on this page is of these alone.`));
    }
  }

  function verdict() {
    section('Verdict', make('div', {class: 'verdict'}, doc.verdict.map((text) => make('p', {}, text))));
  }

  const HEADLINE = [['srocc_attacked', 'SROCC to MOS ↑', 3, 1], ['change_mean', 'mean change, points ↓', 2, -1],
    ['change_share_of_spread', 'change / spread ↓', 3, -1], ['r_natural', 'R, ln ↑', 3, 1]];

  /** Value, 95 % interval, and the paired difference to the first model. */
  function estimate(attack, [name, , digits, better]) {
    const e = attack.intervals[name];
    const cell = make('td', {}, shown(e.value, digits),
      make('small', {}, `[${shown(e.low, digits)}, ${shown(e.high, digits)}]`));
    const d = attack.differences && attack.differences[name];
    if (d) {
      const sure = d.low !== null && (d.low > 0 || d.high < 0);
      const mark = sure ? (d.value * better > 0 ? 'good' : 'bad') : '';
      const sign = d.value >= 0 ? '+' : '';
      cell.append(make('small', mark ? {class: mark} : {},
        `Δ ${sign}${shown(d.value, digits)} [${shown(d.low, digits)}, ${shown(d.high, digits)}]`));
    }
    return cell;
  }

  function comparison() {
    const clean = table('Clean images; higher SROCC and PLCC are better',
      ['model', 'SROCC ↑', 'PLCC ↑', 'KROCC ↑', 'RMSE ↓', 'spread', 'spread, raw', 'gradient l1 norm ↓'],
      models.map((m, i) => [modelName(i), shown(m.clean.srocc), shown(m.clean.plcc), shown(m.clean.krocc),
        shown(m.clean.rmse, 2), shown(m.spread, 2), shown(m.spread_uncalibrated, 2), shown(m.grad_l1_px_mean, 0)]));
    const part = section('Models compared',
      make('p', {class: 'muted'}, 'Scores are calibrated to 0-100 on the training set: a shrunken scale would fake robustness. ' +
        'Brackets: 95 % bootstrap intervals over images; Δ: difference to the first model on the same images, coloured ' +
        'where its interval leaves out 0.'), clean);
    if (models[0].attacks.length === 0) return;
    const rows = models[0].attacks.flatMap((attack, a) => models.map((m, i) =>
      [i === 0 ? attackName(attack) : '', make('td', {class: 'name'}, modelName(i)),
        ...HEADLINE.map((measure) => estimate(m.attacks[a], measure)),
        shown(m.attacks[a].measures.r_natural_uncalibrated), shown(m.attacks[a].measures.with_mos.rmse, 2),
        shown(m.attacks[a].measures.psnr_mean_db, 1)]));
    part.append(make('h3', {}, 'Under attack'), table('Attacked images',
      ['attack', 'model', ...HEADLINE.map((m) => m[1]), 'R, raw scores', 'RMSE to MOS ↓', 'PSNR, dB'], rows));
  }

  function curves() {
    const named = (curve) => `${curve.attack}, ${JSON.stringify(curve.parameters)}`;
    const attacks = new Map(models.flatMap((m) => m.curves.filter((c) => c.points.length > 1).map((c) => [named(c), c.attack])));
    if (attacks.size === 0) return;
    const part = section('Over budgets');
    for (const [name, attack] of attacks) {
      const alone = [...attacks.values()].filter((other) => other === attack).length === 1;
      const title = alone ? attack : name;
      const lines = (key) => models.flatMap((m, i) => m.curves.filter((c) => named(c) === name).map((c) =>
        ({label: m.label, model: i, line: true, points: c.points.map((p) => [p.eps_px * 255, p[key]])})));
      part.append(make('h3', {}, title), make('div', {class: 'charts'},
        chart(`SROCC to MOS under ${title}`, 'budget, grey levels of 255', 'SROCC', lines('srocc_attacked')),
        chart(`Change / spread under ${title}`, 'budget, grey levels of 255', 'mean change / spread', lines('change_share_of_spread'))),
      table('Integral score: mean change of 100 points over budgets, lower is better', ['model', 'integral score ↓'],
        models.map((m, i) => [modelName(i), shown((m.curves.find((c) => named(c) === name) || {}).integral_score, 4)])));
    }
  }

  function scatter() {
    if (models[0].attacks.length === 0) return;
    const choose = make('select', {id: 'attack'}, models[0].attacks.map((attack, a) => make('option', {value: String(a)}, attackName(attack))));
    const place = make('div', {class: 'charts'});
    const fill = () => {
      const a = Number(choose.value);
      charts = charts.filter((chart) => chart.group !== 'scatter');
      const ends = doc.images.flatMap((image) => image.scores.map((s) => s.score));
      const line = {label: 'no change', line: true, points: [[Math.min(...ends), Math.min(...ends)], [Math.max(...ends), Math.max(...ends)]]};
      place.replaceChildren(...models.map((m, i) => chart(`${m.label}: score before and after`, 'clean score', 'attacked score',
        [{label: m.label, model: i, points: doc.images.map((image) => [image.scores[i].score, image.scores[i].attacked[a]])}, line], 'scatter')));
    };
    choose.addEventListener('change', () => {
      fill();
      drawAll();
    });
    fill();
    section('Scores before and after', make('p', {}, make('label', {for: 'attack'}, 'Attack: '), choose), place);
  }

  function theory() {
    if (!models.some((m) => m.theory.length > 0)) return;
    const part = section('Gradient norm against change',
      make('p', {}, 'For a small perturbation the score changes by about eps times the l1 norm of its gradient; regularisation ' +
        'makes that norm small. Change: of ten steps of I-FGSM without rounding, the larger direction. Violation: the ' +
        'change exceeds the first-order bound, which holds only as far as the score is linear.'));
    part.append(table('The first-order bound (kind: first_order)',
      ['model', 'budget', 'Pearson', 'Spearman', 'slope', 'violations', 'mean bound', 'mean change'],
      models.flatMap((m, i) => m.theory.map((t) => [modelName(i), budget(t.eps_px), shown(t.pearson), shown(t.spearman),
        shown(t.slope), `${shown(100 * t.violation_rate, 1)} %`, shown(t.score_change_bound_mean, 2), shown(t.change_mean, 2)]))));
    const budgets = [...new Set(models.flatMap((m) => m.theory.map((t) => t.eps_px)))];
    const middle = budgets.reduce((best, eps) => (Math.abs(eps * 255 - 1) < Math.abs(best * 255 - 1) ? eps : best), budgets[0]);
    part.append(make('div', {class: 'charts'}, models.flatMap((m, i) => m.theory.filter((t) => t.eps_px === middle).map((t) => {
      const end = Math.max(...t.points.map((p) => p.x));
      return chart(`${m.label} at ${budget(middle)}`, 'eps x gradient norm, points', '|change|, points',
        [{label: m.label, model: i, points: t.points.map((p) => [p.x, p.y])},
          {label: 'slope 1', line: true, points: [[0, 0], [end, end]]}]);
    }))));
  }

  function distributions() {
    if (models[0].attacks.length === 0) return;
    section('Distributions of scores', table('How far attacks move all scores together',
      ['attack', 'model', 'MSU absolute gain', 'MSU relative gain', 'Wasserstein, points ↓', 'energy distance ↓'],
      models[0].attacks.flatMap((attack, a) => models.map((m, i) => {
        const d = m.attacks[a].distribution;
        return [i === 0 ? attackName(attack) : '', make('td', {class: 'name'}, modelName(i)), shown(d.msu_absolute_gain),
          shown(d.msu_relative_gain), shown(d.wasserstein_points, 2), shown(d.energy_distance)];
      }))));
  }

  function picture(p) {
    const attack = models[p.model].attacks[p.attack];
    const words = `${p.image}, ${models[p.model].label}, ${attackName(attack)}`;
    const box = make('div', {class: 'compare'}, make('img', {src: p.clean, alt: `clean: ${words}`}),
      make('img', {src: p.attacked, alt: `attacked: ${words}`, class: 'over'}), make('span', {class: 'edge', 'aria-hidden': 'true'}));
    const slider = make('input', {type: 'range', min: '0', max: '100', value: '50', 'aria-label': `clean to the left, attacked to the right: ${words}`});
    slider.addEventListener('input', () => box.style.setProperty('--cut', `${slider.value}%`));
    return make('figure', {class: 'picture'},
      make('figcaption', {}, `${p.image}: ${shown(p.score, 1)} → ${shown(p.attacked_score, 1)} (MOS ${shown(p.mos, 1)})`),
      make('p', {class: 'muted'}, `${models[p.model].label}, ${attackName(attack)}`),
      make('div', {class: 'pair'}, make('div', {}, box, slider),
        make('div', {}, make('img', {src: p.perturbation, alt: `perturbation, ${p.amplification} times: ${words}`}),
          make('span', {class: 'muted'}, `perturbation × ${p.amplification}`)),
        make('div', {}, make('img', {src: p.sensitivity, alt: `sensitivity map of the whole image: ${words}`}),
          make('span', {class: 'muted'}, 'where the score is steep'))));
  }

  function pictures() {
    if (doc.pictures.length === 0) return;
    section('Worst images', make('p', {class: 'muted'}, 'For each model, attack and budget the image that moved most: its middle part at ' +
      'its own resolution. The slider uncovers the attacked image.'), make('div', {class: 'pictures'}, doc.pictures.map(picture)));
  }

  function masking() {
    const examined = models.map((m, i) => [m.masking, i]).filter(([report]) => report);
    if (examined.length === 0) return;
    const part = section('Masked gradients', make('p', {}, 'Robustness that comes from a useless gradient is none. Each check holds ' +
      'where gradients are honest; a failed one means that gradient attacks may flatter the model.'));
    for (const [report, i] of examined) {
      part.append(make('h3', {}, `${models[i].label}: ${report.clear ? 'nothing found' : 'suspicious'}`),
        table(`${report.images} images at ${budget(report.eps_px)}`, ['check', 'value', 'needed', 'verdict', 'meaning'],
          report.checks.map((check) => [check.name, shown(check.value),
            'at_least' in check ? `≥ ${check.at_least}` : `≤ ${check.at_most}`,
            make('td', {class: check.holds ? 'good' : 'bad'}, check.holds ? 'holds' : 'FAILED'),
            make('td', {class: 'text'}, check.meaning)])));
    }
  }

  function everyImage() {
    const head = ['image', 'MOS', ...models.flatMap((m) => [`${m.label}: clean`, ...m.attacks.map((attack) => `${m.label}: ${attackName(attack)}`)])];
    const rows = doc.images.map((image) => [image.name, image.mos, ...image.scores.flatMap((s) => [s.score, ...s.attacked])]);
    const place = make('div');
    let sorted = -1;
    const fill = (column) => {
      const falling = column === sorted ? -1 : 1;
      sorted = falling === 1 ? column : -1;
      rows.sort((a, b) => falling * (column === 0 ? String(a[0]).localeCompare(String(b[0])) : (a[column] ?? -1e9) - (b[column] ?? -1e9)));
      const buttons = head.map((text, i) => {
        const button = make('button', {type: 'button'}, text);
        button.addEventListener('click', () => fill(i));
        return button;
      });
      place.replaceChildren(table('Scores of every image; a column head sorts', buttons, rows.map((row) => row.map((v, i) => (i === 0 ? v : shown(v, 2))))));
    };
    const details = make('details', {}, make('summary', {}, `All ${rows.length} images`), place);
    details.addEventListener('toggle', () => { if (details.open && !place.hasChildNodes()) fill(0); });
    section('Every image', details);
  }

  function methods() {
    const {protocol} = doc;
    const terms = {
      'SROCC, PLCC, KROCC ↑': 'agreement of scores with the mean opinion score (MOS): rank (Spearman), linear (Pearson, no logistic), pairs (Kendall tau-b)',
      'R ↑': 'mean logarithm of the largest possible change over the change (Zhang et al. 2022); natural logarithm',
      'change / spread ↓': 'mean |score change| over the standard deviation of clean scores: 1 means scores move as far as images differ',
      'gradient l1 norm ↓': 'points per unit of l-infinity, pixels in [0,1]',
      'raw, uncalibrated': 'the network\'s own output mapped as its labels are; a model with a shrunken scale looks robust there',
    };
    section('Method', make('p', {}, protocol.about || 'No named protocol: attacks given by flags.'),
      protocol.unknowns.length ? make('div', {}, make('h3', {}, 'What is not known of the original'), make('ul', {}, protocol.unknowns.map((text) => make('li', {}, text)))) : null,
      make('dl', {}, Object.entries(terms).flatMap(([term, text]) => [make('dt', {}, term), make('dd', {}, text)])),
      table('Models', ['model', 'file', 'SHA-256', 'network', 'regulariser', 'lambda', 'preprocessing', 'calibration'],
        models.map((m, i) => [modelName(i), make('td', {class: 'text'}, m.path), m.sha256.slice(0, 16), m.name, m.regulariser, String(m.lambda),
          make('td', {class: 'text'}, m.crops), `${shown(m.calibration.slope)} · raw + ${shown(m.calibration.intercept, 2)}`])),
      make('details', {}, make('summary', {}, 'The protocol, resolved'), make('pre', {}, JSON.stringify(protocol.document, null, 1))));
    document.getElementById('footer').textContent =
      `Protocol digest ${protocol.digest} · data digest ${doc.data.digest} · bootstrap: ${doc.bootstrap.resamples} resamples, seed ${doc.bootstrap.seed}`;
  }

  // ---- theme ----
  const button = document.getElementById('theme');
  function setTheme(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.setAttribute('aria-pressed', String(dark));
    drawAll();
  }
  const system = matchMedia('(prefers-color-scheme: dark)');
  button.addEventListener('click', () => setTheme(document.documentElement.dataset.theme !== 'dark'));
  system.addEventListener('change', () => setTheme(system.matches));

  [facts, verdict, comparison, curves, scatter, theory, distributions, pictures, masking, everyImage, methods].forEach((part) => part());
  setTheme(system.matches);
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth !== width) {
      width = innerWidth;
      drawAll();
    }
  });
  addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
})();
