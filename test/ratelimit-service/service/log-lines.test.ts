import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogLines } from '#ratelimit/service/log-lines.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

test('the log as text and as JSON', () => {
  const time = new VirtualTime(Date.parse('2026-01-02T03:04:05.678Z') - 1000);
  const lines: string[] = [];
  createLogLines('text', time, (line) => lines.push(line)).write('warning', 'redis', 'a "b"');
  createLogLines('json', time, (line) => lines.push(line)).write('critical', 'ratelimit', 'a "b"\n');
  assert.deepEqual(lines, [
    '[2026-01-02T03:04:05.678Z][warning][redis] a "b"\n',
    '{"@message":"a \\"b\\"\\n","@timestamp":"2026-01-02T03:04:05.678Z","level":"fatal","logger":"ratelimit"}\n',
  ]);
});
