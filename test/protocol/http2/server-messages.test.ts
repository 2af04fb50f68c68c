import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import { noHttp2Stats } from '#gateway/protocol/http2/stats.ts';
import {
  block,
  data,
  frame,
  getFields,
  headers,
  postFields,
  prefaceBytes,
  rstStream,
  settings,
  WireReader,
} from '#test/support/h2-frames.ts';
import { ServerRecorder, TestConnection } from '#test/support/h2-recorder.ts';

/** Octets in, events and frames out. `answer`: every request with an end gets 200. */
interface Case {
  readonly name: string;
  readonly options?: Partial<Http2Options>;
  readonly input: readonly Uint8Array[];
  readonly events: readonly string[];
  readonly written?: readonly string[];
  readonly status?: DispatchStatus;
}

const get = getFields;
const post = postFields;
const without = (name: string): string[] => get.filter((_, i) => get[i - (i % 2)] !== name);
const replaced = (name: string, value: string): string[] =>
  get.map((text, i) => (i % 2 === 1 && get[i - 1] === name ? value : text));

const malformed = (details: string): readonly string[] => [`1 reset protocol_error ${details}`];
const rule = malformed('http2.violation.of.messaging.rule');
const field = malformed('http2.invalid.header.field');
const reset = ['RST_STREAM 1 1'];

