#!/usr/bin/env node
// Starts a TypeScript file of this project on a runtime: `node bin/launch.mjs FILE [ARGS...]`. Plain JavaScript without
// dependencies: Node 20 runs it.
//
// SLUICE_RUNTIME   bun, deno or node; without it the first of these that is installed
//
// Relative paths mean what they mean to the caller: npm changes the directory to the project's own and tells the caller's
// in INIT_CWD. Signals are passed on, and the exit code is the program's.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
// biome-ignore lint/correctness/useImportExtensions: a JavaScript module with its types beside it
import { findBinary, runArguments } from './runtimes.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const names = ['bun', 'deno', 'node'];
const passedOn = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'];

/** The runtime to use, as [name, binary]; ends the process with a clear word when there is none. */
function chooseRuntime() {
  const asked = process.env.SLUICE_RUNTIME;
  if (asked !== undefined && asked !== '') {
    if (!names.includes(asked)) fail(`SLUICE_RUNTIME=${asked}: it must be one of ${names.join(', ')}`);
    const binary = findBinary(asked);
    if (binary === null) fail(`SLUICE_RUNTIME=${asked}, but ${missing(asked)}`);
    return [asked, binary];
  }
  for (const name of names) {
    const binary = findBinary(name);
    if (binary !== null) return [name, binary];
  }
  return fail(`no runtime found:\n${names.map((name) => `  ${missing(name)}`).join('\n')}\nRun npm ci in ${root}.`);
}

function missing(name) {
  const platform = `${process.platform}-${process.arch}`;
  if (name === 'bun')
    return `bun: no package @oven/bun-${platform} in node_modules (npm ci --include=optional installs it)`;
  if (name === 'deno') return `deno: no package @deno/${platform} in node_modules (it is a development dependency)`;
  return `node: this is ${process.version}, and TypeScript needs 22.18 or newer`;
}

function fail(text) {
  process.stderr.write(`sluice: ${text}\n`);
  process.exit(1);
}

/** Runs `file` (relative to the project) with `args`. */
export function launch(file, args) {
  const [name, binary] = chooseRuntime();
  const child = spawn(binary, runArguments(name, join(root, file), args), {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    stdio: 'inherit',
  });
  for (const signal of passedOn) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${binary}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // Ends as the program did, so that shells and supervisors see the signal.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) fail('usage: node bin/launch.mjs FILE [ARGS...]');
  launch(file, args);
}
