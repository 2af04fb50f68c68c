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

test('what a peer has sent begins no line of the text log and holds nothing for a terminal', () => {
  const lines: string[] = [];
  const log = createLogLines('text', new VirtualTime(0), (line) => lines.push(line));
  log.write('error', 'redis', 'ERR \r\n[2026][critical] forged \u001b[2J\u009b1m \u2028 tab\there');
  assert.equal(
    lines[0]!.slice(lines[0]!.indexOf('ERR')),
    'ERR \\x0d\n  [2026][critical] forged \\x1b[2J\\x9b1m \\x2028 tab\there\n',
  );
});