const cases: readonly Case[] = [
  { name: 'a request without body', input: [headers(1, true, ...get)], events: ['1 GET http://a.test/ end'] },
  {
    name: 'a body in two frames, padded and not',
    input: [
      headers(1, false, ...post, 'content-length', '5'),
      frame(0, 8, 1, Buffer.from('\x02ab\0\0', 'latin1')),
      data(1, true, 'cde'),
    ],
    events: ['1 POST http://a.test/ {content-length: 5}', '1 data abcde', '1 end'],
  },
  {
    name: 'trailers',
    input: [headers(1, false, ...post), data(1, false, 'ab'), headers(1, true, 'x-checksum', '7')],
    events: ['1 POST http://a.test/', '1 data ab', '1 trailers {x-checksum: 7}'],
  },
  {
    name: 'a head over three frames, cut within a field',
    input: [
      frame(1, 1, 1, block(...get).subarray(0, 10)),
      frame(9, 0, 1, block(...get).subarray(10, 20)),
      frame(9, 4, 1, block(...get).subarray(20)),
    ],
    events: ['1 GET http://a.test/ end'],
  },
  {
    name: 'cookie crumbs as one field',
    input: [headers(1, true, ...get, 'cookie', 'a=b', 'x', 'y', 'cookie', 'c=d')],
    events: ['1 GET http://a.test/ {cookie: a=b; c=d, x: y} end'],
  },
  {
    name: 'Host when there is no :authority',
    input: [headers(1, true, ...without(':authority'), 'host', 'b.test')],
    events: ['1 GET http://b.test/ end'],
  },
  {
    name: ':authority before Host',
    input: [headers(1, true, ...get, 'host', 'b.test')],
    events: ['1 GET http://a.test/ end'],
  },
  {
    name: 'CONNECT',
    input: [headers(1, false, ':method', 'CONNECT', ':authority', 'a.test:443')],
    events: ['1 CONNECT ://a.test:443'],
  },
  {
    name: 'extended CONNECT as an upgrade',
    options: { allowConnect: true },
    input: [headers(1, false, ...replaced(':method', 'CONNECT'), ':protocol', 'websocket')],
    events: ['1 GET http://a.test/ {connection: upgrade, upgrade: websocket}'],
  },
  {
    name: 'extended CONNECT where it is not allowed',
    input: [headers(1, false, ...replaced(':method', 'CONNECT'), ':protocol', 'websocket')],
    events: rule,
    written: reset,
  },
  {
    name: 'OPTIONS *',
    input: [headers(1, true, ...replaced(':path', '*').map((t) => (t === 'GET' ? 'OPTIONS' : t)))],
    events: ['1 OPTIONS http://a.test* end'],
  },
  { name: 'GET *', input: [headers(1, true, ...replaced(':path', '*'))], events: rule, written: reset },
  { name: 'no method', input: [headers(1, true, ...without(':method'))], events: rule, written: reset },
  { name: 'no path', input: [headers(1, true, ...without(':path'))], events: rule, written: reset },
  { name: 'no scheme', input: [headers(1, true, ...without(':scheme'))], events: rule, written: reset },
  { name: 'no authority', input: [headers(1, true, ...without(':authority'))], events: rule, written: reset },
  { name: 'a pseudo-header twice', input: [headers(1, true, ...get, ':path', '/')], events: rule, written: reset },
  {
    name: 'a pseudo-header after a field',
    input: [headers(1, true, ':method', 'GET', 'a', 'b', ':path', '/', ':scheme', 'http', ':authority', 'a.test')],
    events: rule,
    written: reset,
  },
  {
    name: 'a response pseudo-header',
    input: [headers(1, true, ...get, ':status', '200')],
    events: field,
    written: reset,
  },
  { name: 'an upper-case name', input: [headers(1, true, ...get, 'X-A', 'b')], events: field, written: reset },
  { name: 'connection', input: [headers(1, true, ...get, 'connection', 'close')], events: field, written: reset },
  { name: 'te: gzip', input: [headers(1, true, ...get, 'te', 'gzip')], events: field, written: reset },
  { name: 'a line break in a value', input: [headers(1, true, ...get, 'a', 'b\nc')], events: field, written: reset },
  {
    name: 'Content-Length twice',
    input: [headers(1, false, ...post, 'content-length', '1', 'content-length', '1')],
    events: field,
    written: reset,
  },
  {
    name: 'less data than announced',
    input: [headers(1, false, ...post, 'content-length', '3'), data(1, true, 'ab')],
    events: ['1 POST http://a.test/ {content-length: 3}', ...rule],
    written: reset,
  },
  {
    name: 'more data than announced',
    input: [headers(1, false, ...post, 'content-length', '1'), data(1, false, 'ab')],
    events: ['1 POST http://a.test/ {content-length: 1}', ...rule],
    written: reset,
  },
  {
    name: 'trailers before all announced data',
    input: [headers(1, false, ...post, 'content-length', '3'), headers(1, true, 'a', 'b')],
    events: ['1 POST http://a.test/ {content-length: 3}', ...rule],
    written: reset,
  },
  {
    name: 'a length announced and no body',
    input: [headers(1, true, ...post, 'content-length', '3')],
    events: rule,
    written: reset,
  },
  {
    name: 'trailers without END_STREAM',
    input: [headers(1, false, ...post), headers(1, false, 'a', 'b')],
    events: ['1 POST http://a.test/', ...rule],
    written: reset,
  },
  {
    name: 'a pseudo-header in trailers',
    input: [headers(1, false, ...post), headers(1, true, ':path', '/')],
    events: ['1 POST http://a.test/', ...rule],
    written: reset,
  },
  {
    name: 'underscores dropped',
    options: { headersWithUnderscores: 'drop' },
    input: [headers(1, true, ...get, 'a_b', 'c', 'd', 'e')],
    events: ['1 GET http://a.test/ {d: e} end'],
  },
  {
    name: 'underscores rejected',
    options: { headersWithUnderscores: 'reject' },
    input: [headers(1, true, ...get, 'a_b', 'c')],
    events: malformed('http2.unexpected_underscore'),
    written: reset,
  },
  {
    name: 'too many fields: an answer, and the table stays in step',
    options: { maxHeaderCount: 6 },
    input: [
      frame(
        1,
        5,
        1,
        Buffer.concat([block(...get, 'a', 'b', 'c', 'd'), Buffer.from('400161 0162'.replace(' ', ''), 'hex')]),
      ),
      frame(1, 5, 3, Buffer.concat([block(...get), Buffer.from([0xbe])])),
    ],
    events: ['1 bad 431 http2.too_many_headers', '3 GET http://a.test/ {a: b} end'],
  },
  {
    name: 'too many octets in the head',
    options: { maxHeaderOctets: 100 },
    input: [headers(1, true, ...get, 'a', 'b'.repeat(100))],
    events: ['1 bad 431 http2.header_list_size_too_large'],
  },
  {
    name: 'a reset by the peer',
    input: [headers(1, false, ...post), rstStream(1, 8), headers(3, false, ...post), rstStream(3, 7)],
    events: [
      '1 POST http://a.test/',
      '1 reset remote_reset http2.remote_reset',
      '3 POST http://a.test/',
      '3 reset remote_refused_stream_reset http2.remote_refuse',
    ],
  },
  {
    name: 'a malformed message where that ends the connection',
    options: { streamErrorOnInvalidMessage: false },
    input: [headers(1, true, ...get, 'X-A', 'b')],
    events: field,
    written: ['RST_STREAM 1 1', 'GOAWAY 1 1'],
    status: DispatchStatus.ProtocolError,
  },
  {
    name: 'one stream too many',
    options: { maxConcurrentStreams: 1 },
    input: [headers(1, false, ...post), headers(3, true, ...get), data(1, true, 'a')],
    events: ['1 POST http://a.test/', '1 data a', '1 end'],
    written: ['RST_STREAM 3 7'],
  },
  {
    name: 'unknown frames and settings ignored',
    input: [frame(0x42, 0xff, 9, Buffer.from('abc')), settings(0x99, 5), headers(1, true, ...get)],
    events: ['1 GET http://a.test/ end'],
    written: ['SETTINGS ACK'],
  },
  {
    name: 'PING answered',
    input: [frame(6, 0, 0, Buffer.from('12345678'))],
    events: [],
    written: ['PING ACK 3132333435363738'],
  },
  {
    name: 'GOAWAY told',
    input: [frame(7, 0, 0, Buffer.alloc(8))],
    events: ['goaway 0'],
  },
];

