import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { feedings, ServerUnderTest } from './harness.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n';
const post = 'POST / HTTP/1.1\r\nHost: a\r\n';
const codec = '400 http1.codec_error';
const characters = '400 http1.invalid_characters';
const url = '400 http1.invalid_url';
const authority = '400 http.invalid_authority';
const encoding = '501 http1.invalid_transfer_encoding';
const nominated = '400 http1.connection_header_rejected';

interface Hostile {
  readonly name: string;
  readonly input: string;
  readonly bad: string;
  readonly options?: Partial<Http1Options>;
}

/** Requests of which nothing may be passed on: answered with `bad`, then the connection closes. */
const cases: readonly Hostile[] = [
  { name: 'bare LF ends the request line', input: 'GET / HTTP/1.1\nHost: a\r\n\r\n', bad: codec },
  { name: 'bare LF before the request line', input: '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'bare CR before the request line', input: '\rGET / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'bare LF ends a field', input: `${get}x: a\ny: b\r\n\r\n`, bad: codec },
  { name: 'bare LF ends the head', input: `${get}x: a\r\n\n`, bad: codec },
  { name: 'bare CR in a value', input: `${get}x: a\rb\r\n\r\n`, bad: codec },
  { name: 'bare CR ends a field', input: `${get}x: a\ry: b\r\n\r\n`, bad: codec },
  { name: 'CR CR LF ends a field', input: `${get}x: a\r\r\n\r\n`, bad: codec },
  { name: 'bare CR in the request line', input: 'GET /\r HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'obs-fold with a space', input: `${get}x: a\r\n b\r\n\r\n`, bad: codec },
  { name: 'obs-fold with a tab', input: `${get}x: a\r\n\tb\r\n\r\n`, bad: codec },
  { name: 'white space before the first field', input: 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', bad: codec },
  { name: 'space before the colon', input: `${get}x : a\r\n\r\n`, bad: codec },
  { name: 'tab before the colon', input: `${get}x\t: a\r\n\r\n`, bad: codec },
  { name: 'space before the colon of Content-Length', input: `${post}Content-Length : 3\r\n\r\nabc`, bad: codec },
  { name: 'at sign in a name', input: `${get}x@y: a\r\n\r\n`, bad: codec },
  { name: 'slash in a name', input: `${get}x/y: a\r\n\r\n`, bad: codec },
  { name: 'octet above 0x7F in a name', input: `${get}x\xff: a\r\n\r\n`, bad: codec },
  { name: 'NUL in a name', input: `${get}x\0y: a\r\n\r\n`, bad: codec },
  { name: 'empty name', input: `${get}: a\r\n\r\n`, bad: codec },
  { name: 'line without a colon', input: `${get}xyz\r\n\r\n`, bad: codec },
  { name: 'NUL in a value', input: `${get}x: a\0b\r\n\r\n`, bad: characters },
  { name: 'control character in a value', input: `${get}x: a\x01b\r\n\r\n`, bad: characters },
  { name: 'DEL in a value', input: `${get}x: a\x7fb\r\n\r\n`, bad: characters },
  { name: 'vertical tab in a value', input: `${get}x: a\x0bb\r\n\r\n`, bad: characters },

  { name: 'method with a bad character', input: 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'method that is not registered', input: 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'method in lower case', input: 'get / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'no method', input: ' / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'two spaces after the method', input: 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'tab after the method', input: 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'space in the target', input: 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'two spaces before the version', input: 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'space after the version', input: 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', bad: codec },
  { name: 'HTTP/0.9 request line', input: 'GET /\r\n\r\n', bad: codec },
  { name: 'version 2.0', input: 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'version 1.2', input: 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'version 1.10', input: 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'version 01.1', input: 'GET / HTTP/01.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'version in lower case', input: 'GET / http/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'another protocol', input: 'GET / ICAP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'a TLS ClientHello', input: '\x16\x03\x01\x02\x00\x01\x00\x00', bad: codec },
  { name: 'the HTTP/2 preface', input: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', bad: codec },

  { name: 'target without a slash', input: 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  {
    name: 'target with a fragment',
    input: 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n',
    bad: '400 path_normalization_failed',
  },
  { name: 'octet above 0x7F in the target', input: 'GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n', bad: codec },
  { name: 'control character in the target', input: 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n', bad: characters },
  { name: 'DEL in the target', input: 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', bad: characters },
  { name: 'asterisk with GET', input: 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  {
    name: 'absolute form with another scheme',
    input: 'GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    bad: '400 http1.invalid_scheme',
  },
  { name: 'absolute form with user information', input: 'GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'absolute form without authority', input: 'GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'absolute form with a port only', input: 'GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'absolute form with a bad port', input: 'GET http://b:70000/ HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'absolute form without Host', input: 'GET http://b/ HTTP/1.1\r\n\r\n', bad: '400 missing_host_header' },
  {
    name: 'absolute form where it is not allowed',
    input: 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    bad: url,
    options: { allowAbsoluteUrl: false },
  },
  { name: 'no Host', input: 'GET / HTTP/1.1\r\n\r\n', bad: '400 missing_host_header' },
  { name: 'two equal Hosts', input: `${get}Host: a\r\n\r\n`, bad: authority },
  { name: 'two different Hosts', input: `${get}Host: b\r\n\r\n`, bad: authority },
  { name: 'space in Host', input: 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', bad: authority },
  { name: 'slash in Host', input: 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', bad: authority },
  { name: 'user information in Host', input: 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', bad: authority },
  { name: 'bad port in Host', input: 'GET / HTTP/1.1\r\nHost: a:b\r\n\r\n', bad: authority },
  { name: 'port above 65535 in Host', input: 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', bad: authority },
  { name: 'open bracket in Host', input: 'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', bad: authority },
  { name: 'two addresses in Host', input: 'GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n', bad: authority },

  { name: 'two equal Content-Lengths', input: `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`, bad: codec },
  {
    name: 'two different Content-Lengths',
    input: `${post}Content-Length: 2\r\ncontent-length: 3\r\n\r\nab`,
    bad: codec,
  },
  { name: 'list of Content-Lengths', input: `${post}Content-Length: 2, 2\r\n\r\nab`, bad: codec },
  { name: 'plus in Content-Length', input: `${post}Content-Length: +2\r\n\r\nab`, bad: codec },
  { name: 'minus in Content-Length', input: `${post}Content-Length: -2\r\n\r\nab`, bad: codec },
  { name: 'hexadecimal Content-Length', input: `${post}Content-Length: 0x2\r\n\r\nab`, bad: codec },
  { name: 'space in Content-Length', input: `${post}Content-Length: 1 2\r\n\r\nab`, bad: codec },
  { name: 'empty Content-Length', input: `${post}Content-Length:\r\n\r\n`, bad: codec },
  { name: 'Content-Length beyond 2^53', input: `${post}Content-Length: 9007199254740993\r\n\r\n`, bad: codec },
  { name: 'Content-Length beyond 2^64', input: `${post}Content-Length: 18446744073709551616\r\n\r\n`, bad: codec },
  {
    name: 'Content-Length and chunked',
    input: `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    bad: '400 http1.content_length_and_chunked_not_allowed',
  },
  {
    name: 'chunked and Content-Length',
    input: `${post}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n`,
    bad: '400 http1.content_length_and_chunked_not_allowed',
  },
  { name: 'Transfer-Encoding gzip', input: `${post}Transfer-Encoding: gzip\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding gzip, chunked', input: `${post}Transfer-Encoding: gzip, chunked\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding chunked, gzip', input: `${post}Transfer-Encoding: chunked, gzip\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding identity', input: `${post}Transfer-Encoding: identity\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding empty', input: `${post}Transfer-Encoding:\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding in quotes', input: `${post}Transfer-Encoding: "chunked"\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding with a parameter', input: `${post}Transfer-Encoding: chunked;q=1\r\n\r\n`, bad: encoding },
  { name: 'Transfer-Encoding xchunked', input: `${post}Transfer-Encoding: xchunked\r\n\r\n`, bad: encoding },
  {
    name: 'Transfer-Encoding with a vertical tab',
    input: `${post}Transfer-Encoding: \x0bchunked\r\n\r\n`,
    bad: characters,
  },
  {
    name: 'Transfer-Encoding twice',
    input: `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    bad: encoding,
  },
  {
    name: 'Transfer-Encoding with HTTP/1.0',
    input: 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    bad: '400 http1.invalid_transfer_encoding',
    options: { acceptHttp10: true },
  },
  { name: 'HTTP/1.0 where it is not accepted', input: 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', bad: '426 low_version' },

  { name: 'CONNECT without a port', input: 'CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'CONNECT with a path', input: 'CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  { name: 'CONNECT with an empty host', input: 'CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n', bad: url },
  {
    name: 'CONNECT with a body',
    input: 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab',
    bad: '400 http1.body_disallowed',
  },
  {
    name: 'CONNECT with chunks',
    input: 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    bad: encoding,
  },
  {
    name: 'upgrade with a body',
    input: `${get}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab`,
    bad: '400 http1.body_disallowed',
  },

  { name: 'Connection nominates Host', input: `${get}Connection: host\r\n\r\n`, bad: nominated },
  { name: 'Connection nominates Content-Length', input: `${get}Connection: content-length\r\n\r\n`, bad: nominated },
  { name: 'Connection nominates X-Forwarded-For', input: `${get}Connection: X-Forwarded-For\r\n\r\n`, bad: nominated },
  { name: 'Connection nominates a pseudo-header', input: `${get}Connection: :path\r\n\r\n`, bad: nominated },
  { name: 'Connection nominates too many', input: `${get}Connection: a,b,c,d,e,f,g,h,i,j,k\r\n\r\n`, bad: nominated },
  {
    name: 'underscore in a name where it is refused',
    input: `${get}x_y: 1\r\n\r\n`,
    bad: '400 http1.unexpected_underscore',
    options: { headersWithUnderscores: 'reject' },
  },

  {
    name: 'head above the limit',
    input: `${get}x: ${'a'.repeat(500)}\r\n\r\n`,
    bad: '431 http1.headers_too_large',
    options: { maxHeadOctets: 400 },
  },
  {
    name: 'target above the limit, and no end of line',
    input: `GET /${'a'.repeat(500)}`,
    bad: '431 http1.headers_too_large',
    options: { maxHeadOctets: 400 },
  },
  {
    name: 'one field too many',
    input: `${get}a: 1\r\nb: 1\r\nc: 1\r\n\r\n`,
    bad: '431 http1.too_many_headers',
    options: { maxHeadersCount: 3 },
  },
];

for (const { name, input, bad, options } of cases) {
  for (const pieceOctets of feedings) {
    test(`refused: ${name} (pieces of ${pieceOctets})`, () => {
      const server = new ServerUnderTest(options ?? {}, true).feed(input, pieceOctets);
      const [status] = bad.split(' ');
      assert.deepEqual(server.log.take(), [`#1 bad ${bad}`, '#1 complete, closing']);
      assert.equal(server.status, 1);
      assert.equal(server.codec.closing, true);
      const reply = server.connection.takeText();
      assert.match(reply, new RegExp(`^HTTP/1\\.[01] ${status} `));
      assert.match(reply, /\r\nconnection: close\r\n/);
      server.feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.deepEqual(server.log.take(), []);
      assert.equal(server.connection.disabled, 0);
    });
  }
}

/** Bodies that break a rule after the head was passed on: the open stream is answered, if nothing was sent yet. */
const badBodies: readonly { name: string; body: string; bad: string; options?: Partial<Http1Options> }[] = [
  { name: 'size that is not hexadecimal', body: 'zz\r\n\r\n', bad: codec },
  { name: 'empty size', body: '\r\n\r\n', bad: codec },
  { name: 'size with 0x', body: '0x2\r\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'negative size', body: '-1\r\n\r\n', bad: codec },
  { name: 'space before the size', body: ' 2\r\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'space after the size', body: '2 \r\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'size beyond 2^53', body: 'fffffffffffffff\r\nab', bad: codec },
  { name: 'size of many zeros', body: `${'0'.repeat(40)}\r\n\r\n`, bad: codec },
  { name: 'bare LF after the size', body: '2\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'bare CR after the size', body: '2\rab\r\n0\r\n\r\n', bad: codec },
  { name: 'bare LF in an extension', body: '2;a\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'control character in an extension', body: '2;a\x00\r\nab\r\n0\r\n\r\n', bad: codec },
  { name: 'endless extension', body: `2;${'a'.repeat(2000)}\r\nab\r\n0\r\n\r\n`, bad: codec },
  { name: 'extensions that outweigh the data', body: `1;${'a'.repeat(1000)}\r\na\r\n`.repeat(20), bad: codec },
  { name: 'no CRLF after the data', body: '2\r\nabX\r\n0\r\n\r\n', bad: codec },
  { name: 'bare LF after the data', body: '2\r\nab\n0\r\n\r\n', bad: codec },
  { name: 'bad character in a trailer name', body: '0\r\nx y: 1\r\n\r\n', bad: codec },
  { name: 'bare LF in the trailers', body: '0\r\nx: 1\n\r\n', bad: codec },
  { name: 'bare LF ends the body', body: '0\r\n\n', bad: codec },
  { name: 'folded trailer', body: '0\r\nx: 1\r\n 2\r\n\r\n', bad: codec },
  { name: 'NUL in a trailer', body: '0\r\nx: \0\r\n\r\n', bad: characters },
  {
    name: 'trailers above the limit',
    body: `0\r\nx: ${'a'.repeat(500)}\r\n\r\n`,
    bad: '431 http1.trailers_too_large',
    options: { maxHeadOctets: 400 },
  },
  {
    name: 'too many trailers',
    body: '0\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n',
    bad: '431 http1.too_many_trailers',
    options: { maxHeadersCount: 3 },
  },
];

for (const { name, body, bad, options } of badBodies) {
  for (const pieceOctets of feedings) {
    test(`refused chunked body: ${name} (pieces of ${pieceOctets})`, () => {
      const server = new ServerUnderTest(options ?? {}, true);
      server.feed(`${post}Transfer-Encoding: chunked\r\n\r\n${body}`, pieceOctets);
      const events = server.log.take().filter((event) => !event.startsWith('#1 data'));
      assert.deepEqual(events, ['#1 POST / @a', `#1 bad ${bad}`, '#1 complete, closing']);
      assert.equal(server.status, 1);
    });
  }
}

test('a bad body after the response has begun resets the stream', () => {
  const server = new ServerUnderTest().feed(`${post}Transfer-Encoding: chunked\r\n\r\n`);
  server.log.take();
  server.last.encoder.encodeHeaders(new ResponseHead(200), false);
  server.feed('zz\r\n');
  assert.deepEqual(server.log.take(), ['#1 reset protocol_error http1.codec_error']);
  assert.equal(server.codec.closing, true);
  assert.equal(server.status, 1);
});
