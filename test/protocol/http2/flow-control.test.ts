import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus, type ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import {
  data,
  frame,
  getFields,
  headers,
  parseFrames,
  postFields,
  prefaceBytes,
  settings,
  WireReader,
  windowUpdate,
} from '#test/support/h2-frames.ts';
import { ServerRecorder, TestConnection } from '#test/support/h2-recorder.ts';

/** A server whose peer has sent its preface, with what both sides wrote so far taken away. */
class Scene {
  readonly connection = new TestConnection();
  readonly owner = new ServerRecorder();
  readonly codec: Http2ServerCodec;
  readonly #wire = new WireReader();

  constructor(options: Partial<Http2Options> = {}, ...peerSettings: number[]) {
    this.codec = new Http2ServerCodec(this.connection, this.owner, { ...defaultHttp2Options, ...options });
    this.codec.dispatch(Buffer.concat([prefaceBytes, settings(...peerSettings)]));
    this.connection.take();
  }

  send(...frames: Uint8Array[]): DispatchStatus {
    return this.codec.dispatch(Buffer.concat(frames));
  }

  lines(): string[] {
    return this.#wire.lines(this.connection.take());
  }

  /** Sends a GET and answers its head. */
  open(streamId: number): ResponseEncoder {
    this.send(headers(streamId, true, ...getFields));
    const encoder = this.owner.encoders.at(-1)!;
    encoder.encodeHeaders(new ResponseHead(200), false);
    this.lines();
    this.owner.take();
    return encoder;
  }
}

const initialWindow = 4;
const small: Partial<Http2Options> = { initialStreamWindowOctets: 100, initialConnectionWindowOctets: 65_535 };

test('sending: a stream stops at its window and goes on with WINDOW_UPDATE', () => {
  const scene = new Scene({}, initialWindow, 5);
  const encoder = scene.open(1);
  encoder.encodeData(Buffer.from('hello world'), true);
  assert.deepEqual(scene.lines(), ['DATA 1 hello']);
  assert.equal(encoder.bufferedOctets, 6);
  scene.send(windowUpdate(1, 2));
  assert.deepEqual(scene.lines(), ['DATA 1  w']);
  scene.send(windowUpdate(1, 100));
  assert.deepEqual(scene.lines(), ['DATA 1 END_STREAM orld']);
  assert.deepEqual(scene.owner.take(), ['1 complete']);
});

test('sending: trailers and an empty end wait behind the data', () => {
  const scene = new Scene({}, initialWindow, 1);
  const first = scene.open(1);
  const second = scene.open(3);
  first.encodeData(Buffer.from('ab'), false);
  first.encodeTrailers(new HeaderMap(['t', 'v']));
  second.encodeData(Buffer.from('cd'), false);
  second.encodeData(Buffer.alloc(0), true);
  assert.deepEqual(scene.lines(), ['DATA 1 a', 'DATA 3 c']);
  scene.send(windowUpdate(1, 1), windowUpdate(3, 1));
  assert.deepEqual(scene.lines(), ['DATA 1 b', 'HEADERS 1 END_STREAM t: v', 'DATA 3 END_STREAM d']);
});

test('sending: a lower initial window makes windows negative, and they recover', () => {
  const scene = new Scene({}, initialWindow, 10);
  const encoder = scene.open(1);
  encoder.encodeData(Buffer.from('12345678'), false);
  scene.send(settings(initialWindow, 3)); // the window is now 2 - 7 = -5
  encoder.encodeData(Buffer.from('abcdef'), true);
  assert.deepEqual(scene.lines(), ['DATA 1 12345678', 'SETTINGS ACK']);
  scene.send(windowUpdate(1, 5));
  assert.deepEqual(scene.lines(), []);
  scene.send(settings(initialWindow, 5)); // +2
  assert.deepEqual(scene.lines(), ['SETTINGS ACK', 'DATA 1 ab']);
  scene.send(windowUpdate(1, 4));
  assert.deepEqual(scene.lines(), ['DATA 1 END_STREAM cdef']);
});

