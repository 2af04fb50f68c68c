import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus, EncodeStatus, type RequestEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { Http2ClientCodec } from '#gateway/protocol/http2/client-codec.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import {
  data,
  frame,
  goAway,
  headers,
  prefaceBytes,
  rstStream,
  settings,
  WireReader,
  windowUpdate,
} from '#test/support/h2-frames.ts';
import { ClientRecorder, ResponseRecorder, TestConnection } from '#test/support/h2-recorder.ts';

/** A client whose server has sent its SETTINGS, with what both sides wrote so far taken away. */
class Scene {
  readonly connection = new TestConnection();
  readonly owner = new ClientRecorder();
  readonly codec: Http2ClientCodec;
  readonly pieces: number;
  #wire = new WireReader();

  constructor(pieces: number, options: Partial<Http2Options> = {}, ...peerSettings: number[]) {
    this.pieces = pieces;
    this.codec = new Http2ClientCodec(this.connection, this.owner, { ...defaultHttp2Options, ...options });
    this.send(settings(...peerSettings));
    this.connection.take();
    this.owner.take();
  }

  send(...frames: Uint8Array[]): DispatchStatus {
    const input = Buffer.concat(frames);
    let status: DispatchStatus = DispatchStatus.Ok;
    for (let at = 0; at < input.length; at += this.pieces) {
      status = this.codec.dispatch(Uint8Array.from(input.subarray(at, at + this.pieces)));
    }
    return status;
  }

  lines(): string[] {
    return this.#wire.lines(this.connection.take());
  }

  open(endStream: boolean, head: RequestHead = request('GET')): RequestEncoder {
    const encoder = this.codec.newStream(new ResponseRecorder(this.owner.events, ''));
    assert.equal(encoder.encodeHeaders(head, endStream), EncodeStatus.Ok);
    return encoder;
  }
}

function request(method: string, ...fields: string[]): RequestHead {
  return new RequestHead(method, '/p?q', 'a.test', 'https', new HeaderMap(fields));
}

test('HTTP/2 client: announces what Envoy announces', () => {
  const connection = new TestConnection();
  new Http2ClientCodec(connection, new ClientRecorder(), defaultHttp2Options);
  const written = connection.take();
  assert.deepEqual(written.subarray(0, 24), prefaceBytes);
  assert.equal(
    written.subarray(24).toString('hex'),
    '00001e040000000000' +
      '000200000000' +
      '000100001000' +
      '000800000000' +
      '000300000400' +
      '000401000000' +
      '000004080000000000' +
      '017f0001',
  );
});

