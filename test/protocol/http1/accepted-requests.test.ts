import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { feedings, ServerUnderTest } from './harness.ts';

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