test('sending: the connection window is shared in turn, one frame each', () => {
  const scene = new Scene({}, initialWindow, 1_000_000);
  const encoders = [1, 3, 5].map((streamId) => scene.open(streamId));
  encoders[0]!.encodeData(Buffer.alloc(65_535), false); // uses up the connection's window
  scene.lines();
  for (const encoder of encoders) encoder.encodeData(Buffer.alloc(40_000), false);
  assert.deepEqual(scene.lines(), []);
  scene.send(windowUpdate(0, 16_384 * 5));
  assert.deepEqual(scene.lines(), ['DATA 1 16384', 'DATA 3 16384', 'DATA 5 16384', 'DATA 1 16384', 'DATA 3 16384']);
  scene.send(windowUpdate(0, 1_000_000));
  const rest = new Map<number, number>();
  for (const { streamId, payload } of parseFrames(scene.connection.take())) {
    rest.set(streamId, (rest.get(streamId) ?? 0) + payload.length);
  }
  assert.deepEqual([...rest].sort(), [
    [1, 40_000 - 2 * 16_384],
    [3, 40_000 - 2 * 16_384],
    [5, 40_000 - 16_384],
  ]);
});

test('sending: frames are no larger than the peer takes', () => {
  const scene = new Scene({}, initialWindow, 1_000_000, 5, 20_000);
  scene.send(windowUpdate(0, 1_000_000));
  scene.open(1).encodeData(Buffer.alloc(50_000), true);
  assert.deepEqual(scene.lines(), ['DATA 1 20000', 'DATA 1 20000', 'DATA 1 END_STREAM 10000']);
});

test('sending: watermarks of the stream and of the connection are one signal to the sink', () => {
  const scene = new Scene({ streamWriteBufferOctets: 10 }, initialWindow, 0);
  const encoder = scene.open(1);
  encoder.encodeData(Buffer.alloc(10), false);
  assert.deepEqual(scene.owner.take(), []);
  encoder.encodeData(Buffer.alloc(1), false);
  assert.deepEqual(scene.owner.take(), ['1 above']);
  scene.codec.onConnectionAboveWriteBufferHighWatermark();
  scene.send(windowUpdate(1, 5));
  assert.deepEqual(scene.owner.take(), []);
  scene.send(windowUpdate(1, 1)); // five are left: half of the mark, but the connection is still above its own
  assert.deepEqual(scene.owner.take(), []);
  scene.codec.onConnectionBelowWriteBufferLowWatermark();
  assert.deepEqual(scene.owner.take(), ['1 below']);
});

test('sending: a reset drops what waits', () => {
  const scene = new Scene({}, initialWindow, 1);
  const encoder = scene.open(1);
  encoder.encodeData(Buffer.from('abc'), true);
  encoder.resetStream('local_reset');
  scene.send(windowUpdate(1, 10));
  assert.deepEqual(scene.lines(), ['DATA 1 a', 'RST_STREAM 1 2']);
  assert.equal(encoder.bufferedOctets, 0);
});

test('receiving: the window is given back by halves', () => {
  const scene = new Scene(small);
  scene.send(headers(1, false, ...postFields), data(1, false, Buffer.alloc(49)));
  assert.deepEqual(scene.lines(), []);
  scene.send(data(1, false, Buffer.alloc(1)));
  assert.deepEqual(scene.lines(), ['WINDOW_UPDATE 1 50']);
  scene.send(frame(0, 8, 1, Buffer.concat([Buffer.from([60]), Buffer.alloc(60)])));
  assert.deepEqual(scene.lines(), ['WINDOW_UPDATE 1 61'], 'padding counts');
});