function run(each: Case, pieces: number): void {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, { ...defaultHttp2Options, ...each.options });
  connection.take();
  const input = Buffer.concat([prefaceBytes, settings(), ...each.input]);
  let status: DispatchStatus = DispatchStatus.Ok;
  for (let at = 0; at < input.length && status === DispatchStatus.Ok; at += pieces) {
    status = codec.dispatch(Uint8Array.from(input.subarray(at, at + pieces)));
  }
  assert.equal(status, each.status ?? DispatchStatus.Ok);
  assert.deepEqual(owner.take(), each.events);
  const lines = new WireReader().lines(connection.take());
  assert.deepEqual(lines, ['SETTINGS ACK', ...(each.written ?? [])]);
}

for (const each of cases) {
  test(`HTTP/2 server, ${each.name}: whole`, () => run(each, 1 << 20));
  test(`HTTP/2 server, ${each.name}: octet by octet`, () => run(each, 1));
  test(`HTTP/2 server, ${each.name}: by seven octets`, () => run(each, 7));
}

test('HTTP/2 server: a response with trailers, and completion', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, defaultHttp2Options);
  owner.onRequest = (encoder) => {
    encoder.encodeInformational(new ResponseHead(103, new HeaderMap(['link', '</a>'])));
    encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['connection', 'close', 'a', 'b'])), false);
    encoder.encodeData(Buffer.from('xyz'), false);
    encoder.encodeTrailers(new HeaderMap(['grpc-status', '0']));
    encoder.encodeData(Buffer.from('ignored'), true);
  };
  connection.take();
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), headers(1, true, ...get)]));
  assert.deepEqual(owner.take(), ['1 GET http://a.test/ end', '1 complete']);
  assert.deepEqual(new WireReader().lines(connection.take()), [
    'SETTINGS ACK',
    'HEADERS 1 :status: 103, link: </a>',
    'HEADERS 1 :status: 200, a: b',
    'DATA 1 xyz',
    'HEADERS 1 END_STREAM grpc-status: 0',
  ]);
  assert.equal(codec.activeStreams, 0);
});

test('HTTP/2 server: an answer before the end of the request resets the rest with NO_ERROR', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, defaultHttp2Options);
  owner.onRequest = (encoder) => void encoder.encodeHeaders(new ResponseHead(413), true);
  connection.take();
  const late = [data(1, false, 'late'), headers(1, true, 'late', 'too')];
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), headers(1, false, ...post), ...late]));
  assert.deepEqual(owner.take(), ['1 POST http://a.test/', '1 complete']);
  const expected = ['SETTINGS ACK', 'HEADERS 1 END_STREAM :status: 413', 'RST_STREAM 1 0'];
  assert.deepEqual(new WireReader().lines(connection.take()), expected);
});

