#!/usr/bin/env node
// Runs the checks and the whole suite on every runtime that is installed. Plain JavaScript: Node 20 can start it.
//
//   node test/run.mjs [--only check|bun|deno|node|node22]... [FILE...]
//
// SLUICE_REQUIRE   comma list of peers (envoy, redis-server, h2spec, interop, ...) whose absence is a failure; `all`
// SLUICE_NODE22    path of a Node 22.18 or newer 22.x: the suite runs there too
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
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

function run(command, args, extraEnv = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...extraEnv } });
    child.on('error', (error) => resolve({ code: 127, error }));
    child.on('exit', (code, signal) => resolve({ code: code ?? 1, signal }));
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

/** Test files, relative to the root, in a stable order. */
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
  return files.sort();
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
  for (const match of xml.matchAll(/<testcase((?:\s+[\w-]+="[^"]*")*)\s*(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    cases++;
    const name = unescapeXml(/\bname="([^"]*)"/.exec(match[1])?.[1] ?? '?');
    const body = match[3] ?? '';
    if (/<(failure|error)\b/.test(body)) {
      totals.failed++;
      failures.push(`${runtime}: ${name}`);
    } else if (/<skipped\b/.test(body)) {
      totals.skipped++;
      skips.set(name, [...(skips.get(name) ?? []), runtime]);
    } else totals.passed++;
  }
  return cases > 0;
}

async function suite(runtime, command, args, report, extraEnv) {
  console.log(`\n=== tests on ${runtime}`);
  const before = totals.failed;
  const { code, signal, error } = await run(command, args, extraEnv);
  const reported = readReport(runtime, report);
  if (!reported || (code !== 0 && totals.failed === before)) {
    totals.failed++;
    failures.push(`${runtime}: the run ended with ${signal ?? `code ${code}`}${error ? ` (${error.message})` : ''}`);
  }
}

function missing(runtime) {
  totals.failed++;
  failures.push(`${runtime} is not installed: run npm ci`);
}

/** Much of the time goes into waiting for peers. */
const filesAtOnce = 2;
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
  const args = [
    'test',
    '--timeout',
    String(hangsAfterMs),
    `--parallel=${filesAtOnce}`,
    '--reporter=junit',
    `--reporter-outfile=${report}`,
    ...files.map((f) => `./${f}`),
  ];
  if (bun === null) missing('bun');
  else await suite('bun', bun, args, report, { SLUICE_TEST_RUNTIME: 'bun' });
}
if (wants('deno')) {
  const deno = findBinary('deno');
  const report = join(work, 'deno.xml');
  if (deno === null) missing('deno');
  else {
    const args = ['test', '-A', '--no-check', '--quiet', '--parallel', `--junit-path=${report}`, ...files];
    await suite('deno', deno, args, report, { DENO_JOBS: String(filesAtOnce) });
  }
}
async function onNode(name, node, files) {
  const report = join(work, `${name}.xml`);
  const reporters = [
    '--test-reporter=dot',
    '--test-reporter-destination=stdout',
    '--test-reporter=junit',
    `--test-reporter-destination=${report}`,
  ];
  await suite(
    name,
    node,
    [
      '--no-warnings',
      '--test',
      `--test-concurrency=${filesAtOnce}`,
      `--test-timeout=${hangsAfterMs}`,
      ...reporters,
      ...files,
    ],
    report,
  );
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