for (const pieces of [1 << 20, 1]) {
  const how = pieces === 1 ? 'octet by octet' : 'whole';

  test(`HTTP/2 client, ${how}: a request with body and trailers, a response with both`, () => {
    const scene = new Scene(pieces);
    const encoder = scene.open(false, request('POST', 'te', 'trailers', 'connection', 'close', 'a', 'b'));
    encoder.encodeData(Buffer.from('abc'), false);
    encoder.encodeTrailers(new HeaderMap(['t', 'v']));
    assert.deepEqual(scene.lines(), [
      'HEADERS 1 :method: POST, :scheme: https, :path: /p?q, :authority: a.test, te: trailers, a: b',
      'DATA 1 abc',
      'HEADERS 1 END_STREAM t: v',
    ]);
    scene.send(
      headers(1, false, ':status', '103', 'link', '</a>'),
      headers(1, false, ':status', '200', 'content-length', '3'),
      data(1, false, 'x'),
      data(1, false, 'yz'),
      headers(1, true, 'grpc-status', '0'),
    );
    assert.deepEqual(scene.owner.take(), [
      'interim 103 {link: </a>}',
      '200 {content-length: 3}',
      'data xyz',
      'trailers {grpc-status: 0}',
      '1 closed',
    ]);
    assert.equal(scene.codec.activeStreams, 0);
  });

  test(`HTTP/2 client, ${how}: answers without a body whatever Content-Length says`, () => {
    const scene = new Scene(pieces);
    scene.open(true, request('HEAD'));
    scene.open(true);
    scene.send(headers(1, true, ':status', '200', 'content-length', '10'));
    scene.send(headers(3, true, ':status', '304', 'content-length', '10'));
    const expected = ['200 {content-length: 10} end', '1 closed', '304 {content-length: 10} end', '3 closed'];
    assert.deepEqual(scene.owner.take(), expected);
  });

  const bad: readonly { name: string; input: readonly Uint8Array[]; details?: string }[] = [
    { name: 'no status', input: [headers(1, true, 'a', 'b')] },
    { name: 'two statuses', input: [headers(1, true, ':status', '200', ':status', '200')] },
    { name: 'a request pseudo-header', input: [headers(1, true, ':status', '200', ':path', '/')] },
    { name: '101', input: [headers(1, false, ':status', '101')] },
    { name: 'an interim head with the end', input: [headers(1, true, ':status', '103')] },
    { name: 'a status after a field', input: [headers(1, true, 'a', 'b', ':status', '200')] },
    {
      name: 'a connection-specific field',
      input: [headers(1, true, ':status', '200', 'connection', 'close')],
      details: 'http2.invalid.header.field',
    },
    { name: 'a missing body', input: [headers(1, true, ':status', '200', 'content-length', '10')] },
  ];
  for (const { name, input, details } of bad) {
    test(`HTTP/2 client, ${how}: refuses a response with ${name}`, () => {
      const scene = new Scene(pieces);
      scene.open(true);
      scene.lines();
      assert.equal(scene.send(...input), DispatchStatus.Ok);
      const reason = details ?? 'http2.violation.of.messaging.rule';
      assert.deepEqual(scene.owner.take(), ['1 closed', `reset protocol_error ${reason}`]);
      assert.deepEqual(scene.lines(), ['RST_STREAM 1 1']);
    });
  }

  test(`HTTP/2 client, ${how}: GOAWAY refuses streams above its last and lets others end`, () => {
    const scene = new Scene(pieces);
    scene.open(true);
    scene.open(true);
    scene.send(goAway(1, 0));
    assert.deepEqual(scene.owner.take(), [
      'goaway 0 1',
      '3 closed last',
      'reset remote_refused_stream_reset http2.remote_goaway',
    ]);
    scene.send(headers(1, true, ':status', '204'));
    assert.deepEqual(scene.owner.take(), ['204 end', '1 closed last']);
    scene.open(true);
    assert.deepEqual(scene.owner.take(), ['0 closed last', 'reset remote_refused_stream_reset http2.remote_goaway']);
  });
}

test('HTTP/2 client: resets of the server', () => {
  const scene = new Scene(1 << 20);
  for (let i = 0; i < 3; i++) scene.open(true);
  scene.send(rstStream(1, 7), rstStream(3, 10), rstStream(5, 2));
  assert.deepEqual(scene.owner.take(), [
    '1 closed',
    'reset remote_refused_stream_reset http2.remote_refuse',
    '3 closed',
    'reset connect_error http2.remote_reset',
    '5 closed',
    'reset remote_reset http2.remote_reset',
  ]);
});

test('HTTP/2 client: NO_ERROR after a complete response is no failure', () => {
  const scene = new Scene(1 << 20);
  const encoder = scene.open(false, request('POST'));
  scene.send(headers(1, true, ':status', '413'), rstStream(1, 0));
  assert.deepEqual(scene.owner.take(), ['413 end', '1 closed']);
  scene.lines();
  encoder.encodeData(Buffer.from('late'), true);
  assert.deepEqual(scene.lines(), []);
});

test('HTTP/2 client: a response that has arrived is still delivered when reading goes on after the end', () => {
  const scene = new Scene(1 << 20);
  const encoder = scene.open(true);
  encoder.readDisable(true);
  scene.send(headers(1, false, ':status', '200'), data(1, true, 'abc'));
  assert.deepEqual(scene.owner.take(), ['200']);
  scene.codec.onConnectionClosed('remote_connection_failure', 'gone');
  assert.deepEqual(scene.owner.take(), []);
  encoder.readDisable(false);
  assert.deepEqual(scene.owner.take(), ['data abc', 'end', '1 closed last']);
});

