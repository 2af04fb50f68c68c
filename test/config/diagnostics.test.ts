import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, Diagnostics, describeProblem, formatDiagnostic, joinPath } from '#gateway/config/diagnostics.ts';

describe('diagnostics', () => {
  test('children add to the same list, below their own path', () => {
    const root = new Diagnostics();
    const route = root.at('listeners[0]').at('[1]').at('route');
    route.error('cluster', 'unknown cluster "a"', 'b');
    route.warning('', 'odd');
    assert.deepEqual(root.all.map(formatDiagnostic), [
      'error: listeners[0][1].route.cluster: unknown cluster "a"; did you mean b?',
      'warning: listeners[0][1].route: odd',
    ]);
    assert.equal(root.failed, true);
    assert.equal(root.errors.length, 1);
  });

  test('the same finding is kept once', () => {
    const root = new Diagnostics();
    root.error('a', 'x');
    root.at('a').error('', 'x');
    root.warning('a', 'x');
    assert.equal(root.all.length, 2);
  });

  test('a thrown ConfigError is noted, other errors go on', () => {
    const root = new Diagnostics().at('a');
    const answer = root.try(() => {
      throw new ConfigError('b', 'bad', 'good');
    });
    assert.equal(answer, undefined);
    assert.equal(
      root.try(() => 5),
      5,
    );
    assert.equal(root.errors[0]?.path, 'a.b');
    assert.throws(() => root.try(() => assert.fail('mine')), /mine/);
  });

  test('throwIfFailed names every error', () => {
    const root = new Diagnostics();
    root.throwIfFailed();
    root.error('a', 'x');
    assert.throws(() => root.throwIfFailed(), new ConfigError('a', 'x'));
    root.error('b', 'y', 'z');
    assert.throws(() => root.throwIfFailed(), /2 problems:\n {2}a: x\n {2}b: y; did you mean z\?/);
  });

  test('places come from the text when it is known', () => {
    const positions = { file: 'edge.yaml', find: () => ({ line: 3, column: 7 }) };
    const root = new Diagnostics(positions);
    root.error('a', 'x');
    assert.equal(formatDiagnostic(root.all[0]!), 'edge.yaml:3:7: error: a: x');
  });

  test('paths are joined as they are written', () => {
    assert.equal(joinPath('', 'a'), 'a');
    assert.equal(joinPath('a', ''), 'a');
    assert.equal(joinPath('a', '["b.c"]'), 'a["b.c"]');
    assert.equal(joinPath('a', 'b'), 'a.b');
    assert.equal(describeProblem('', 'x', null), 'x');
  });
});
