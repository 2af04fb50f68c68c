import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InitTarget } from '#gateway/api/context.ts';
import { Logger } from '#gateway/base/log.ts';
import { InitManager } from '#gateway/server/init-manager.ts';

class Target implements InitTarget {
  readonly name: string;
  started = false;
  done: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  start(done: () => void): void {
    this.started = true;
    this.done = done;
  }
}

const manager = (): InitManager => new InitManager(new Logger('init', { write() {} }, 'debug'));

test('clusters first, then listeners, then ready; each once', () => {
  const init = manager();
  const [dns, secret, late] = [new Target('dns'), new Target('secret'), new Target('late')];
  const steps: string[] = [];
  init.add(dns);
  init.clustersConfigured();
  init.add(secret);
  init.start(
    () => steps.push('clusters'),
    () => steps.push('ready'),
  );
  assert.deepEqual([dns.started, secret.started], [true, false]);
  assert.deepEqual(init.unready, ['dns', 'secret']);
  dns.done();
  dns.done();
  assert.deepEqual(steps, ['clusters']);
  assert.equal(secret.started, true);
  init.add(late);
  assert.equal(late.started, true);
  assert.deepEqual(init.unready, ['secret']);
  secret.done();
  assert.deepEqual(steps, ['clusters', 'ready']);
});

test('nothing to wait for: ready at once', () => {
  const steps: string[] = [];
  manager().start(
    () => steps.push('clusters'),
    () => steps.push('ready'),
  );
  assert.deepEqual(steps, ['clusters', 'ready']);
});
