import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { readZone, timeText, usualTimeReader } from '#ratelimit/simulate/log-time.ts';
import { strftimeReader } from '#ratelimit/simulate/strftime-reader.ts';

const read = usualTimeReader(0);

test('times that logs usually have', () => {
  const expected = Date.UTC(2026, 10, 21, 20, 32, 31) * 1000;
  for (const text of [
    '2026-11-21T20:32:31Z',
    '2026-11-21T20:32:31.000Z',
    '2026-11-21T20:32:31',
    '2026-11-21 20:32:31',
    '2026-11-21T22:32:31+02:00',
    '2026-11-21T22:32:31+0200',
    '2026-11-21T22:32:31+02',
    '2026-11-21T15:02:31-05:30',
    '2026-11-22T00:32:31+04:00',
    '21/Nov/2026:20:32:31 +0000',
    '21/Nov/2026:12:32:31 -0800',
    '21/Nov/2026:20:32:31',
    '1795293151',
    '1795293151.000',
    '1795293151000',
    '1795293151000000',
    '1795293151000000000',
  ]) {
    assert.equal(read(text), expected, text);
  }
  assert.equal(read('2026-11-21T20:32:31.123456789Z'), expected + 123_456);
  assert.equal(read('2026-11-21T20:32:31,5'), expected + 500_000);
  assert.equal(read('1795293151.25'), expected + 250_000);
  assert.equal(usualTimeReader(90)('2026-11-21T22:02:31'), expected);
  assert.equal(usualTimeReader(90)('21/Nov/2026:22:02:31'), expected);
});

test('what is no time', () => {
  for (const text of [
    '',
    '-',
    'yesterday',
    '2026-13-21T20:32:31Z',
    '2026-02-29T20:32:31Z',
    '2026-11-31T20:32:31Z',
    '2026-11-21T24:32:31Z',
    '2026-11-21T20:60:31Z',
    '2026-11-21T20:32:61Z',
    '2026-11-21T20:32:31.Z',
    '2026-11-21T20:32:31+',
    '2026-11-21T20:32:31 UTC',
    '2026-11-2x',
    '21/Nov/2026',
    '21/Foo/2026:20:32:31 +0000',
    '1795293151x',
  ]) {
    assert.ok(Number.isNaN(read(text)), text);
  }
  assert.equal(read('2024-02-29T00:00:00Z'), Date.UTC(2024, 1, 29) * 1000);
});

test('any moment, against the calendar of the runtime', () => {
  const random = createSeededRandom(7);
  for (let i = 0; i < 2000; i++) {
    const ms = Math.floor(random.next() * 4_102_444_800_000);
    assert.equal(read(new Date(ms).toISOString()), ms * 1000);
    assert.equal(read(timeText(ms * 1000)), ms * 1000);
  }
});

test('zones', () => {
  assert.deepEqual(['Z', 'utc', '+02:00', '-0330', '+05'].map(readZone), [0, 0, 120, -210, 300]);
  assert.deepEqual(['', 'x', '+2', '+99:00', 'Europe/Berlin'].map(readZone), [null, null, null, null, null]);
});

test('strftime formats are read back', () => {
  const us = Date.UTC(2026, 10, 5, 14, 3, 9) * 1000;
  const cases: readonly (readonly [string, string, number])[] = [
    ['%Y/%m/%dT%H:%M:%S%z', '2026/11/05T16:03:09+0200', us],
    ['%Y-%m-%dT%H:%M:%E3S%Ez', '2026-11-05T14:03:09.250+00:00', us + 250_000],
    ['%d/%b/%Y:%T %z', '05/Nov/2026:14:03:09 +0000', us],
    ['%a %b %e %H:%M:%S %Y', 'Thu Nov  5 14:03:09 2026', us],
    ['%A, %d %B %y %I:%M:%S %p', 'Thursday, 05 November 26 02:03:09 PM', us],
    ['%I:%M:%S %p %F', '12:03:09 AM 2026-11-05', us - 14 * 3_600_000_000],
    ['%s', String(us / 1_000_000), us],
    ['%s.%3f', `${us / 1_000_000}.125`, us + 125_000],
    ['%s.%f', `${us / 1_000_000}.000001000`, us + 1],
    ['%3s', `${us / 1000 + 7}`, us + 7000],
    ['%E6s', `${us / 1_000_000}.000009`, us + 9],
    ['%Y %j %R', '2026 309 14:03', us - 9_000_000],
    ['100%% %D %T UTC', '100% 11/05/26 14:03:09 UTC', us],
    ['%F %T %Z', '2026-11-05 14:03:09 GMT', us],
  ];
  for (const [format, text, expected] of cases) assert.equal(strftimeReader(format, 0)(text), expected, format);
  assert.equal(strftimeReader('%F %T', -60)('2026-11-05 13:03:09'), us);
  for (const text of ['2026-11-05', '2026-11-05 14:03:0', '2026-11-05 14:03:099', 'x']) {
    assert.ok(Number.isNaN(strftimeReader('%F %T', 0)(text)), text);
  }
  assert.throws(() => strftimeReader('%Q', 0), /START_TIME\(%Q\): %Q cannot be read back/);
  assert.throws(() => strftimeReader('%', 0), /malformed conversion/);
});
