import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { ClientUnderTest, feedings, octets } from './harness.ts';

function request(method = 'GET', entries: string[] = [], path = '/'): RequestHead {
  return new RequestHead(method, path, 'a', 'http', new HeaderMap(entries));
}

interface Answer {
  readonly name: string;
  readonly input: string;
  readonly events: readonly string[];
  readonly method?: string;
  /** The server half-closes after the input. */
  readonly close?: boolean;
  readonly options?: Partial<Http1Options>;
}

const reset = '#1 reset protocol_error';

/** What a server says, and what its owner sees. */
const answers: readonly Answer[] = [
  {
    name: 'no body',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'body',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    events: ['#1 200 content-length=2;', '#1 data "ok"', '#1 end', '#1 closed, reusable'],
  },
  {
    name: 'no reason phrase',
    input: 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'not even its space',
    input: 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'any reason phrase',
    input: 'HTTP/1.1 404 \xe9 \t!\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 404 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'chunked with trailers',
    input: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
    events: ['#1 200', '#1 data "ok"', '#1 trailers x-t=1;', '#1 closed, reusable'],
    options: { enableTrailers: true },
  },
  {
    name: 'until close',
    input: 'HTTP/1.1 200 OK\r\n\r\nall of it',
    close: true,
    events: ['#1 200', '#1 data "all of it"', '#1 end', '#1 closed'],
  },
  {
    name: 'empty until close',
    input: 'HTTP/1.1 200 OK\r\n\r\n',
    close: true,
    events: ['#1 200', '#1 end', '#1 closed'],
  },
  {
    name: 'connection: close',
    input: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed'],
  },
  {
    name: 'proxy-connection: close',
    input: 'HTTP/1.1 200 OK\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed'],
  },
  {
    name: 'HTTP/1.0',
    input: 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed'],
  },
  {
    name: 'HTTP/1.0 keep-alive',
    input: 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  { name: '204', input: 'HTTP/1.1 204 No Content\r\n\r\n', events: ['#1 204 END', '#1 closed, reusable'] },
  {
    name: '204 with length 0',
    input: 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 204 END', '#1 closed, reusable'],
  },
  {
    name: '204 with a length',
    input: 'HTTP/1.1 204 X\r\nContent-Length: 1\r\n\r\nx',
    events: [`${reset} http1.content_length_not_allowed`, '#1 closed'],
  },
  {
    name: '204 chunked',
    input: 'HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    events: [`${reset} http1.transfer_encoding_not_allowed`, '#1 closed'],
  },
  {
    name: '304 has no body',
    input: 'HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n',
    events: ['#1 304 content-length=5; END', '#1 closed, reusable'],
  },
  {
    name: 'answer to HEAD has no body',
    method: 'HEAD',
    input: 'HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n',
    events: ['#1 200 content-length=5; END', '#1 closed, reusable'],
  },
  {
    name: 'answer to HEAD, chunked',
    method: 'HEAD',
    input: 'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n',
    events: ['#1 200 END', '#1 closed, reusable'],
  },
  {
    name: 'interim responses',
    input:
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 interim 100', '#1 interim 103 link=</x>;', '#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'hop-by-hop fields are removed',
    input: 'HTTP/1.1 200 OK\r\nConnection: x-a\r\nX-A: 1\r\nKeep-Alive: x\r\nUpgrade: h2\r\nContent-Length: 0\r\n\r\n',
    events: ['#1 200 content-length=0; END', '#1 closed, reusable'],
  },
  {
    name: 'octets after the response',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nH',
    events: ['#1 200 content-length=0; END', '#1 closed'],
  },
  {
    name: 'a second response',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n',
    events: ['#1 200 content-length=1;', '#1 data "x"', '#1 end', '#1 closed'],
  },
  {
    name: 'the end before the head',
    input: '',
    close: true,
    events: ['#1 reset connection_termination upstream_remote_close', '#1 closed'],
  },
  {
    name: 'the end within the head',
    input: 'HTTP/1.1 200 OK\r\n',
    close: true,
    events: ['#1 reset connection_termination upstream_remote_close', '#1 closed'],
  },
  {
    name: 'the end within a body',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc',
    close: true,
    events: [
      '#1 200 content-length=5;',
      '#1 data "abc"',
      '#1 reset connection_termination upstream_remote_close',
      '#1 closed',
    ],
  },
  {
    name: 'the end within a chunked body',
    input: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    close: true,
    events: ['#1 200', '#1 data "abc"', '#1 reset connection_termination upstream_remote_close', '#1 closed'],
  },
  {
    name: 'bare LF',
    input: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  {
    name: 'bare LF in the fields',
    input: 'HTTP/1.1 200 OK\r\na: b\nContent-Length: 0\r\n\r\n',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  {
    name: 'status of two digits',
    input: 'HTTP/1.1 20 OK\r\n\r\n',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  {
    name: 'status of four digits',
    input: 'HTTP/1.1 2000 OK\r\n\r\n',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  { name: 'status below 100', input: 'HTTP/1.1 099 OK\r\n\r\n', events: [`${reset} http1.codec_error`, '#1 closed'] },
  { name: 'another protocol', input: 'ICY 200 OK\r\n\r\n', events: [`${reset} http1.codec_error`, '#1 closed'] },
  {
    name: 'HTTP/2 settings',
    input: '\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  {
    name: 'two lengths',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
    events: [`${reset} http1.codec_error`, '#1 closed'],
  },
  {
    name: 'length and chunked',
    input: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    events: [`${reset} http1.content_length_and_chunked_not_allowed`, '#1 closed'],
  },
  {
    name: 'gzip, chunked',
    input: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    events: [`${reset} http1.invalid_transfer_encoding`, '#1 closed'],
  },
  {
    name: 'head above the limit',
    input: `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(300)}\r\n\r\n`,
    options: { maxHeadOctets: 200 },
    events: [`${reset} http1.headers_too_large`, '#1 closed'],
  },
  {
    name: 'too many fields',
    input: 'HTTP/1.1 200 OK\r\na: 1\r\nb: 1\r\n\r\n',
    options: { maxHeadersCount: 1 },
    events: [`${reset} http1.too_many_headers`, '#1 closed'],
  },
  {
    name: 'bad chunk',
    input: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
    events: ['#1 200', `${reset} http1.codec_error`, '#1 closed'],
  },
];

for (const { name, input, events, method, close, options } of answers) {
  for (const pieceOctets of feedings) {
    test(`response: ${name} (pieces of ${pieceOctets})`, () => {
      const client = new ClientUnderTest(options);
      client.request(request(method ?? 'GET'));
      client.feed(input, pieceOctets);
      if (close === true) client.codec.onRemoteClose();
      const seen = client.log.take();
      // In pieces the octets after a response come when the connection counts as reusable: they end it then.
      if (pieceOctets > 0 && name.startsWith('octets after')) assert.deepEqual(seen.slice(0, 1), events.slice(0, 1));
      else if (pieceOctets > 0 && name.startsWith('a second')) assert.deepEqual(seen.slice(0, 3), events.slice(0, 3));
      else assert.deepEqual(seen, events);
      assert.equal(
        client.status,
        seen.some((event) => event.includes('protocol_error')) ||
          (events.at(-1) === '#1 closed' && /after the|second/.test(name))
          ? 1
          : 0,
      );
      assert.equal(client.connection.disabled, 0);
    });
  }
}

interface Sent {
  readonly name: string;
  readonly head: RequestHead;
  readonly body?: readonly string[];
  readonly wire: string;
  readonly options?: Partial<Http1Options>;
}

const sent: readonly Sent[] = [
  { name: 'GET', head: request('GET', ['x', 'y'], '/p?q'), wire: 'GET /p?q HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n' },
  {
    name: 'POST without a body',
    head: request('POST'),
    wire: 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
  },
  { name: 'DELETE without a body', head: request('DELETE'), wire: 'DELETE / HTTP/1.1\r\nhost: a\r\n\r\n' },
  {
    name: 'given length',
    head: request('POST', ['content-length', '2']),
    body: ['ok'],
    wire: 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok',
  },
  {
    name: 'unknown length',
    head: request('PUT'),
    body: ['ab', 'c'],
    wire: 'PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'hop-by-hop fields and Host of the map are left out',
    head: request('GET', [
      'host',
      'evil',
      'connection',
      'keep-alive',
      'keep-alive',
      'x',
      'upgrade',
      'h2',
      'transfer-encoding',
      'x',
      'te',
      'trailers',
    ]),
    wire: 'GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n',
  },
  {
    name: 'full URL',
    head: request('GET'),
    wire: 'GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n',
    options: { sendFullyQualifiedUrl: true },
  },
  {
    name: 'proper case',
    head: request('POST', ['x-a', 'b']),
    wire: 'POST / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 0\r\n\r\n',
    options: { headerKeyFormat: 'proper' },
  },
  {
    name: 'asterisk form',
    head: request('OPTIONS', [], '*'),
    wire: 'OPTIONS * HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
  },
];

for (const { name, head, body, wire, options } of sent) {
  test(`request: ${name}`, () => {
    const client = new ClientUnderTest(options);
    const encoder = client.start();
    assert.equal(encoder.encodeHeaders(head, body === undefined), 0);
    for (const piece of body ?? []) encoder.encodeData(octets(piece), false);
    if (body !== undefined) encoder.encodeData(new Uint8Array(0), true);
    assert.equal(client.connection.takeText(), wire);
    assert.equal(encoder.wireOctetsSent, wire.length);
  });
}

const unsendable: readonly { name: string; head: RequestHead; code: number }[] = [
  { name: 'no method', head: request(''), code: 1 },
  { name: 'no path', head: request('GET', [], ''), code: 1 },
  { name: 'space in the method', head: request('GET /x'), code: 2 },
  { name: 'space in the path', head: request('GET', [], '/a b'), code: 2 },
  { name: 'CRLF in the path', head: request('GET', [], '/ HTTP/1.1\r\nx: y'), code: 2 },
  { name: 'path without a slash', head: request('GET', [], 'x'), code: 2 },
  { name: 'LF in a value', head: request('GET', ['x', 'a\nb']), code: 2 },
  { name: 'LF in the authority', head: new RequestHead('GET', '/', 'a\nb', '', new HeaderMap()), code: 2 },
];

for (const { name, head, code } of unsendable) {
  test(`not sendable: ${name}`, () => {
    const client = new ClientUnderTest();
    assert.equal(client.start().encodeHeaders(head, true), code);
    assert.equal(client.connection.takeText(), '');
  });
}

test('a connection carries one exchange after the other', () => {
  const client = new ClientUnderTest();
  for (let i = 1; i <= 3; i++) {
    client.request(request());
    client.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    assert.deepEqual(client.log.take(), [`#${i} 200 content-length=0; END`, `#${i} closed, reusable`]);
  }
});

test('a response that ends before its request spends the connection', () => {
  const client = new ClientUnderTest();
  const encoder = client.start();
  encoder.encodeHeaders(request('POST', ['content-length', '5']), false);
  encoder.encodeData(octets('ab'), false);
  client.feed('HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n');
  assert.deepEqual(client.log.take(), ['#1 413 content-length=0; END', '#1 closed']);
  client.connection.takeText();
  encoder.encodeData(octets('cde'), true);
  assert.equal(client.connection.takeText(), '');
});

test('a request shorter than its length is reset', () => {
  const client = new ClientUnderTest();
  const encoder = client.start();
  encoder.encodeHeaders(request('POST', ['content-length', '5']), false);
  encoder.encodeData(octets('ab'), true);
  assert.deepEqual(client.log.take(), ['#1 reset local_reset http1.request_incomplete', '#1 closed']);
});

test('octets on an idle connection end it', () => {
  const client = new ClientUnderTest();
  client.feed('HTTP/1.1 408 Request Timeout\r\n\r\n');
  assert.equal(client.status, 1);
  assert.equal(client.start().encodeHeaders(request(), true), 2);
});

test('back-pressure: held octets and the end behind them come when the stream wants them', () => {
  const client = new ClientUnderTest();
  const encoder = client.request(request());
  client.feed('HTTP/1.1 200 OK\r\n\r\nab');
  encoder.readDisable(true);
  client.feed('cd');
  client.codec.onRemoteClose();
  assert.deepEqual(client.log.take(), ['#1 200', '#1 data "ab"']);
  encoder.readDisable(false);
  client.connection.endTurn();
  assert.deepEqual(client.log.take(), ['#1 data "cd"', '#1 end', '#1 closed']);
  assert.equal(client.connection.disabled, 0);
});

test('resetStream spends the connection', () => {
  const client = new ClientUnderTest();
  client.request(request()).resetStream('local_reset');
  assert.deepEqual(client.log.take(), ['#1 closed']);
  client.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.deepEqual(client.log.take(), []);
});

test('the end of the connection resets what is open', () => {
  const client = new ClientUnderTest();
  client.request(request());
  client.codec.onConnectionClosed('connection_termination', 'ECONNRESET');
  assert.deepEqual(client.log.take(), ['#1 reset connection_termination ECONNRESET', '#1 closed']);
});
