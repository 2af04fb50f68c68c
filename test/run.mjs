#!/usr/bin/env node
// Runs the checks and the whole suite on every runtime that is installed. Plain JavaScript: Node 20 can start it.
//
//   node test/run.mjs [--only check|bun|deno|node|node22]... [FILE...]
//
// SLUICE_REQUIRE   comma list of peers (envoy, redis-server, h2spec, interop, ...) whose absence is a failure; `all`
// SLUICE_NODE22    path of a Node 22.18 or newer 22.x: the suite runs there too
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
// biome-ignore lint/correctness/useImportExtensions: it takes the types beside it for the module
import { findBinary } from '../bin/runtimes.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(join(tmpdir(), 'sluice-test-'));
const only = [];
const named = [];
for (let i = 2; i < process.argv.length; i++) {
  if (process.argv[i] === '--only') only.push(process.argv[++i]);
  else named.push(process.argv[i]);
}
const wants = (step) => only.length === 0 || only.includes(step);
const bin = (name) => join(root, 'node_modules', '.bin', name);
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const skips = new Map();

/** Runs a command. Of what it prints, the lines that `isNews` are shown; without it all. */
function run(command, args, extraEnv = {}, isNews = null) {
  return new Promise((done) => {
    const stdio = ['inherit', isNews === null ? 'inherit' : 'pipe', 'inherit'];
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...extraEnv } });
    if (isNews !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (isNews(line)) console.log(line);
      });
    }
    child.on('error', (error) => done({ code: 127, error }));
    child.on('close', (code, signal) => done({ code: code ?? 1, signal }));
  });
}

async function check(title, command, args) {
  console.log(`\n=== ${title}`);
  const { code, error } = await run(command, args);
  if (code === 0) totals.passed++;
  else {
    totals.failed++;
    failures.push(`check: ${title}${error ? ` (${error.message})` : ''}`);
  }
}

/**
 * Those that take the longest, mostly by waiting: they begin first, and so none is left to be waited for at the end. The
 * slowest on Bun are printed.
 */
const longestFirst = [
  'certs/acme/pebble-gateway',
  'ratelimit-service/differential/differential',
  'ratelimit-service/quota/proxies',
  'extensions/http/rate-limit-quota/beside-envoy',
  'ratelimit-service/store/redis-cluster',
  'ratelimit-service/store/redis-sentinel',
  'ratelimit-service/quota/restart',
  'ratelimit-service/config/mutated-files',
  'ratelimit-service/service/redis-trouble',
  'integration/conformance',
  'integration/rotation-files',
  'integration/tls-facts',
  'integration/tls-failures',
  'ratelimit-service/admin/shared-notes',
  'ratelimit-service/store/redis-trouble',
  'integration/sds-go-control-plane',
  'integration/rotation-sds',
  'transport/secrets/files',
  'ratelimit-service/tracing/tracing',
  'deploy/front-proxy',
  'ratelimit-service/xds/transport',
].map((name) => `test/${name}.test.ts`);

/** Test files, relative to the root: the longest, then the others by name. */
function testFiles() {
  if (named.length > 0) return named.map((file) => relative(root, join(process.cwd(), file)));
  const files = [];
  (function walk(folder) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith('.test.ts')) files.push(relative(root, path));
    }
  })(join(root, 'test'));
  const sorted = files.sort();
  return [
    ...longestFirst.filter((file) => files.includes(file)),
    ...sorted.filter((file) => !longestFirst.includes(file)),
  ];
}

const unescapeXml = (text) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');

