// What t/console.t does in a browser. It is called with a JSON object of
// "page" (the console's URL) and credentials, and writes one JSON object a
// line: {ok, name, why}.
//
// NODE_PATH tells where playwright-core is; CONSOLE_SCREENSHOT, if it is set,
// where a screenshot goes.

'use strict';

const {chromium} = require('playwright-core');

const given = JSON.parse(process.argv[2]);

function ok(condition, name, why) {
  console.log(JSON.stringify({ok: !!condition, name,
    why: condition ? '' : String(why === undefined ? '' : why)}));
}

function is(got, expected, name) {
  ok(got === expected, name, `got "${got}", expected "${expected}"`);
}

// In the page: texts whose colours are too near to each other (WCAG 2, 1.4.3).
function faint() {
  const channel = (c) => c <= 0.03928 ? c / 12.92
    : Math.pow((c + 0.055) / 1.055, 2.4);
  const parse = (color) => {
    const n = color.match(/[\d.]+/g).map(Number);
    return {rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1};
  };
  const luminance = ({rgb}) => {
    const [r, g, b] = rgb.map((c) => channel(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.alpha) return color;
    }
    return parse('rgb(255, 255, 255)');
  };

  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const text = [...e.childNodes].some((n) =>
      n.nodeType === 3 && n.data.trim())
      || /^(INPUT|SELECT|TEXTAREA)$/.test(e.tagName);
    if (!text || !e.getClientRects().length || e.tagName === 'SCRIPT') {
      continue;
    }
    const a = luminance(parse(getComputedStyle(e).color));
    const b = luminance(back(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.tagName} ${ratio.toFixed(2)}`);
  }
  return found;
}

// page.waitForFunction() evaluates a string, which the page does not allow
async function until(page, condition) {
  for (let i = 0; i < 500; i++) {
    if (await page.evaluate(condition)) return;
    await new Promise((go) => setTimeout(go, 20));
  }
  throw new Error('waited in vain for ' + condition);
}

async function choose(page, client, upstream, operation) {
  await page.getByLabel('Client dialect').selectOption(client);
  await page.getByLabel('Upstream dialect').selectOption({label: upstream});
  await page.getByLabel('Operation').selectOption({label: operation});
}

async function explain(page) {
  await page.getByRole('button', {name: 'Explain'}).click();
  await until(page, () =>
    !document.getElementById('go').hasAttribute('aria-disabled'));
  return page.getByRole('status').textContent();
}

async function signIn(page, {user, secret}) {
  const box = page.locator('#user');
  if (await box.isVisible()) await box.fill(user);
  await page.locator('#secret').fill(secret);
}

async function main() {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage({viewport: {width: 1280, height: 900}});

  const complaints = [];
  const elsewhere = [];
  page.on('console', (m) => {
    // that it was not answered with 200 is said to the user
    if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) {
      complaints.push(m.text());
    }
  });
  page.on('pageerror', (e) => complaints.push(String(e)));
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== new URL(given.page).origin) {
      elsewhere.push(r.url());
    }
  });

  await page.goto(given.page);
  await page.waitForSelector('#all:not([hidden])');

  // what can be heard

  is(await page.locator('h1').count(), 1, 'one main heading');
  is(await page.locator('main').count(), 1, 'one main landmark');
  is(await page.getAttribute('html', 'lang'), 'en', 'a language');
  const unnamed = await page.$$eval('input, select, textarea, button',
    (all) => all.filter((e) => !(e.labels && e.labels.length)
      && !e.getAttribute('aria-label') && !e.textContent.trim())
      .map((e) => e.id));
  is(unnamed.join(), '', 'each control has a label');
  is(await page.getAttribute('#status', 'aria-live'), 'polite',
    'what changes is said');
  const levels = await page.$$eval('h1, h2, h3, h4',
    (all) => all.map((e) => Number(e.tagName[1])));
  ok(levels.every((n, i) => i === 0 || n <= levels[i - 1] + 1),
    'headings in order', levels);

  // a translation

  await choose(page, 'signalwire', 'vinyldns', 'group.create');
  is(await page.inputValue('#method'), 'POST', 'the method is there');
  is(await page.inputValue('#path'), '/sw.vd/number_groups',
    'so is the path');
  is(JSON.parse(await page.inputValue('#body')).name, 'sales',
    'and an example of a body');
  ok(/^Supported; needs the scope numbers$/.test(
    await page.textContent('#support')), 'and what it needs');

  is(await explain(page), 'No explanation: status 401, the client is not '
    + 'signed in', 'a stranger is told nothing');

  await signIn(page, given.signalwire);
  is(await explain(page), 'Done: 1 upstream call, answered with 200',
    'it is explained');

  const told = page.locator('#told');
  ok(/sticky_sender/.test(await told.locator('tr',
    {hasText: 'Lost'}).first().textContent()), 'what is lost');
  ok(/email by group_default/.test(await told.locator('tr',
    {hasText: 'Filled'}).first().textContent()), 'what is filled');
  const body = JSON.parse(await page.getByLabel('Call 1, body')
    .textContent());
  is(body.email, 'voice-ops@test.com', 'the body of the call');
  is(JSON.parse(await page.getByLabel('Canonical, after hooks')
    .textContent()).name, 'sales-eu', 'the canonical form after the hooks');
  const hooks = await page.locator('#hooks tbody tr').allTextContents();
  ok(/^name\.luachanged: name\d+$/.test(hooks[0]), 'the hook\'s verdict',
    hooks);

  const boxes = await Promise.all(['Canonical form', 'Upstream calls']
    .map((name) => told.locator('section', {hasText: name}).first()
      .boundingBox()));
  ok(Math.abs(boxes[0].y - boxes[1].y) < 2 && boxes[1].x > boxes[0].x,
    'both side by side', JSON.stringify(boxes));

  if (process.env.CONSOLE_SCREENSHOT) {
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({path: process.env.CONSOLE_SCREENSHOT});
  }

  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme});
    is((await page.evaluate(faint)).join(', '), '',
      `texts can be read in ${colorScheme}`);
  }
  await page.emulateMedia({colorScheme: 'light'});

  // refusals

  await page.fill('#body', '{"sticky_sender": "perhaps"}');
  is(await explain(page), 'Refused with 422 (invalid) at validate',
    'a refusal is one in words, too');
  ok((await page.getByLabel('Answer to the client').textContent())
    .includes('missing_required_parameter'), 'as the client would see it');

  // the keyboard alone

  await page.fill('#body', '{"name": "by-keyboard"}');
  await page.focus('#body');
  await page.keyboard.press('Control+Enter');
  await until(page, () =>
    document.getElementById('told').textContent.includes('by-keyboard'));
  ok(true, 'control and enter in the body');

  await page.goto(given.page);
  await page.waitForSelector('#all:not([hidden])');

  const visited = [];
  let visible = true;
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const [id, outline] = await page.evaluate(() => {
      const e = document.activeElement;
      return [e.id || e.className, getComputedStyle(e).outlineStyle];
    });
    visited.push(id);
    visible = visible && outline !== 'none';
    if (id === 'go') break;
  }
  is(visited.join(' '), 'skip client upstream operation method path headers '
    + 'body user secret go', 'the keyboard reaches all, in order');
  ok(visible, 'and shows where it is');
  await page.keyboard.press('Enter');
  await until(page, () => /401/.test(
    document.getElementById('status').textContent));
  is(await page.evaluate(() => document.activeElement.id), 'go',
    'which stays there');

  // other ways to sign in, and other bodies

  await choose(page, 'vinyldns', 'portsip', 'group.create');
  await signIn(page, given.vinyldns);
  is(await explain(page), 'Done: 2 upstream calls, answered with 200',
    'a signature made in the page');
  ok((await told.textContent()).includes('Depends on the answer of call 1'),
    'what depends is marked in words');
  await page.fill('#path', await page.inputValue('#path') + '?a=b%20c&a=1+2');
  is(await explain(page), 'Done: 2 upstream calls, answered with 200',
    'also of a query');

  await choose(page, 'faxfinder', 'signalwire', 'group.create');
  await signIn(page, given.faxfinder);
  ok(/^Done: /.test(await explain(page)), 'a body in XML',
    await page.textContent('#status'));

  await choose(page, 'portsip', 'faxfinder', 'group.get');
  await signIn(page, given.portsip);
  is(await explain(page), 'Done: 1 upstream call, answered with 200',
    'a bearer token, and no body');
  ok((await page.getByLabel('Call 1, headers').textContent())
    .includes('Authorization: ***'), 'secrets are masked');

  // a location that has not the base path that it should have

  await choose(page, 'signalwire', 'signalwire', 'group.create');
  await signIn(page, given.signalwire);
  is(await page.inputValue('#path'), '/api/relay/rest/number_groups',
    'the path leads elsewhere');
  ok(/^No explanation: this path is not one of a location with group_explain/
    .test(await explain(page)), 'which is noticed in time',
  await page.textContent('#status'));

  // what is not supported, in the matrix and beside the choice

  const cell = page.locator('#table tr', {hasText: 'group.get'})
    .locator('td', {hasText: 'does not tell "email"'});
  ok(/^no: /.test(await cell.first().textContent()), 'no is a word');
  await choose(page, 'vinyldns', 'signalwire', 'group.get (not supported)');
  ok(/^Not supported: the upstream API/.test(
    await page.textContent('#support')), 'and has a reason');

  // a phone

  await page.setViewportSize({width: 360, height: 740});
  await choose(page, 'signalwire', 'vinyldns', 'group.create');
  await signIn(page, given.signalwire);
  await explain(page);
  const width = await page.evaluate(() =>
    document.documentElement.scrollWidth);
  ok(width <= 360, 'it is no wider than a phone', width);
  const button = await page.locator('#go').boundingBox();
  ok(button.height >= 44, 'the button can be hit', button.height);

  // nothing stays

  is(await page.evaluate(() => localStorage.length + sessionStorage.length
    + document.cookie.length), 0, 'nothing is stored');
  is(elsewhere.join(), '', 'nobody else is asked');
  is(complaints.join('; '), '', 'the browser does not complain');

  await browser.close();
}

main().catch((error) => {
  ok(false, 'the browser came to the end', error.stack || error);
  process.exit(1);
});
