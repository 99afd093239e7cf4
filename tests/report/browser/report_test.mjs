// Opens a report page in headless Chromium and tries what a reader does.
// usage: node report_test.mjs NODE_MODULES REPORT.html [SCREENSHOT_FOLDER]
// Exit status 0 when all holds, 77 where no browser starts.
import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [modules, file, screenshots] = process.argv.slice(2);
const {chromium} = createRequire(join(resolve(modules), '.'))('playwright-core');
const url = pathToFileURL(resolve(file)).href;
const profile = mkdtempSync(join(tmpdir(), 'report-test-'));
const options = {
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
};

/** The page at a width and theme, with everything it asks and complains of. */
async function open(context, width, scheme) {
  const page = await context.newPage();
  const requests = [];
  const errors = [];
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) requests.push(request.url());
  });
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.setViewportSize({width, height: 900});
  await page.emulateMedia({colorScheme: scheme});
  const start = Date.now();
  await page.goto(url, {waitUntil: 'load'});
  return {page, requests, errors, milliseconds: Date.now() - start};
}

/** Contrast of text against the nearest opaque ground, WCAG 2. */
const contrasts = () => {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => {
    const c = v / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return ['p', '.muted', 'th', 'td', 'td small', 'button', 'summary', '.good', '.bad', 'caption', 'dd'].flatMap((selector) => {
    const element = [...document.querySelectorAll(selector)].find((e) => e.offsetParent !== null && e.textContent.trim());
    if (!element) return [];
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))].sort((x, y) => y - x);
    return [[selector, (a + 0.05) / (b + 0.05)]];
  });
};

let browser;
try {
  browser = await chromium.launchPersistentContext(profile, options);
} catch (error) {
  console.log(`the browser does not start here: ${error}`);
  rmSync(profile, {recursive: true, force: true});
  process.exit(77);
}
try {
  for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [400, 'light'], [400, 'dark']]) {
    const where = `${width} px, ${scheme}`;
    const {page, requests, errors, milliseconds} = await open(browser, width, scheme);
    assert.deepEqual(requests, [url], `${where}: asks for nothing but itself`);
    assert.ok(milliseconds < 1000 || process.env.STEADYIQA_SLOW_MACHINE, `${where}: opens in under a second (${milliseconds} ms)`);
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    assert.equal(await theme(), scheme, `${where}: follows the system's theme`);
    for (const [selector, ratio] of await page.evaluate(contrasts)) {
      assert.ok(ratio >= 4.5, `${where}: contrast of ${selector} is ${ratio.toFixed(2)}`);
    }
    if (screenshots) await page.screenshot({path: join(screenshots, `report-${width}-${scheme}.png`), fullPage: true});
    await page.click('#theme');
    assert.notEqual(await theme(), scheme, `${where}: the button changes the theme`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${where}: ${overflow} px too wide`);
    const levels = await page.evaluate(() => [...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1])));
    assert.equal(levels[0], 1);
    levels.slice(1).forEach((level, i) => assert.ok(level >= 2 && level - levels[i] <= 1, `${where}: headings go down in steps`));
    const bare = await page.evaluate(() => [...document.images].filter((image) => !image.alt).length);
    assert.equal(bare, 0, `${where}: every image has a text`);
    const [charts, tables] = await page.evaluate(() => [document.querySelectorAll('canvas').length,
      [...document.querySelectorAll('figure')].filter((f) => f.querySelector('canvas') && f.querySelector('table')).length]);
    assert.ok(charts > 0, `${where}: has charts`);
    assert.equal(tables, charts, `${where}: every chart has its table`);
    const slider = page.locator('input[type=range]').first();
    const cut = () => page.evaluate(() => document.querySelector('.compare').style.getPropertyValue('--cut'));
    await slider.focus();
    await page.keyboard.press('End');
    assert.equal(await cut(), '100%', `${where}: the slider follows the keyboard`);
    await slider.fill('20');
    assert.equal(await cut(), '20%', `${where}: and the mouse`);
    await page.locator('summary', {hasText: 'images'}).last().click();
    const first = () => page.evaluate(() => document.querySelector('section:has(#every-image) tbody th').textContent);
    await page.locator('section:has(#every-image) thead button').first().click();
    const falling = await first();
    await page.locator('section:has(#every-image) thead button').first().click();
    assert.notEqual(await first(), falling, `${where}: a column head sorts`);
    assert.deepEqual(errors, [], `${where}: no errors`);
    await page.close();
  }
  console.log('report page: all checks hold');
} finally {
  await browser.close();
  rmSync(profile, {recursive: true, force: true});
}
