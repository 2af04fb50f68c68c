import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { JsonLogReader } from '#ratelimit/simulate/json-log-reader.ts';
import {
  detectLogReader,
  knownFormats,
  type LogFormatOptions,
  namedLogReader,
} from '#ratelimit/simulate/known-formats.ts';
import { LogFields } from '#ratelimit/simulate/log-fields.ts';
import { parseLogFormat } from '#ratelimit/simulate/log-format.ts';
import type { LogReader } from '#ratelimit/simulate/log-reader.ts';
import { usualTimeReader } from '#ratelimit/simulate/log-time.ts';
import { TextLogReader } from '#ratelimit/simulate/text-log-reader.ts';

const none: LogFormatOptions = { format: null, jsonKeys: new Map(), zoneMinutes: 0 };

const envoyLine =
  '[2026-11-21T20:32:31.005Z] "GET /api/a?x=1&user=7 HTTP/1.1" 429 RL 0 154 12 - "10.0.0.1, 10.0.0.2" "curl/8 (a \\" b)" ' +
  '"0b1c" "example.com" "-"';

function text(format: string, escapes = false): TextLogReader {
  return new TextLogReader({ name: 'text', format, escapes, zoneMinutes: 0 });
}

/** Texts of templates for one line. */
function fields(reader: LogReader, line: string, ...templates: string[]): (string | null)[] | 'unread' {
  const found = new LogFields(reader, 0);
  const getters = templates.map((template) => found.text(template));
  return reader.read(line) ? getters.map((get) => get()) : 'unread';
}

test('the format is found out from a line', () => {
  const names = [
    envoyLine,
    '10.0.0.1 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 2326 "http://x/" "Mozilla"',
    '10.0.0.1 - frank [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 -',
    '{"start_time":"2026-11-21T20:32:31Z"}',
    'what is this',
    '[]',
  ].map((line) => detectLogReader(none, line)?.name ?? null);
  assert.deepEqual(names, ['envoy', 'combined', 'common', 'json', null, null]);
  assert.throws(() => namedLogReader({ ...none, format: 'nginx' }), /--format nginx: it is none of envoy, combined/);
  assert.equal(namedLogReader({ ...none, format: 'common' })!.name, 'common');
});

test("Envoy's default format: the fields, and what follows from them", () => {
  const reader = namedLogReader({ ...none, format: 'envoy' })!;
  assert.deepEqual(
    fields(
      reader,
      envoyLine,
      '%REQ(:METHOD)%',
      '%REQ(:PATH)%',
      '%REQ(x-envoy-original-path?:path)%',
      '%REQ_WITHOUT_QUERY(:PATH)%',
      '%PATH(NQ)%',
      '%QUERY_PARAM(user)%',
      '%QUERY_PARAM(nobody)%',
      '%RESPONSE_CODE%/%RESPONSE_FLAGS%',
      '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24)%',
      '%UPSTREAM_HOST%',
      'never %UPSTREAM_HOST% alone',
      '100%%',
    ),
    [
      'GET',
      '/api/a?x=1&user=7',
      '/api/a?x=1&user=7',
      '/api/a',
      '/api/a',
      '7',
      null,
      '429/RL',
      '10.0.0.2',
      '10.0.0.0/24',
      null,
      null,
      '100%',
    ],
  );
  const hops = new LogFields(reader, 1).find('DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT')!;
  assert.equal(hops(), '10.0.0.1');
  assert.equal(new LogFields(reader, 5).find('DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT')!(), null);
  assert.throws(
    () => fields(reader, envoyLine, '%REQ(:PTH)%'),
    /no field %REQ\(:PTH\)%; did you mean %REQ\(.*:PATH\)%/,
  );
});

test('addresses lose their port; masks are for both families', () => {
  const reader = text('%DOWNSTREAM_REMOTE_ADDRESS% %X%');
  const mask = '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16,64)%';
  const address = '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%';
  assert.deepEqual(fields(reader, '10.1.2.3:99 x', address, mask), ['10.1.2.3', '10.1.0.0/16']);
  assert.deepEqual(fields(reader, '[2001:db8::1]:99 x', address, mask), ['2001:db8::1', '2001:db8::/64']);
  assert.deepEqual(fields(reader, '::1 x', address, mask), ['::1', '::/64']);
  assert.deepEqual(fields(reader, '@pipe x', address, mask), ['@pipe', null]);
  assert.throws(() => fields(reader, 'x x', '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)%'), /no prefix lengths/);
});

test('Common and Combined: escaped quotation marks do not end a field', () => {
  const reader = namedLogReader({ ...none, format: 'combined' })!;
  const line = '::1 - - [10/Oct/2026:13:55:36 -0700] "GET /\\"q\\" HTTP/1.0" 200 - "-" "a \\" 1 \\"b\\\\"';
  assert.deepEqual(
    fields(reader, line, '%REQ(:PATH)%', '%BYTES_SENT%', '%REQ(REFERER)%', '%REQ(USER-AGENT)%', '%START_TIME%'),
    ['/\\"q\\"', null, null, 'a \\" 1 \\"b\\\\', '10/Oct/2026:13:55:36 -0700'],
  );
  assert.equal(fields(reader, '::1 - - [10/Oct/2026:13:55:36 -0700] "\\x16\\x03" 400 0 "-" "-"', '%USER%'), 'unread');
});

