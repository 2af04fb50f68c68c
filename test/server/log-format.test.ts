import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileJsonLogFormat, compileLogFormat, defaultLogFormat, type LogLine } from '#gateway/server/log-format.ts';

const line: LogLine = {
  wallMs: 1_795_300_049_457,
  level: 'warning',
  component: 'main',
  message: 'a\nb',
  processId: 42,
};

test('the default format', () => {
  const text = compileLogFormat(defaultLogFormat)!(line);
  assert.match(text, /^\[\d{4}-\d\d-\d\d \d\d:\d\d:29\.457\]\[42\]\[warning\]\[main\] a\nb\n$/);
});

test("Envoy's own default loses the place in the source", () => {
  const text = compileLogFormat('[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v')!(line);
  assert.match(text, /\[main\] a\nb\n$/);
});

test('flags', () => {
  assert.equal(compileLogFormat('%L %P %E %f %% %j')!(line), 'W 42 1795300049 457000 % a\\nb\n');
});

test('an unknown flag is refused', () => assert.equal(compileLogFormat('%Q'), null));

test('JSON lines', () => {
  const format = compileJsonLogFormat({ level: '%l', message: '%v', at: { process: '%t' }, fixed: 1 });
  assert.deepEqual(JSON.parse(format(line)), { level: 'warning', message: 'a\nb', at: { process: '42' }, fixed: 1 });
  assert.throws(() => compileJsonLogFormat({ a: { b: '%Q' } }), /^ConfigError: a\.b: '%Q' has an unknown flag/);
});
