// Runs test files on the Node that runs this; test/run.mjs starts it. What passes is only counted: the output is the failures,
// with what their files printed.
//
//   node test/run-on-node.mjs REPORT FILES-AT-ONCE HANGS-AFTER-MS FILE...
import { createWriteStream } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { junit } from 'node:test/reporters';
import { inspect } from 'node:util';

const [report, atOnce, hangsAfterMs, ...files] = process.argv.slice(2);
/** Of what a file prints, this much is kept for the case that it fails. */
const keptCharacters = 20_000;

const printed = new Map();
const failed = new Set();
const counts = { passed: 0, failed: 0, skipped: 0 };

const keep = ({ entryFile, file = entryFile, message }) => {
  if (file === undefined) return; // the totals
  const path = resolve(file);
  printed.set(path, ((printed.get(path) ?? '') + message).slice(-keptCharacters));
};

const shown = (path) => relative(process.cwd(), resolve(path));

/** `entryFile` is the file that was run, `file` the one where the test was written down; Node 22 knows the second only. */
function show({ name, file = '', entryFile = file, line = 0, details }) {
  failed.add(resolve(entryFile));
  const place = `${shown(file)}:${line}`;
  console.log(`\n(fail) ${name}\n       ${file === entryFile ? place : `${shown(entryFile)}, by ${place}`}`);
  // Node wraps what the test has thrown.
  const error = details.error?.cause ?? details.error;
  console.log(typeof error === 'string' ? error : inspect(error, { depth: 4, maxStringLength: 10_000 }));
}

/** Files under way. Node 24 waits for ever for one that leaves something open, whatever its limits are. */
const running = new Set();
const hung = new AbortController();
const watch = () =>
  setTimeout(() => {
    process.exitCode = 1;
    console.log(`\n(fail) nothing has happened for ${hangsAfterMs} ms in ${[...running].map(shown).join(', ')}`);
    hung.abort();
  }, Number(hangsAfterMs));
let watchdog = watch();
const alive = () => {
  clearTimeout(watchdog);
  watchdog = watch();
};

const events = run({
  signal: hung.signal,
  files,
  concurrency: Number(atOnce),
  timeout: Number(hangsAfterMs),
  execArgv: ['--no-warnings', `--test-timeout=${hangsAfterMs}`],
});
events.on('test:dequeue', ({ nesting, name }) => {
  alive();
  if (nesting === 0 && files.some((file) => resolve(file) === resolve(name))) running.add(name);
});
events.on('test:complete', ({ name }) => {
  alive();
  running.delete(name);
});
events.on('test:stdout', keep);
events.on('test:stderr', keep);
// That something failed after its test had ended is told as a diagnosis.
events.on('test:diagnostic', (event) => keep({ ...event, message: `${event.message}\n` }));
events.on('test:pass', ({ skip, details }) => {
  if (details.type === 'suite') return;
  if (skip !== undefined && skip !== false) counts.skipped++;
  else counts.passed++;
});
events.on('test:fail', (event) => {
  process.exitCode = 1;
  // What has failed inside has been told.
  if (event.details.error?.failureType === 'subtestsFailed') return;
  counts.failed++;
  show(event);
});
events.on('end', () => {
  clearTimeout(watchdog);
  for (const path of failed) {
    const output = printed.get(path);
    if (output !== undefined) console.log(`\n--- ${shown(path)} printed\n${output.trimEnd()}\n---`);
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${files.length} files`);
});
events.compose(junit).pipe(createWriteStream(report));