test('a format of the user: literals between fields, own names, strftime', () => {
  const reader = text('%START_TIME(%Y/%m/%d %H:%M)% | %tenant.id% | %REQ(X-A?X-B):10% %RESP(X)%|\n');
  assert.deepEqual(reader.fieldNames, ['START_TIME', 'tenant.id', 'REQ(X-A?X-B)', 'RESP(X)']);
  assert.deepEqual(fields(reader, '2026/11/21 20:32 | acme corp | v -|', '%tenant.id%', '%REQ(x-b)%', '%RESP(x)%'), [
    'acme corp',
    'v',
    null,
  ]);
  assert.equal(reader.timeReader!('2026/11/21 20:32'), Date.UTC(2026, 10, 21, 20, 32) * 1000);
  for (const line of ['', '2026/11/21 20:32 | acme', '2026/11/21 20:32 | acme | v -', 'x'.repeat(1000)]) {
    assert.equal(fields(reader, line, '%tenant.id%'), 'unread', line);
  }
  assert.throws(() => text('%A%%B%'), /nothing between %A% and %B%/);
  assert.throws(() => text('no field'), /has no field/);
  assert.throws(() => text('%A'), /malformed field at position 0/);
  assert.throws(() => text('%REQ(A%'), /malformed field/);
  assert.deepEqual(parseLogFormat('100%% %A:3%'), ['100% ', { name: 'A', params: null }]);
});

test('a quoted field that holds what looks like its end is not guessed at', () => {
  const reader = text('"%A%" "%B%"');
  assert.deepEqual(fields(reader, '"x" "y"', '%A%', '%B%'), ['x', 'y']);
  assert.equal(fields(reader, '"x" "y" "z"', '%A%'), 'unread');
  assert.deepEqual(fields(text('%A% %B%'), 'x y z', '%A%', '%B%'), ['x', 'y z']);
});

test('a hostile line costs no more than its length', () => {
  const reader = text(knownFormats['envoy']!);
  for (let i = 0; i < 20; i++) assert.equal(reader.read(`[${'" "'.repeat(100_000)}`), false);
});

test('JSON lines: usual keys, dotted names, keys that the user names', () => {
  const reader = new JsonLogReader(new Map([['REQ(:PATH)', 'request.target']]));
  const line = JSON.stringify({
    '@timestamp': '2026-11-21T20:32:31Z',
    request: { target: '/a?b=1', headers: { 'x-key': 'k' } },
    'flat.key': 5,
    status: 200,
    remote_addr: '10.0.0.1',
    ok: true,
    empty: '',
    nothing: null,
  });
  assert.deepEqual(
    fields(
      reader,
      line,
      '%START_TIME%',
      '%REQ(:PATH)%',
      '%REQ_WITHOUT_QUERY(:PATH)%',
      '%request.headers.x-key%',
      '%flat.key%',
      '%RESPONSE_CODE%',
      '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      '%ok%',
      '%empty%',
      '%nothing%',
      '%request%',
      '%request.target.x%',
      '%toString%',
    ),
    ['2026-11-21T20:32:31Z', '/a?b=1', '/a', 'k', '5', '200', '10.0.0.1', 'true', null, null, null, null, null],
  );
  for (const broken of ['[1]', '"x"', 'null', '{', '']) assert.equal(reader.read(broken), false);
});

test("JSON lines of Envoy's json_format: names of operators in small letters", () => {
  const reader = new JsonLogReader(new Map());
  const line = JSON.stringify({
    start_time: '2026-11-21T20:32:31Z',
    method: 'GET',
    path: '/p',
    authority: 'h',
    x_forwarded_for: '1.1.1.1,2.2.2.2',
    user_agent: 'ua',
    response_flags: 'RL',
  });
  const asked = ['%REQ(:METHOD)%', '%REQ(:PATH)%', '%REQ(:AUTHORITY)%', '%REQ(USER-AGENT)%', '%RESPONSE_FLAGS%'];
  assert.deepEqual(fields(reader, line, ...asked), ['GET', '/p', 'h', 'ua', 'RL']);
  assert.deepEqual(fields(reader, line, '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%'), ['2.2.2.2']);
  const other = JSON.stringify({ downstream_remote_address: '9.9.9.9:1', msec: 1795293151.5 });
  assert.deepEqual(fields(reader, other, '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '%START_TIME%'), [
    '9.9.9.9',
    '1795293151.5',
  ]);
});

test('whatever a line holds, it is read or not, and nothing is thrown', () => {
  const random = createSeededRandom(3);
  const json = '{"start_time":"2026-11-21T20:32:31Z","path":"/a?q=1","x_forwarded_for":"1.1.1.1, ::1","a":{"b":[1]}}';
  for (const [name, line] of [
    ['envoy', envoyLine],
    ['combined', '::1 - - [10/Oct/2026:13:55:36 -0700] "GET /a?q HTTP/1.0" 200 5 "r" "ua"'],
    ['json', json],
  ] as const) {
    const reader = namedLogReader({ ...none, format: name })!;
    const found = new LogFields(reader, 0);
    const getters = ['%START_TIME%', '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(8)%', '%QUERY_PARAM(q)%'].map((each) =>
      found.text(each),
    );
    const time = usualTimeReader(0);
    let read = 0;
    for (let i = 0; i < 5000; i++) {
      const at = Math.floor(random.next() * line.length);
      const end = at + Math.floor(random.next() * 4);
      const piece = String.fromCharCode(...Array.from({ length: 2 }, () => Math.floor(random.next() * 300)));
      if (!reader.read(line.slice(0, at) + piece + line.slice(end))) continue;
      read++;
      for (const get of getters) assert.doesNotThrow(get);
      const us = time(getters[0]!() ?? '');
      assert.ok(Number.isNaN(us) || Number.isSafeInteger(us), String(us));
    }
    assert.ok(read > 1000, `${name} ${read}`);
  }
});
