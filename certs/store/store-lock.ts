import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { hostName, processId } from '#gateway/runtime/process.ts';
import { CertificateError } from '../ca/issued-certificate.ts';

/** Between two tries, milliseconds. What is done under the lock takes a few milliseconds. */
const retryMs = 10;
/** A lock that one holder keeps for so many tries was left behind: by a process of another machine or container. */
const staleTries = 500;
/** Tries in all, with others taking turns. */
const maxTries = 1500;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Runs `body` while no other process does so for the same directory. It must be short: it holds up the whole process. */
export function withStoreLock<T>(directory: string, body: () => T): T {
  const path = join(directory, 'lock');
  acquire(path);
  try {
    return body();
  } finally {
    rmSync(path, { force: true });
  }
}

function acquire(path: string): void {
  let seen = '';
  let tries = 0;
  for (let i = 0; i < maxTries; i++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, `${processId()} ${hostName()}\n`);
      closeSync(file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = identify(path);
    tries = holder === seen ? tries + 1 : 0;
    seen = holder;
    if (holder !== '' && (tries >= staleTries || isDead(path))) breakLock(path, holder);
    else Atomics.wait(sleeper, 0, 0, retryMs);
  }
  throw new CertificateError(`${path} is held by another process (${readHolder(path)})`);
}

/** Tells one holding of the lock from the next. */
function identify(path: string): string {
  try {
    const { ino, mtimeMs } = statSync(path);
    return `${ino} ${mtimeMs}`;
  } catch {
    return '';
  }
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function isDead(path: string): boolean {
  const [pid, host] = readHolder(path).split(' ');
  if (host !== hostName() || !/^[0-9]+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Takes the lock of `holder` away. Moved first and looked at again: somebody else may have broken and taken it meanwhile. */
function breakLock(path: string, holder: string): void {
  const aside = `${path}.${processId()}`;
  try {
    renameSync(path, aside);
    if (identify(aside) === holder) rmSync(aside, { force: true });
    else renameSync(aside, path);
  } catch {
    // it is gone: the next try takes it
  }
}
