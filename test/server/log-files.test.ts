import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LogRegistry } from '#gateway/base/log.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { ServerLogFiles } from '#gateway/server/log-files.ts';
import { StatsStore } from '#gateway/stats/store.ts';

/** Timers that go off when the test says so. */
class ManualTimers implements Timers {
  readonly armed = new Set<() => void>();

  create(target: TimerTarget): Timer {
    const { armed } = this;
    const timer: Timer = {
      enable: () => armed.add(fire),
      disable: () => armed.delete(fire),
      get enabled(): boolean {
        return armed.has(fire);
      },
    };
    const fire = (): void => {
      armed.delete(fire);
      target.onTimer(timer);
    };
    return timer;
  }

  fireAll(): void {
    for (const fire of [...this.armed]) fire();
  }
}

const quiet = new LogRegistry({ write: () => {} }, 'off').get('file');

function setup(minOctets: number): { files: ServerLogFiles; timers: ManualTimers; store: StatsStore; dir: string } {
  const timers = new ManualTimers();
  const store = new StatsStore();
  const files = new ServerLogFiles(store.root, { intervalMs: 100, minOctets }, timers, quiet);
  return { files, timers, store, dir: mkdtempSync(join(tmpdir(), 'sluice-log-')) };
}

const drained = (files: ServerLogFiles): Promise<void> => new Promise((resolve) => files.drain(resolve));

describe('log files', () => {
  test('lines wait for the interval and go out in order, in one write', async () => {
    const { files, timers, store, dir } = setup(1_000_000);
    const path = join(dir, 'a.log');
    const log = files.open(path);
    for (let i = 0; i < 100; i++) log.write(`line ${i}\n`);
    assert.equal(readFileSync(path, 'utf8'), '');
    assert.equal(store.root.gauge('filesystem.write_total_buffered').value, 790);
    timers.fireAll();
    await drained(files);
    assert.equal(readFileSync(path, 'utf8'), Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(''));
    assert.equal(store.root.counter('filesystem.write_completed').value, 1);
    assert.equal(store.root.gauge('filesystem.write_total_buffered').value, 0);
    rmSync(dir, { recursive: true });
  });

  test('enough octets do not wait', async () => {
    const { files, timers, dir } = setup(10);
    const path = join(dir, 'a.log');
    files.open(path).write('0123456789');
    assert.equal(timers.armed.size, 0);
    await drained(files);
    assert.equal(readFileSync(path, 'utf8'), '0123456789');
    rmSync(dir, { recursive: true });
  });

  test('header octets come out as they came in', async () => {
    const { files, dir } = setup(1);
    const path = join(dir, 'a.log');
    files.open(path).write('caf\u00c3\u00a9 \u00ff\n');
    await drained(files);
    assert.deepEqual([...readFileSync(path)], [...Buffer.from('café '), 0xff, 0x0a]);
    rmSync(dir, { recursive: true });
  });

  test('a path is opened once; reopening follows a rename', async () => {
    const { files, dir } = setup(1);
    const path = join(dir, 'a.log');
    assert.equal(files.open(path), files.open(path));
    files.open(path).write('before\n');
    await drained(files);
    renameSync(path, `${path}.1`);
    files.reopen();
    files.open(path).write('after\n');
    await drained(files);
    assert.deepEqual([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')], ['before\n', 'after\n']);
    rmSync(dir, { recursive: true });
  });

  test('what waits is bounded: lines beyond are dropped and counted', async () => {
    const { files, store, dir } = setup(1_000_000_000);
    const log = files.open(join(dir, 'a.log'));
    const megabyte = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 20; i++) log.write(megabyte);
    assert.equal(store.root.counter('filesystem.write_buffered').value, 16);
    assert.equal(store.root.counter('filesystem.write_failed').value, 4);
    await drained(files);
    rmSync(dir, { recursive: true });
  });

  test('a path that cannot be opened throws', () => {
    const { files, dir } = setup(1);
    assert.throws(() => files.open(join(dir, 'none', 'a.log')), /ENOENT|os error 2/);
    rmSync(dir, { recursive: true });
  });
});