test('receiving: a disabled stream is neither fed nor given window, and catches up', () => {
  const scene = new Scene(small);
  scene.owner.onRequest = (encoder) => encoder.readDisable(true);
  scene.send(headers(1, false, ...postFields), data(1, false, 'a'.repeat(60)), data(1, true, 'b'.repeat(40)));
  assert.deepEqual(scene.owner.take(), ['1 POST http://a.test/']);
  assert.deepEqual(scene.lines(), []);
  scene.owner.encoders[0]!.readDisable(true);
  scene.owner.encoders[0]!.readDisable(false);
  assert.deepEqual(scene.owner.take(), []);
  scene.owner.encoders[0]!.readDisable(false);
  assert.deepEqual(scene.owner.take(), [`1 data ${'a'.repeat(60)}${'b'.repeat(40)}`, '1 end']);
});

test('receiving: trailers of a disabled stream wait behind its data', () => {
  const scene = new Scene(small);
  scene.owner.onRequest = (encoder) => encoder.readDisable(true);
  scene.send(headers(1, false, ...postFields), data(1, false, 'a'), headers(1, true, 't', 'v'));
  scene.owner.take();
  scene.owner.encoders[0]!.readDisable(false);
  assert.deepEqual(scene.owner.take(), ['1 data a', '1 trailers {t: v}']);
});

test('receiving: more than the stream window is a stream error', () => {
  const scene = new Scene(small);
  scene.owner.onRequest = (encoder) => encoder.readDisable(true);
  assert.equal(scene.send(headers(1, false, ...postFields), data(1, false, Buffer.alloc(101))), DispatchStatus.Ok);
  assert.deepEqual(scene.lines(), ['RST_STREAM 1 3']);
  assert.deepEqual(scene.owner.take().slice(1), ['1 reset protocol_error http2.flow_control_error']);
});

test('receiving: more than the connection window is a connection error', () => {
  const scene = new Scene({ initialStreamWindowOctets: 1 << 20, initialConnectionWindowOctets: 65_535 });
  scene.owner.onRequest = (encoder) => encoder.readDisable(true);
  scene.send(headers(1, false, ...postFields));
  const chunk = data(1, false, Buffer.alloc(16_384));
  assert.equal(scene.send(chunk, chunk, chunk), DispatchStatus.Ok);
  assert.equal(scene.send(chunk), DispatchStatus.ProtocolError);
  assert.deepEqual(scene.lines(), ['GOAWAY 1 3']);
});

test('receiving: data for streams that are gone still gives the connection its window back', () => {
  const scene = new Scene({ initialStreamWindowOctets: 1 << 20, initialConnectionWindowOctets: 65_535 });
  scene.send(headers(1, false, ...postFields));
  scene.owner.encoders[0]!.resetStream('local_reset');
  for (let i = 0; i < 20; i++) assert.equal(scene.send(data(1, false, Buffer.alloc(16_384))), DispatchStatus.Ok);
  const lines = scene.lines();
  assert.equal(lines[0], 'RST_STREAM 1 2');
  assert.ok(lines.length > 5 && lines.slice(1).every((line) => line.startsWith('WINDOW_UPDATE 0 ')));
});

test('receiving: what a reset stream had not been fed is given back to the connection', () => {
  const scene = new Scene({ initialStreamWindowOctets: 1 << 20, initialConnectionWindowOctets: 65_535 });
  scene.owner.onRequest = (encoder) => encoder.readDisable(true);
  scene.send(
    headers(1, false, ...postFields),
    data(1, false, Buffer.alloc(16_384)),
    data(1, false, Buffer.alloc(16_384)),
  );
  assert.deepEqual(scene.lines(), []);
  scene.owner.encoders[0]!.resetStream('local_reset');
  assert.deepEqual(scene.lines(), ['RST_STREAM 1 2', 'WINDOW_UPDATE 0 32768']);
});

test('windows beyond 2^31 - 1 are refused, of a stream and of the connection', () => {
  const scene = new Scene();
  scene.open(1);
  assert.equal(scene.send(windowUpdate(1, 0x7fff_ffff)), DispatchStatus.Ok);
  assert.deepEqual(scene.lines(), ['RST_STREAM 1 3']);
  assert.equal(scene.send(windowUpdate(0, 0x7fff_ffff)), DispatchStatus.ProtocolError);
  assert.deepEqual(scene.lines(), ['GOAWAY 1 3']);
});
