import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ClientUnderTest, octets, ServerUnderTest } from './harness.ts';

const options = { enableTrailers: true };
const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
const name = fc
  .string({ unit: fc.constantFrom(...tokenCharacters), minLength: 1, maxLength: 20 })
  .filter((text) => !/^(host|connection|te|upgrade|keep-alive|proxy-connection|content-length)$/.test(text));
const valueUnit = fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }));
const word = fc.array(valueUnit, { minLength: 1, maxLength: 12 }).map((codes) => String.fromCharCode(...codes));
const value = fc.array(word, { maxLength: 4 }).map((words) => words.join(' \t'));
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 });
const path = fc
  .string({ unit: fc.constantFrom(...'abcXYZ019-._~!$&\'()*+,;=:@%/?"<>\\^`{|}'), maxLength: 40 })
  .map((text) => `/${text}`);
const bodyPieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });

function mapOf(list: readonly [string, string][]): HeaderMap {
  return new HeaderMap(list.flat());
}

/** Feeds `text` cut at the given lengths, over and over. */
function feedCut(target: { feed(text: string): unknown }, text: string, lengths: readonly number[]): void {
  for (let at = 0, i = 0; at < text.length; i++) {
    const end = at + lengths[i % lengths.length]!;
    target.feed(text.slice(at, end));
    at = end;
  }
}

function bodyOf(pieces: readonly Uint8Array[]): string {
  return pieces.map((piece) => String.fromCharCode(...piece)).join('');
}

test('what the client codec writes, the server codec reads, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
      path,
      fields,
      bodyPieces,
      fc.boolean(),
      fields,
      cuts,
      (method, target, list, body, withLength, trailerList, lengths) => {
        const content = bodyOf(body);
        const headers = mapOf(list);
        if (withLength) headers.add('content-length', String(content.length));
        const client = new ClientUnderTest(options);
        const encoder = client.start();
        const endStream = content === '' && !withLength && trailerList.length === 0;
        assert.equal(encoder.encodeHeaders(new RequestHead(method, target, 'a.b:80', '', headers), endStream), 0);
        for (const piece of body) encoder.encodeData(piece, false);
        if (!endStream) encoder.encodeTrailers(mapOf(trailerList));
        const wire = client.connection.takeText();

        const server = new ServerUnderTest(options);
        feedCut(server, wire, lengths);
        server.log.flush();
        const { head } = server.last;
        assert.deepEqual([head!.method, head!.path, head!.authority], [method, target, 'a.b:80']);
        const seen = head!.headers.clone();
        if (endStream && !['GET', 'DELETE'].includes(method)) seen.remove('content-length');
        assert.deepEqual(seen.entries, headers.entries);
        const events = server.log.take();
        const data = events.find((event) => event.startsWith('#1 data '));
        assert.equal(data === undefined ? '' : JSON.parse(data.slice(8)), content);
        const expectedEnd =
          trailerList.length > 0 && !withLength
            ? '#1 trailers'
            : endStream || (withLength && content === '')
              ? '#1 '
              : '#1 end';
        assert.ok(events.at(-1)!.startsWith(expectedEnd), events.at(-1));
        assert.equal(server.status, 0);
        assert.equal(server.last.encoder.wireOctetsReceived, wire.length);
      },
    ),
    { numRuns: 300, seed: 11 },
  );
});

test('what the server codec writes, the client codec reads, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
      fields,
      bodyPieces,
      fc.boolean(),
      cuts,
      (status, list, body, withLength, lengths) => {
        const content = bodyOf(body);
        const headers = mapOf(list);
        if (withLength) headers.add('content-length', String(content.length));
        const server = new ServerUnderTest(options).feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        const { encoder } = server.last;
        assert.equal(encoder.encodeHeaders(new ResponseHead(status, headers), false), 0);
        for (const piece of body) encoder.encodeData(piece, false);
        encoder.encodeData(new Uint8Array(0), true);
        assert.equal(server.codec.closing, false);

        const client = new ClientUnderTest(options);
        client.request(new RequestHead('GET', '/', 'a', '', new HeaderMap()));
        feedCut(client, server.connection.takeText(), lengths);
        const events = client.log.take();
        assert.ok(events[0]!.startsWith(`#1 ${status}`));
        const data = events.find((event) => event.startsWith('#1 data '));
        assert.equal(data === undefined ? '' : JSON.parse(data.slice(8)), content);
        assert.equal(events.at(-1), '#1 closed, reusable');
      },
    ),
    { numRuns: 300, seed: 12 },
  );
});

test('no text in a head can add a line to it', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 12 });
  fc.assert(
    fc.property(anything, anything, anything, anything, anything, (method, target, authority, key, text) => {
      const client = new ClientUnderTest();
      const head = new RequestHead(method, target, authority, '', new HeaderMap([key, text]));
      const status = client.start().encodeHeaders(head, true);
      const wire = client.connection.takeText();
      if (status !== 0) assert.equal(wire, '');
      else assert.ok(wire.endsWith('\r\n\r\n') && wire.split('\r\n').length <= 6, JSON.stringify(wire));
    }),
    { numRuns: 500, seed: 13 },
  );
});

test('any octets at all leave the codec in a sound state', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (bytes, lengths) => {
      const server = new ServerUnderTest({}, true);
      feedCut(server, String.fromCharCode(...bytes), lengths);
      server.codec.onConnectionClosed('connection_termination', 'end');
      assert.equal(server.codec.activeStreams, 0);
      assert.equal(server.connection.disabled, 0);
      assert.equal(octets(server.connection.takeText()).length >= 0, true);
    }),
    { numRuns: 500, seed: 14 },
  );
});
