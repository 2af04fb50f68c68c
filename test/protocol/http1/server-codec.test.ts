import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { feedings, octets, ServerUnderTest } from './harness.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n';
const post = 'POST / HTTP/1.1\r\nHost: a\r\n';

interface Accepted {
  readonly name: string;
  readonly input: string;
  readonly events: readonly string[];
  readonly options?: Partial<Http1Options>;
}

/** Legal requests and what their owner sees; no answer is given. */
const accepted: readonly Accepted[] = [
  { name: 'smallest request', input: `${get}\r\n`, events: ['#1 GET / @a END'] },
  { name: 'empty line before the request', input: `\r\n\r\n${get}\r\n`, events: ['#1 GET / @a END'] },
  {
    name: 'names in lower case, values trimmed, order kept, repetitions kept',
    input: 'GET /p?q=1 HTTP/1.1\r\nhOsT:a:80\r\nUser-Agent: \t x  y \t\r\nX-B:2\r\nx-b: 3\r\nAccept:\r\n\r\n',
    events: ['#1 GET /p?q=1 @a:80 user-agent=x  y; x-b=2; x-b=3; accept=; END'],
  },
  {
    name: 'octets above 0x7F and tabs in values',
    input: `${get}x: a\xff\tb\r\n\r\n`,
    events: ['#1 GET / @a x=a\xff\tb; END'],
  },
  {
    name: 'characters that should have been escaped',
    input: 'GET /"<>\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n',
    events: ['#1 GET /"<>\\^`{|} @a END'],
  },
  {
    name: 'every token character in a name',
    input: `${get}!#$%&'*+-.^_\`|~09Az: 1\r\n\r\n`,
    events: ["#1 GET / @a !#$%&'*+-.^_`|~09az=1; END"],
  },
  {
    name: 'IPv6 Host',
    input: 'GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n',
    events: ['#1 GET / @[2001:db8::1]:8443 END'],
  },
  { name: 'empty Host', input: 'GET / HTTP/1.1\r\nHost:\r\n\r\n', events: ['#1 GET / @ END'] },
  { name: 'asterisk form', input: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', events: ['#1 OPTIONS * @a END'] },
  {
    name: 'absolute form wins over Host',
    input: 'GET HTTP://b.com:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n',
    events: ['#1 GET /x?y @http://b.com:81 END'],
  },
  {
    name: 'absolute form without a path',
    input: 'GET https://b.com?y HTTP/1.1\r\nHost: a\r\n\r\n',
    events: ['#1 GET /?y @https://b.com END'],
  },
  {
    name: 'custom method where allowed',
    input: 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n',
    events: ['#1 FOO / @a END'],
    options: { allowCustomMethods: true },
  },
  {
    name: 'Content-Length body',
    input: `${post}Content-Length: 5\r\n\r\nhello`,
    events: ['#1 POST / @a content-length=5;', '#1 data "hello"', '#1 end'],
  },
  {
    name: 'Content-Length 0',
    input: `${post}Content-Length: 0\r\n\r\n`,
    events: ['#1 POST / @a content-length=0; END'],
  },
  {
    name: 'chunked body',
    input: `${post}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;x="y"\r\n 123456789\r\n0\r\n\r\n`,
    events: ['#1 POST / @a', '#1 data "hello 123456789"', '#1 end'],
  },
  {
    name: 'chunk extension after white space',
    input: `${post}Transfer-Encoding: chunked\r\n\r\n2 \t;a=b\r\nab\r\nA\r\n0123456789\r\n0;last\r\n\r\n`,
    events: ['#1 POST / @a', '#1 data "ab0123456789"', '#1 end'],
  },
  {
    name: 'trailers are dropped unless enabled',
    input: `${post}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: 1\r\n\r\n`,
    events: ['#1 POST / @a', '#1 data "a"', '#1 end'],
  },
  {
    name: 'trailers, without those that frame or route',
    input: `${post}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\ncontent-length: 7\r\nHost: b\r\nGrpc-Status: 0\r\n\r\n`,
    events: ['#1 POST / @a', '#1 data "a"', '#1 trailers x-t=1; grpc-status=0;'],
    options: { enableTrailers: true },
  },
  {
    name: 'only such trailers as are dropped',
    input: `${post}Transfer-Encoding: chunked\r\n\r\n0\r\ncontent-length: 7\r\n\r\n`,
    events: ['#1 POST / @a', '#1 end'],
    options: { enableTrailers: true },
  },
  {
    name: 'Content-Length beside chunked where allowed',
    input: `${post}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    events: ['#1 POST / @a', '#1 data "a"', '#1 end'],
    options: { allowChunkedLength: true },
  },
  {
    name: 'hop-by-hop fields and what Connection nominates are removed',
    input: `${get}Connection: X-A, keep-alive\r\nX-A: 1\r\nx-b: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\r\n`,
    events: ['#1 GET / @a x-b=2; END'],
  },
  {
    name: 'nominated before and after, in several Connection fields',
    input: `${get}x-a: 1\r\nConnection: x-a\r\nConnection: X-C\r\nx-a: 2\r\nx-c: 3\r\n\r\n`,
    events: ['#1 GET / @a END'],
  },
  {
    name: 'TE is reduced to trailers',
    input: `${get}Connection: TE\r\nTE: gzip;q=1, Trailers\r\n\r\n`,
    events: ['#1 GET / @a te=trailers; END'],
  },
  { name: 'TE without trailers is removed', input: `${get}TE: gzip\r\n\r\n`, events: ['#1 GET / @a END'] },
  {
    name: 'Upgrade without Connection is removed',
    input: `${get}Upgrade: websocket\r\n\r\n`,
    events: ['#1 GET / @a END'],
  },
  {
    name: 'h2c upgrade is ignored',
    input: `${get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    events: ['#1 GET / @a END'],
  },
  {
    name: 'configured upgrade is ignored',
    input: `${get}Connection: Upgrade\r\nUpgrade: foo\r\n\r\n`,
    events: ['#1 GET / @a END'],
    options: { ignoreUpgrade: (protocol) => protocol === 'foo' },
  },
  {
    name: 'upgrade stays, as Connection and Upgrade',
    input: `${get}Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nContent-Length: 0\r\n\r\n`,
    events: ['#1 GET / @a connection=upgrade; upgrade=WebSocket;'],
  },
  {
    name: 'CONNECT',
    input: 'CONNECT b:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 CONNECT  @b:80'],
  },
  {
    name: 'Expect is passed on',
    input: `${post}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
    events: ['#1 POST / @a expect=100-continue; content-length=1;'],
  },
  {
    name: 'HTTP/1.0',
    input: 'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
    events: ['#1 GET / @a END'],
    options: { acceptHttp10: true },
  },
  {
    name: 'HTTP/1.0 without Host',
    input: 'GET / HTTP/1.0\r\n\r\n',
    events: ['#1 GET / @ END'],
    options: { acceptHttp10: true },
  },
  {
    name: 'HTTP/1.0 without Host, with a default',
    input: 'GET / HTTP/1.0\r\n\r\n',
    events: ['#1 GET / @d END'],
    options: { acceptHttp10: true, defaultHostForHttp10: 'd' },
  },
  {
    name: 'HTTP/1.0 cannot upgrade',
    input: 'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    events: ['#1 GET / @a END'],
    options: { acceptHttp10: true },
  },
  { name: 'underscores kept', input: `${get}x_y: 1\r\n\r\n`, events: ['#1 GET / @a x_y=1; END'] },
  {
    name: 'underscores dropped',
    input: `${get}x_y: 1\r\nx: 2\r\n\r\n`,
    events: ['#1 GET / @a x=2; END'],
    options: { headersWithUnderscores: 'drop' },
  },
  {
    name: 'head of exactly the limit',
    input: `${get}x: ${'a'.repeat(100 - get.length - 7)}\r\n\r\n`,
    events: [`#1 GET / @a x=${'a'.repeat(100 - get.length - 7)}; END`],
    options: { maxHeadOctets: 100 },
  },
  {
    name: 'as many fields as allowed',
    input: `${get}b: 1\r\nc: 1\r\n\r\n`,
    events: ['#1 GET / @a b=1; c=1; END'],
    options: { maxHeadersCount: 3 },
  },
];

for (const { name, input, events, options } of accepted) {
  for (const pieceOctets of feedings) {
    test(`accepted: ${name} (pieces of ${pieceOctets})`, () => {
      const server = new ServerUnderTest(options).feed(input, pieceOctets);
      assert.deepEqual(server.log.take(), events);
      assert.equal(server.status, 0);
    });
  }
}

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
  server.feed(`${get}\r\n`);
  server.codec.onConnectionAboveWriteBufferHighWatermark();
  server.codec.onConnectionBelowWriteBufferLowWatermark();
  assert.deepEqual(server.log.take(), ['#1 GET / @a END', '#1 above', '#1 below']);
});

test('octets received are counted, framing included', () => {
  const input = `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: 1\r\n\r\n`;
  for (const pieceOctets of feedings) {
    const server = new ServerUnderTest().feed(input, pieceOctets);
    assert.equal(server.last.encoder.wireOctetsReceived, input.length);
  }
});
