import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ClientUnderTest, feedings, octets, ServerUnderTest } from './harness.ts';

const upgrade = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const connect = 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n';
const end = new Uint8Array(0);

function upgradeHead(): RequestHead {
  return new RequestHead('GET', '/chat', 'a', '', new HeaderMap(['connection', 'upgrade', 'upgrade', 'websocket']));
}

for (const pieceOctets of feedings) {
  test(`server: an accepted upgrade becomes a tunnel both ways (pieces of ${pieceOctets})`, () => {
    const server = new ServerUnderTest().feed(`${upgrade}early`, pieceOctets);
    assert.deepEqual(server.log.take(), ['#1 GET /chat @a connection=upgrade; upgrade=websocket;']);
    const { encoder } = server.last;
    const head = new ResponseHead(101, new HeaderMap(['upgrade', 'websocket', 'connection', 'upgrade']));
    assert.equal(encoder.encodeHeaders(head, false), 0);
    server.connection.endTurn();
    assert.equal(server.connection.takeText(), switching);
    server.feed(' GET / HTTP/1.1\r\n\r\n', pieceOctets);
    assert.deepEqual(server.log.take(), ['#1 data "early GET / HTTP/1.1\\r\\n\\r\\n"']);
    encoder.encodeData(octets('raw'), false);
    assert.equal(server.connection.takeText(), 'raw');
    server.codec.onRemoteClose();
    assert.deepEqual(server.log.take(), ['#1 end']);
    assert.equal(server.codec.closing, false);
    encoder.encodeData(octets('bye'), true);
    assert.equal(server.connection.takeText(), 'bye');
    assert.deepEqual(server.log.take(), ['#1 complete, closing']);
    assert.equal(server.connection.disabled, 0);
  });

  test(`client: an accepted upgrade becomes a tunnel both ways (pieces of ${pieceOctets})`, () => {
    const client = new ClientUnderTest();
    const encoder = client.start();
    assert.equal(encoder.encodeHeaders(upgradeHead(), false), 0);
    encoder.encodeData(octets('early'), false);
    const head = 'GET /chat HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n';
    assert.equal(client.connection.takeText(), head, 'what is for the tunnel waits');
    assert.equal(encoder.bufferedOctets, 5);
    client.feed(`HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200`, pieceOctets);
    assert.equal(client.connection.takeText(), 'early');
    assert.deepEqual(client.log.take(), ['#1 101 connection=upgrade; upgrade=websocket;', '#1 data "HTTP/1.1 200"']);
    encoder.encodeData(octets('more'), true);
    assert.equal(client.connection.takeText(), 'more');
    assert.equal(client.connection.writeEnded, true);
    client.feed('!', pieceOctets).codec.onRemoteClose();
    assert.deepEqual(client.log.take(), ['#1 data "!"', '#1 end', '#1 closed']);
  });
}

test('server: our end of a tunnel half-closes, the client may go on', () => {
  const server = new ServerUnderTest().feed(connect);
  server.last.encoder.encodeHeaders(new ResponseHead(200), false);
  assert.equal(server.connection.takeText(), 'HTTP/1.1 200 OK\r\n\r\n');
  server.last.encoder.encodeData(end, true);
  assert.equal(server.connection.writeEnded, true);
  assert.equal(server.codec.closing, false);
  server.feed('still here');
  server.codec.onRemoteClose();
  assert.deepEqual(server.log.take(), ['#1 CONNECT  @b:443', '#1 data "still here"', '#1 end', '#1 complete, closing']);
});

test('server: a refused upgrade closes, and what came early is never a request', () => {
  for (const request of [upgrade, connect]) {
    const server = new ServerUnderTest().feed(`${request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    server.last.reply(403);
    server.connection.endTurn();
    assert.equal(
      server.connection.takeText(),
      'HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    );
    assert.equal(server.requests.length, 1);
    assert.equal(server.codec.closing, true);
    assert.equal(server.connection.disabled, 0);
  }
});

test('server: Content-Length of an answer to CONNECT is left out', () => {
  const server = new ServerUnderTest().feed(connect);
  server.last.encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-length', '0', 'x', 'y'])), false);
  assert.equal(server.connection.takeText(), 'HTTP/1.1 200 OK\r\nx: y\r\n\r\n');
});

test('client: a refused upgrade is a plain response, and what waited is not sent', () => {
  const client = new ClientUnderTest();
  const encoder = client.start();
  encoder.encodeHeaders(upgradeHead(), false);
  encoder.encodeData(octets('GET /smuggled HTTP/1.1\r\n\r\n'), false);
  client.connection.takeText();
  client.feed('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
  assert.deepEqual(client.log.take(), ['#1 401 content-length=2;', '#1 data "no"', '#1 end', '#1 closed']);
  encoder.encodeData(octets('x'), true);
  assert.equal(client.connection.takeText(), '');
});

test('client: CONNECT', () => {
  const client = new ClientUnderTest();
  const encoder = client.start();
  assert.equal(encoder.encodeHeaders(new RequestHead('CONNECT', '', 'b:443', '', new HeaderMap()), false), 0);
  assert.equal(client.connection.takeText(), 'CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n');
  client.feed('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nraw');
  assert.deepEqual(client.log.take(), [
    '#1 reset protocol_error http1.content_length_and_chunked_not_allowed',
    '#1 closed',
  ]);

  const other = new ClientUnderTest();
  const stream = other.start();
  stream.encodeHeaders(new RequestHead('CONNECT', '', 'b:443', '', new HeaderMap()), false);
  other.connection.takeText();
  other.feed('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nraw octets');
  assert.deepEqual(other.log.take(), ['#1 200', '#1 data "raw octets"']);
  stream.encodeData(octets('up'), false);
  assert.equal(other.connection.takeText(), 'up');
});

test('client: a sender that is early by too much is told to wait', () => {
  const client = new ClientUnderTest();
  const encoder = client.start();
  encoder.encodeHeaders(upgradeHead(), false);
  for (let i = 0; i < 3; i++) encoder.encodeData(new Uint8Array(40_000), false);
  assert.deepEqual(client.log.take(), ['#1 above']);
  client.feed('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  assert.deepEqual(client.log.take(), ['#1 below', '#1 101 connection=upgrade; upgrade=websocket;']);
  assert.equal(encoder.bufferedOctets, 0);
});

test('client: 101 that nobody asked for is an error', () => {
  const client = new ClientUnderTest();
  client.request(new RequestHead('GET', '/', 'a', '', new HeaderMap()));
  client.feed('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  assert.deepEqual(client.log.take(), ['#1 reset protocol_error http1.codec_error', '#1 closed']);
  assert.equal(client.status, 1);
});

test('a WebSocket through both codecs', () => {
  const server = new ServerUnderTest().feed(upgrade);
  const client = new ClientUnderTest();
  const up = client.start();
  up.encodeHeaders(server.last.head!, false);
  assert.match(client.connection.takeText(), /\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n$/);
  client.feed(switching);
  server.last.encoder.encodeHeaders(
    new ResponseHead(101, new HeaderMap(['connection', 'upgrade', 'upgrade', 'websocket'])),
    false,
  );
  server.feed('\x81\x02hi');
  assert.deepEqual(server.log.take().at(-1), `#1 data ${JSON.stringify('\x81\x02hi')}`);
  up.encodeData(octets('\x81\x02hi'), false);
  assert.equal(client.connection.takeText(), '\x81\x02hi');
});