test('HTTP/2 server: a refused head is answered late, and the body that comes meanwhile is dropped', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const counted = { inc: () => void counts.push('overflow') };
  const counts: string[] = [];
  const stats = { ...noHttp2Stats, headerOverflow: counted };
  const codec = new Http2ServerCodec(connection, owner, { ...defaultHttp2Options, maxHeaderCount: 4 }, stats);
  connection.take();
  const input = [headers(1, false, ...post, 'a', 'b'), data(1, false, 'x'), headers(1, true, 't', 'v')];
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), ...input]));
  assert.deepEqual(owner.take(), ['1 bad 431 http2.too_many_headers']);
  assert.deepEqual(counts, ['overflow']);
  owner.encoders[0]!.encodeHeaders(new ResponseHead(431), true);
  assert.deepEqual(owner.take(), ['1 complete']);
  const lines = new WireReader().lines(connection.take());
  assert.deepEqual(lines, ['SETTINGS ACK', 'HEADERS 1 END_STREAM :status: 431']);
});

test('HTTP/2 server: an upgrade is answered 200, and each direction ends on its own', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, { ...defaultHttp2Options, allowConnect: true });
  const upgrade = new HeaderMap(['connection', 'upgrade', 'upgrade', 'websocket', 'a', 'b']);
  owner.onRequest = (encoder) => void encoder.encodeHeaders(new ResponseHead(101, upgrade), false);
  connection.take();
  const connect = headers(1, false, ...replaced(':method', 'CONNECT'), ':protocol', 'websocket');
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), connect]));
  owner.encoders[0]!.encodeData(Buffer.from('bye'), true);
  assert.equal(codec.activeStreams, 1);
  codec.dispatch(data(1, true, 'bye too'));
  assert.deepEqual(owner.take().slice(1), ['1 data bye too', '1 end', '1 complete']);
  assert.deepEqual(new WireReader().lines(connection.take()), [
    'SETTINGS ACK',
    'HEADERS 1 :status: 200, a: b',
    'DATA 1 END_STREAM bye',
  ]);
});

test('HTTP/2 server: GOAWAY in two steps, and nothing new after the second', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, defaultHttp2Options);
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), headers(1, false, ...post)]));
  connection.take();
  codec.shutdownNotice();
  codec.dispatch(headers(3, false, ...post));
  codec.goAway();
  assert.equal(codec.closing, false);
  codec.dispatch(Buffer.concat([headers(5, true, ...get), data(1, true, 'a'), data(3, true, 'b')]));
  for (const encoder of owner.encoders) encoder.encodeHeaders(new ResponseHead(204), true);
  assert.deepEqual(
    owner.take().filter((event) => event.startsWith('5')),
    [],
  );
  assert.equal(codec.closing, true);
  const lines = new WireReader().lines(connection.take());
  assert.deepEqual(lines.slice(0, 2), ['GOAWAY 2147483647 0', 'GOAWAY 3 0']);
});

test('HTTP/2 server: the end of the connection resets what is open', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, defaultHttp2Options);
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), headers(1, false, ...post)]));
  codec.onConnectionClosed('connection_termination', 'gone');
  assert.deepEqual(owner.take().slice(1), ['1 reset connection_termination gone']);
  assert.equal(codec.activeStreams, 0);
});

test('HTTP/2 server: a head larger than a frame goes out with CONTINUATION', () => {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, defaultHttp2Options);
  const long = Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'v'.repeat(1000)]).flat();
  owner.onRequest = (encoder) => void encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(long)), true);
  connection.take();
  codec.dispatch(Buffer.concat([prefaceBytes, settings(), headers(1, true, ...get)]));
  const lines = new WireReader().lines(connection.take());
  assert.deepEqual(lines.slice(0, 3), ['SETTINGS ACK', 'HEADERS 1 END_STREAM ...', 'CONTINUATION 1 ...']);
  assert.match(lines[3]!, /^CONTINUATION 1 :status: 200, x-0: v+, .*x-39: v+$/);
});