test('HTTP/2 client: an upgrade goes out as extended CONNECT when the server takes it', () => {
  const upgrade = (): RequestHead => request('GET', 'connection', 'Upgrade', 'upgrade', 'websocket', 'a', 'b');
  const willing = new Scene(1 << 20, {}, 8, 1);
  const encoder = willing.open(false, upgrade());
  assert.deepEqual(willing.lines(), [
    'HEADERS 1 :method: CONNECT, :scheme: https, :path: /p?q, :authority: a.test, :protocol: websocket, a: b',
  ]);
  willing.send(headers(1, false, ':status', '200'), data(1, false, 'hi'));
  encoder.encodeData(Buffer.from('bye'), true);
  assert.deepEqual(willing.owner.take(), ['101 {connection: upgrade, upgrade: websocket}', 'data hi']);
  willing.send(data(1, true, ''));
  assert.deepEqual(willing.owner.take(), ['end', '1 closed']);

  const unwilling = new Scene(1 << 20);
  const refused = unwilling.codec.newStream(new ResponseRecorder(unwilling.owner.events, ''));
  assert.equal(refused.encodeHeaders(upgrade(), false), EncodeStatus.Invalid);
});

test('HTTP/2 client: a head that cannot be sent is refused', () => {
  const scene = new Scene(1 << 20);
  const encode = (head: RequestHead): EncodeStatus =>
    scene.codec.newStream(new ResponseRecorder([], '')).encodeHeaders(head, true);
  assert.equal(encode(new RequestHead('', '/', 'a', 'http', new HeaderMap())), EncodeStatus.MissingRequired);
  assert.equal(encode(new RequestHead('GET', '', 'a', 'http', new HeaderMap())), EncodeStatus.MissingRequired);
  assert.equal(encode(new RequestHead('CONNECT', '', '', '', new HeaderMap())), EncodeStatus.MissingRequired);
  assert.deepEqual(scene.lines(), []);
  assert.equal(encode(new RequestHead('CONNECT', '', 'a:1', '', new HeaderMap())), EncodeStatus.Ok);
  assert.deepEqual(scene.lines(), ['HEADERS 1 END_STREAM :method: CONNECT, :authority: a:1']);
});

test('HTTP/2 client: settings, PING and its answer', () => {
  const scene = new Scene(1 << 20);
  scene.send(settings(3, 7), settings(3, 7), settings(3, 9));
  assert.deepEqual(scene.owner.take(), ['max 7', 'max 9']);
  scene.connection.take();
  scene.codec.ping();
  const [ping] = [scene.connection.take()];
  scene.send(frame(6, 1, 0, Buffer.from('other789')));
  assert.deepEqual(scene.owner.take(), []);
  scene.send(frame(6, 1, 0, ping!.subarray(9)));
  assert.deepEqual(scene.owner.take(), ['ping ack']);
});

test('HTTP/2 client: a local reset says CANCEL and what still comes is ignored', () => {
  const scene = new Scene(1 << 20);
  const encoder = scene.open(true);
  scene.lines();
  encoder.resetStream('local_reset');
  assert.deepEqual(scene.owner.take(), ['1 closed']);
  assert.equal(
    scene.send(headers(1, false, ':status', '200'), data(1, true, 'abc'), windowUpdate(1, 1), rstStream(1, 0)),
    DispatchStatus.Ok,
  );
  assert.deepEqual(scene.owner.take(), []);
  assert.deepEqual(scene.lines(), ['RST_STREAM 1 8']);
});

test('HTTP/2 client: a server that pushes, or does not begin with SETTINGS, is refused', () => {
  const scene = new Scene(1 << 20);
  scene.open(true);
  assert.equal(scene.send(frame(5, 4, 1, Buffer.from([0, 0, 0, 2]))), DispatchStatus.ProtocolError);
  const codec = new Http2ClientCodec(new TestConnection(), new ClientRecorder(), defaultHttp2Options);
  assert.equal(codec.dispatch(frame(6, 0, 0, Buffer.alloc(8))), DispatchStatus.ProtocolError);
  const http1 = new Http2ClientCodec(new TestConnection(), new ClientRecorder(), defaultHttp2Options);
  assert.equal(http1.dispatch(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), DispatchStatus.ProtocolError);
});