/** Adds the cases of a JUnit file to the totals; false when the file is missing or empty. */
function readReport(runtime, file) {
  const xml = existsSync(file) ? readFileSync(file, 'utf8') : '';
  let cases = 0;
  const seconds = new Map();
  for (const match of xml.matchAll(/<testcase((?:\s+[\w-]+="[^"]*")*)\s*(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    cases++;
    const attribute = (key) => unescapeXml(new RegExp(`\\b${key}="([^"]*)"`).exec(match[1])?.[1] ?? '');
    const name = attribute('name') || '?';
    const body = match[3] ?? '';
    // Deno tells the file as the class, and of what is inside of something else not at all.
    const said = attribute('file') || attribute('classname');
    const path = said.endsWith('.test.ts') ? relative(root, resolve(root, said)) : '';
    seconds.set(path, (seconds.get(path) ?? 0) + Number(attribute('time')));
    if (/<(failure|error)\b/.test(body)) {
      totals.failed++;
      failures.push(`${runtime}: ${path}${path === '' ? '' : ': '}${name}`);
    } else if (/<skipped\b/.test(body)) {
      totals.skipped++;
      skips.set(name, [...(skips.get(name) ?? []), runtime]);
    } else totals.passed++;
  }
  seconds.delete('');
  // Node says where a test was written down, which may be a helper of many files.
  if (runtime !== 'bun') return cases > 0;
  const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, 5);
  console.log(`Slowest: ${slowest.map(([path, time]) => `${time.toFixed(1)} s ${path}`).join(', ')}`);
  return cases > 0;
}

async function suite(runtime, command, args, report, { env = {}, isNews = null } = {}) {
  console.log(`\n=== tests on ${runtime}`);
  const before = totals.failed;
  const began = Date.now();
  const { code, signal, error } = await run(command, args, { NODE_COMPILE_CACHE: nodeCache, ...env }, isNews);
  const reported = readReport(runtime, report);
  if (!reported || (code !== 0 && totals.failed === before)) {
    totals.failed++;
    failures.push(`${runtime}: the run ended with ${signal ?? `code ${code}`}${error ? ` (${error.message})` : ''}`);
  }
  console.log(`${runtime}: ${Math.round((Date.now() - began) / 1000)} s`);
}

function missing(runtime) {
  totals.failed++;
  failures.push(`${runtime} is not installed: run npm ci`);
}

/** More than there are cores: much of the time goes into waiting for peers. Not many more: what is late is wrong in some tests. */
const filesAtOnce = Math.min(availableParallelism() + 1, 8);
/** Of the plain ones, in one process of Node. */
const filesTogether = 20;
/** Node compiles the same files for every test and every process of a test: what it makes of them is kept for the run. */
const nodeCache = process.env.NODE_COMPILE_CACHE ?? join(work, 'node-cache');
/** Milliseconds until a test, and on Node a whole file, is given up as one that hangs: far more than a slow machine needs. */
const hangsAfterMs = 300_000;
const files = testFiles();
/**
 * Long comparisons of decisions with other programs' and long waits for them: the second Node has nothing to add to what the
 * first one finds there, and does without.
 */
const decisionsBesideOthers =
  /\/(differential|acme)\/|\/(beside-envoy|redis-sentinel|redis-cluster|proxies|restart|mutated-files|tls-facts)\.test\.ts$/;
if (wants('check')) {
  await check('format and lint', bin('biome'), ['ci', '.']);
  const node = findBinary('node');
  if (node === null) missing('node 24');
  else await check('message types', node, ['gateway/proto/generate-types.mjs']);
  await check('types', bin('tsc'), ['-p', 'tsconfig.json']);
}
if (wants('bun')) {
  const bun = findBinary('bun');
  const report = join(work, 'bun.xml');
  // Bun takes files in an order of its own unless it knows how long each takes.
  const timings = join(work, 'timings.json');
  const order = Object.fromEntries(files.map((file, i) => [file, (files.length - i) * 1000]));
  writeFileSync(timings, JSON.stringify({ version: 1, files: order }));
  const args = [
    'test',
    '--timeout',
    String(hangsAfterMs),
    `--parallel=${filesAtOnce}`,
    '--only-failures',
    `--timings=${timings}`,
    '--reporter=junit',
    `--reporter-outfile=${report}`,
    ...files.map((f) => `./${f}`),
  ];
  if (bun === null) missing('bun');
  else await suite('bun', bun, args, report, { env: { SLUICE_TEST_RUNTIME: 'bun' } });
}
if (wants('deno')) {
  const deno = findBinary('deno');
  const report = join(work, 'deno.xml');
  if (deno === null) missing('deno');
  else {
    const options = ['-A', '--no-check', '--quiet', '--parallel', '--reporter=dot', `--junit-path=${report}`];
    const env = { DENO_JOBS: String(filesAtOnce) };
    // Each dot has a line of its own, in colour.
    const isNews = (line) => !/^[.,!]$/.test(stripVTControlCharacters(line));
    await suite('deno', deno, ['test', ...options, ...files], report, { env, isNews });
  }
}
/** Whether a file, and what it takes from the tests' folders, has nothing to do with sockets, files, processes or time. */
function isPlain(file) {
  const text = readFileSync(join(root, file), 'utf8');
  if (/from 'node:(?!assert|buffer|crypto|path|test|url|util)|peerTest/.test(text)) return false;
  for (const [, tests, near] of text.matchAll(/from '(?:#test\/([^']+)|(\.[^']+))'/g)) {
    const path = tests === undefined ? join(dirname(file), near) : join('test', tests);
    if (path.endsWith('.ts') && !isPlain(path)) return false;
  }
  return true;
}

/**
 * A process for each file costs Node more than most of them do: the plain ones share a few. Bun and Deno run every file by
 * itself, so that none comes to need another.
 */
function inCompany(name, files) {
  if (named.length > 0) return files;
  const plain = files.filter(isPlain);
  const parts = Array.from({ length: Math.ceil(plain.length / filesTogether) }, (_, i) => {
    const part = join(work, `${name}-plain-${i}.test.mjs`);
    const some = plain.slice(i * filesTogether, (i + 1) * filesTogether);
    writeFileSync(part, some.map((file) => `import '${pathToFileURL(join(root, file))}';\n`).join(''));
    return part;
  });
  return [...files.filter((file) => !plain.includes(file)), ...parts];
}

async function onNode(name, node, some) {
  const files = inCompany(name, some);
  const report = join(work, `${name}.xml`);
  const args = ['--no-warnings', 'test/run-on-node.mjs', report, String(filesAtOnce), String(hangsAfterMs), ...files];
  await suite(name, node, args, report);
}
if (wants('node')) {
  const node = findBinary('node');
  if (node === null) missing('node 24');
  else await onNode('node 24', node, files);
}
const node22 = process.env.SLUICE_NODE22;
if (node22 && wants('node22')) {
  await onNode('node 22', node22, named.length > 0 ? files : files.filter((file) => !decisionsBesideOthers.test(file)));
}

rmSync(work, { recursive: true, force: true });
if (skips.size > 0) {
  console.log('\nSkipped:');
  for (const [name, runtimes] of skips) console.log(`  ${name} (${runtimes.join(', ')})`);
}
if (failures.length > 0) {
  console.log('\nFailed:');
  for (const failure of failures) console.log(`  ${failure}`);
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 ? 1 : 0);
