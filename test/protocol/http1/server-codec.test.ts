import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { feedings, octets, ServerUnderTest } from './harness.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n';
const post = 'POST / HTTP/1.1\r\nHost: a\r\n';

interface Exchange {
  readonly name: string;
  readonly request: string;
  readonly status: number;
  readonly headers?: string[];
  /** Body pieces; null: the response ends with its head. */
  readonly body?: readonly string[] | null;
  readonly wire: string;
  readonly closing?: boolean;
  readonly options?: Partial<Http1Options>;
}

const old = { acceptHttp10: true };

/** Responses as they must stand on the wire. */
const exchanges: readonly Exchange[] = [
  { name: 'no body', request: `${get}\r\n`, status: 200, wire: 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' },
  {
    name: 'given length',
    request: `${get}\r\n`,
    status: 200,
    headers: ['content-length', '2', 'x', 'y'],
    body: ['o', 'k'],
    wire: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: y\r\n\r\nok',
  },
  {
    name: 'unknown length',
    request: `${get}\r\n`,
    status: 404,
    body: ['hello', '', 'x'.repeat(17)],
    wire: `HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n11\r\n${'x'.repeat(17)}\r\n0\r\n\r\n`,
  },
  {
    name: 'unknown status',
    request: `${get}\r\n`,
    status: 799,
    wire: 'HTTP/1.1 799 Unknown\r\ncontent-length: 0\r\n\r\n',
  },
  {
    name: '204',
    request: `${get}\r\n`,
    status: 204,
    headers: ['content-length', '0'],
    wire: 'HTTP/1.1 204 No Content\r\n\r\n',
  },
  { name: '204 with a body', request: `${get}\r\n`, status: 204, body: ['x'], wire: 'HTTP/1.1 204 No Content\r\n\r\n' },
  {
    name: '304 keeps its length',
    request: `${get}\r\n`,
    status: 304,
    headers: ['content-length', '9'],
    wire: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
  },
  {
    name: 'HEAD keeps the length',
    request: 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    status: 200,
    headers: ['content-length', '9'],
    wire: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n',
  },
  {
    name: 'HEAD with a body',
    request: 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    status: 200,
    body: ['x'],
    wire: 'HTTP/1.1 200 OK\r\n\r\n',
  },
  {
    name: 'hop-by-hop fields of the response are left out',
    request: `${get}\r\n`,
    status: 200,
    headers: [
      'connection',
      'keep-alive',
      'keep-alive',
      'x',
      'transfer-encoding',
      'gzip',
      'proxy-connection',
      'x',
      'upgrade',
      'x',
    ],
    wire: 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
  },
  {
    name: 'connection: close of the response',
    request: `${get}\r\n`,
    status: 200,
    headers: ['connection', 'Close'],
    wire: 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    closing: true,
  },
  {
    name: 'connection: close of the request',
    request: `${get}Connection: close\r\n\r\n`,
    status: 200,
    wire: 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    closing: true,
  },
  {
    name: 'names in proper case',
    request: `${get}\r\n`,
    status: 200,
    headers: ['x-request-id', '1', 'etag', '2'],
    wire: 'HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nEtag: 2\r\nContent-Length: 0\r\n\r\n',
    options: { headerKeyFormat: 'proper' },
  },
  {
    name: 'octets above 0x7F in values',
    request: `${get}\r\n`,
    status: 200,
    headers: ['x', '\xe9\xff\t'],
    wire: 'HTTP/1.1 200 OK\r\nx: \xe9\xff\t\r\ncontent-length: 0\r\n\r\n',
  },
  {
    name: 'HTTP/1.0 closes',
    request: 'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
    status: 200,
    wire: 'HTTP/1.0 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    closing: true,
    options: old,
  },
  {
    name: 'HTTP/1.0 keep-alive',
    request: 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
    status: 200,
    headers: ['content-length', '1'],
    body: ['x'],
    wire: 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx',
    options: old,
  },
  {
    name: 'HTTP/1.0 body of unknown length ends with the connection',
    request: 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
    status: 200,
    body: ['x', 'y'],
    wire: 'HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nxy',
    closing: true,
    options: old,
  },
  {
    name: 'response before the request has ended',
    request: `${post}Content-Length: 5\r\n\r\nab`,
    status: 413,
    wire: 'HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    closing: true,
  },
  {
    name: 'response head before the request has ended, body after',
    request: `${post}Content-Length: 5\r\n\r\nab`,
    status: 200,
    body: ['x'],
    wire: 'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    closing: true,
  },
  {
    name: 'body that is shorter than its length',
    request: `${get}\r\n`,
    status: 200,
    headers: ['content-length', '5'],
    body: ['abc'],
    wire: 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc',
    closing: true,
  },
  {
    name: 'body that is longer than its length is cut',
    request: `${get}\r\n`,
    status: 200,
    headers: ['content-length', '2'],
    body: ['abc', 'd'],
    wire: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab',
    closing: true,
  },
];

for (const { name, request, status, headers, body, wire, closing, options } of exchanges) {
  test(`response: ${name}`, () => {
    const server = new ServerUnderTest(options).feed(request);
    const { encoder } = server.last;
    const bodiless = body === undefined || body === null;
    assert.equal(encoder.encodeHeaders(new ResponseHead(status, new HeaderMap(headers ?? [])), bodiless), 0);
    if (!bodiless) {
      for (const piece of body) encoder.encodeData(octets(piece), false);
      encoder.encodeData(new Uint8Array(0), true);
    }
    assert.equal(server.connection.takeText(), wire);
    assert.equal(encoder.wireOctetsSent, wire.length);
    assert.equal(server.codec.closing, closing === true);
    assert.equal(server.log.take().at(-1), closing === true ? '#1 complete, closing' : '#1 complete');
    server.feed(`${get}\r\n`);
    assert.equal(server.requests.length, closing === true ? 1 : 2);
  });
}

const unsendable: readonly { name: string; status: number; headers: string[]; code: number }[] = [
  { name: 'LF in a value', status: 200, headers: ['x', 'a\nb'], code: 2 },
  { name: 'CR in a value', status: 200, headers: ['x', 'a\rb'], code: 2 },
  { name: 'NUL in a value', status: 200, headers: ['x', 'a\0'], code: 2 },
  { name: 'character above U+00FF in a value', status: 200, headers: ['x', '\u0100'], code: 2 },
  { name: 'CRLF in a name', status: 200, headers: ['x\r\ny', 'a'], code: 2 },
  { name: 'upper case in a name', status: 200, headers: ['X', 'a'], code: 2 },
  { name: 'empty name', status: 200, headers: ['', 'a'], code: 2 },
  { name: 'pseudo-header', status: 200, headers: [':status', '200'], code: 2 },
  { name: 'two lengths', status: 200, headers: ['content-length', '1', 'content-length', '1'], code: 2 },
  { name: 'bad length', status: 200, headers: ['content-length', '1x'], code: 2 },
  { name: '101 that nobody asked for', status: 101, headers: [], code: 2 },
  { name: 'interim status', status: 103, headers: [], code: 2 },
  { name: 'status of four digits', status: 1000, headers: [], code: 1 },
  { name: 'fraction of a status', status: 200.5, headers: [], code: 1 },
];

for (const { name, status, headers, code } of unsendable) {
  test(`not sendable: ${name}`, () => {
    const server = new ServerUnderTest().feed(`${get}\r\n`);
    const { encoder } = server.last;
    assert.equal(encoder.encodeHeaders(new ResponseHead(status, new HeaderMap(headers)), true), code);
    assert.equal(server.connection.takeText(), '');
    assert.equal(encoder.encodeHeaders(new ResponseHead(500), true), 0);
    assert.equal(server.connection.takeText(), 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n');
  });
}

test('trailers are written when enabled, and left out when they cannot be', () => {
  for (const [options, trailers, end] of [
    [{ enableTrailers: true }, ['x-t', '1'], '0\r\nx-t: 1\r\n\r\n'],
    [{ enableTrailers: true }, [], '0\r\n\r\n'],
    [{ enableTrailers: true }, ['x-t', '1\n'], '0\r\n\r\n'],
    [{ enableTrailers: false }, ['x-t', '1'], '0\r\n\r\n'],
  ] as const) {
    const server = new ServerUnderTest(options).feed(`${get}\r\n`);
    const { encoder } = server.last;
    encoder.encodeHeaders(new ResponseHead(200), false);
    encoder.encodeTrailers(new HeaderMap([...trailers]));
    assert.equal(server.connection.takeText(), `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${end}`);
    assert.equal(server.codec.closing, false);
  }
});

test('interim responses come before the final one, and not to HTTP/1.0', () => {
  const server = new ServerUnderTest({ acceptHttp10: true }).feed(`${get}\r\n`);
  server.last.encoder.encodeInformational(new ResponseHead(100));
  server.last.encoder.encodeInformational(new ResponseHead(103, new HeaderMap(['link', '</x>'])));
  server.last.encoder.encodeInformational(new ResponseHead(101));
  server.last.reply(200);
  server.last.encoder.encodeInformational(new ResponseHead(100));
  const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n';
  assert.equal(server.connection.takeText(), `${interim}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`);
  server.feed('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  server.last.encoder.encodeInformational(new ResponseHead(100));
  assert.equal(server.connection.takeText(), '');
});

for (const pieceOctets of feedings) {
  test(`pipelined requests are answered in order, at once (pieces of ${pieceOctets})`, () => {
    const server = new ServerUnderTest({}, true);
    server.feed(
      `${get}\r\n${post}Content-Length: 2\r\n\r\nab${post}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n${get}\r\n`,
      pieceOctets,
    );
    const starts = server.log.take().filter((event) => event.includes('@a'));
    assert.deepEqual(starts, ['#1 GET / @a END', '#2 POST / @a content-length=2;', '#3 POST / @a', '#4 GET / @a END']);
    assert.equal(server.connection.takeText().split('HTTP/1.1 200 OK').length, 5);
    assert.equal(server.connection.disabled, 0);
  });
}

test('a pipelined request waits for the response before it, with reading disabled', () => {
  const server = new ServerUnderTest().feed(`${get}\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3`);
  assert.deepEqual(server.log.take(), ['#1 GET / @a END']);
  assert.equal(server.connection.disabled, 1);
  server.feed(' HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(server.connection.disabled, 1);
  server.requests[0]!.reply(200);
  assert.equal(server.requests.length, 1, 'not from within the encoder call');
  server.connection.endTurn();
  assert.deepEqual(server.log.take(), ['#1 complete', '#2 GET /2 @a END']);
  server.requests[1]!.reply(200);
  server.connection.endTurn();
  assert.deepEqual(server.log.take(), ['#2 complete', '#3 GET /3 @a END']);
  assert.equal(server.connection.disabled, 0);
});

test('a bad pipelined request is refused when its turn has come', () => {
  const server = new ServerUnderTest().feed(`${get}\r\nGET\r\n\r\n`);
  assert.deepEqual(server.log.take(), ['#1 GET / @a END']);
  server.last.reply(200);
  server.connection.endTurn();
  assert.deepEqual(server.log.take(), ['#1 complete', '#2 bad 400 http1.codec_error', '#2 complete, closing']);
  assert.equal(server.connection.disabled, 0);
});

test('pipelined requests behind the last response are dropped', () => {
  const server = new ServerUnderTest().feed(`${get}Connection: close\r\n\r\n${get}\r\n`);
  server.last.reply(200);
  server.connection.endTurn();
  assert.equal(server.requests.length, 1);
  assert.equal(server.codec.closing, true);
  assert.equal(server.connection.disabled, 0);
});

test('a stream that is read-disabled gets nothing, and the rest when enabled', () => {
  const server = new ServerUnderTest().feed(`${post}Content-Length: 6\r\n\r\nab`);
  const { encoder } = server.last;
  encoder.readDisable(true);
  encoder.readDisable(true);
  server.feed('cd');
  encoder.readDisable(false);
  server.connection.endTurn();
  assert.deepEqual(server.log.take(), ['#1 POST / @a content-length=6;', '#1 data "ab"']);
  encoder.readDisable(false);
  server.connection.endTurn();
  assert.equal(server.connection.disabled, 0);
  server.feed('ef');
  assert.deepEqual(server.log.take(), ['#1 data "cdef"', '#1 end']);
});

test('what a finished stream had disabled is undone', () => {
  const server = new ServerUnderTest().feed(`${get}\r\n`);
  server.last.encoder.readDisable(true);
  server.last.reply(200);
  assert.equal(server.connection.disabled, 0);
  server.last.encoder.readDisable(false);
  assert.equal(server.connection.disabled, 0);
});

test('a stream begins with the first octet of its head', () => {
  const server = new ServerUnderTest().feed('\r\nG');
  assert.equal(server.codec.activeStreams, 1);
  server.last.reply(408);
  assert.match(server.connection.takeText(), /^HTTP\/1.1 408 Request Timeout\r\nconnection: close\r\n/);
  assert.equal(server.codec.closing, true);
});

test('closeAfterResponse and goAway make the next response the last', () => {
  for (const way of ['close', 'goAway'] as const) {
    const server = new ServerUnderTest().feed(`${get}\r\n`);
    if (way === 'close') server.last.encoder.closeAfterResponse();
    else server.codec.goAway();
    assert.equal(server.codec.closing, false);
    server.last.reply(200);
    assert.match(server.connection.takeText(), /\r\nconnection: close\r\n/);
    assert.equal(server.codec.closing, true);
  }
});

test('the end of the connection resets what is open', () => {
  const server = new ServerUnderTest().feed(`${post}Content-Length: 6\r\n\r\nab`);
  server.log.take();
  server.codec.onRemoteClose();
  assert.deepEqual(server.log.take(), ['#1 reset remote_reset downstream_remote_disconnect']);
  assert.equal(server.codec.closing, true);
  server.codec.onConnectionClosed('connection_termination', 'x');
  server.last.reply(200);
  assert.deepEqual(server.log.take(), []);
  assert.equal(server.connection.takeText(), '');

  const other = new ServerUnderTest().feed(`${get}\r\n`);
  other.codec.onConnectionClosed('connection_termination', 'gone');
  assert.deepEqual(other.log.take(), ['#1 GET / @a END', '#1 reset connection_termination gone']);
});

test('resetStream ends the connection without a call back', () => {
  const server = new ServerUnderTest().feed(`${get}\r\n`);
  server.last.encoder.resetStream('local_reset');
  server.last.encoder.resetStream('local_reset');
  assert.deepEqual(server.log.take(), ['#1 GET / @a END']);
  assert.equal(server.codec.closing, true);
  assert.equal(server.codec.activeStreams, 0);
});

test('watermarks of the connection reach the open stream', () => {
  const server = new ServerUnderTest();
  server.codec.onConnectionAboveWriteBufferHighWatermark();
  server.codec.onConnectionBelowWriteBufferLowWatermark();
  server.feed(`${get}\r\n`);
  server.codec.onConnectionAboveWriteBufferHighWatermark();
  server.codec.onConnectionBelowWriteBufferLowWatermark();
  assert.deepEqual(server.log.take(), ['#1 GET / @a END', '#1 above', '#1 below']);
});

test('a client that does not read its responses gets no further request taken', () => {
  const server = new ServerUnderTest({}, true).feed(`${post}Content-Length: 2\r\n\r\na`);
  server.codec.onConnectionAboveWriteBufferHighWatermark();
  server.feed(`b${get}\r\n${get}\r\n`);
  assert.equal(server.requests.length, 1);
  assert.equal(server.connection.disabled, 1);
  server.codec.onConnectionBelowWriteBufferLowWatermark();
  server.connection.endTurn();
  assert.equal(server.requests.length, 3);
  assert.equal(server.connection.disabled, 0);
});

test('octets received are counted, framing included', () => {
  const input = `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: 1\r\n\r\n`;
  for (const pieceOctets of feedings) {
    const server = new ServerUnderTest().feed(input, pieceOctets);
    assert.equal(server.last.encoder.wireOctetsReceived, input.length);
  }
});
