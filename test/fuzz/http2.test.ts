import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Http2ClientCodec } from '#gateway/protocol/http2/client-codec.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import {
  block,
  frame,
  getFields,
  headers,
  postFields,
  prefaceBytes,
  settings,
  WireReader,
  windowUpdate,
} from '#test/support/h2-frames.ts';
import { ClientRecorder, ResponseRecorder, ServerRecorder, TestConnection } from '#test/support/h2-recorder.ts';

const options: Http2Options = {
  ...defaultHttp2Options,
  maxConcurrentStreams: 8,
  initialStreamWindowOctets: 65_535,
  initialConnectionWindowOctets: 65_535,
  maxHeaderOctets: 2000,
  maxHeaderCount: 12,
  allowConnect: true,
};
const pseudo = [
  ':method',
  ':path',
  ':scheme',
  ':authority',
  ':protocol',
  ':status',
  'te',
  'cookie',
  'content-length',
  'X',
];

const legalSettings = [
  [1, 0],
  [1, 100],
  [1, 4096],
  [2, 0],
  [3, 5],
  [4, 1],
  [4, 100],
  [4, 65_535],
  [5, 16_384],
  [5, 20_000],
  [8, 1],
  [77, 3],
] as const;

/** A frame that is legal most of the time, with few identifiers so that streams meet again. */
function randomFrame(uint32: () => number, next: { streamId: number }): Uint8Array {
  const pick = <T>(values: readonly T[]): T => values[uint32() % values.length]!;
  const rarely = (): boolean => uint32() % 64 === 0;
  const streamId = rarely() ? uint32() % 20 : Math.max(1, next.streamId - 2 * (uint32() % 4));
  const open = (): number => {
    next.streamId += 2;
    return next.streamId;
  };
  if (next.streamId < 1) return headers(open(), false, ...postFields);
  if (rarely()) {
    const junk = Buffer.alloc(uint32() % 20);
    for (let i = 0; i < junk.length; i++) junk[i] = uint32();
    return frame(uint32() % 12, uint32() & 0xff, streamId, junk);
  }
  switch (uint32() % 14) {
    case 0:
    case 1:
    case 2:
      return headers(open(), uint32() % 2 === 0, ...pick([getFields, postFields]), 'a', 'b'.repeat(uint32() % 30));
    case 3: {
      const fields = [...pick([getFields, postFields])];
      const at = 2 * (uint32() % 5);
      fields.splice(
        at,
        uint32() % 2 === 0 ? 0 : 2,
        pick(pseudo),
        pick(['1', '/', 'GET', '', 'x y', '200', 'trailers']),
      );
      return headers(open(), uint32() % 2 === 0, ...fields);
    }
    case 4: {
      const bytes = block(...getFields, 'c', 'd'.repeat(uint32() % 100));
      const cut = 1 + (uint32() % (bytes.length - 1));
      const id = open();
      return Buffer.concat([frame(1, uint32() % 2, id, bytes.subarray(0, cut)), frame(9, 4, id, bytes.subarray(cut))]);
    }
    case 5: {
      const id = open();
      return Buffer.concat([headers(id, false, ...postFields), headers(id, !rarely(), 'trailer', 'v')]);
    }
    case 6:
    case 7:
    case 8: {
      const padded = uint32() % 4 === 0;
      const payload = Buffer.alloc(1 + (uint32() % 300));
      if (padded && !rarely()) payload[0] = uint32() % payload.length;
      return frame(0, (padded ? 8 : 0) | (uint32() % 2), streamId, payload);
    }
    case 9:
      return frame(3, 0, streamId, Buffer.from([0, 0, 0, uint32() % 14]));
    case 10:
      return rarely() ? settings(1 + (uint32() % 8), uint32()) : settings(...pick(legalSettings));
    case 11:
      return frame(6, uint32() % 2, 0, Buffer.alloc(8));
    case 12:
      return frame(8, 0, uint32() % 2 === 0 ? 0 : streamId, Buffer.from([0, 0, uint32() & 0xff, 1 + (uint32() % 255)]));
    default:
      return pick([frame(2, 0, streamId, Buffer.from([0, 0, 0, uint32() % 8, 1])), frame(7, 0, 0, Buffer.alloc(8))]);
  }
}

function input(seed: number): Buffer {
  const { uint32 } = createSeededRandom(seed);
  const next = { streamId: -1 };
  const frames: Uint8Array[] = [];
  for (let i = 0; i < 40; i++) frames.push(randomFrame(uint32, next));
  const bytes = Buffer.concat(frames);
  if (uint32() % 4 === 0) bytes[uint32() % bytes.length] = uint32();
  return bytes;
}

/** Feeds a server that answers everything, and writes down what happened and what it wrote. */
function runServer(bytes: Buffer, seed: number, pieces: number): readonly [string[], string[], DispatchStatus] {
  const connection = new TestConnection();
  const owner = new ServerRecorder();
  const codec = new Http2ServerCodec(connection, owner, options);
  owner.onRequest = (encoder, _head, endStream) => {
    if ((seed + encoder.streamId) % 3 === 0) return;
    encoder.encodeHeaders(new ResponseHead(200), false);
    encoder.encodeData(Buffer.alloc(200), endStream);
  };
  let status: DispatchStatus = codec.dispatch(Buffer.concat([prefaceBytes, settings()]));
  for (let at = 0; at < bytes.length && status === DispatchStatus.Ok; at += pieces) {
    status = codec.dispatch(Uint8Array.from(bytes.subarray(at, at + pieces)));
    assert.ok(codec.activeStreams <= options.maxConcurrentStreams);
  }
  codec.onConnectionClosed('connection_termination', 'done');
  assert.equal(codec.activeStreams, 0);
  return [owner.take(), new WireReader().lines(connection.take()), status];
}

test('fuzz HTTP/2 server: the same whatever way the octets are cut, and no more streams than allowed', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const bytes = input(seed);
    const whole = runServer(bytes, seed, 1 << 20);
    for (const pieces of [1, 13]) assert.deepEqual(runServer(bytes, seed, pieces), whole, `seed ${seed}`);
    for (const event of new Set(whole[0].filter((text) => /^\d+ (complete|reset)/.test(text)))) {
      const streamId = event.split(' ')[0]!;
      const after = whole[0].slice(whole[0].indexOf(event) + 1).filter((text) => text.startsWith(`${streamId} `));
      assert.deepEqual(after, [], `seed ${seed}: nothing follows ${event}`);
    }
  }
});

/** Feeds a client with four requests under way. */
function runClient(bytes: Buffer, pieces: number): readonly [string[], string[], DispatchStatus] {
  const connection = new TestConnection();
  const owner = new ClientRecorder();
  const codec = new Http2ClientCodec(connection, owner, options);
  connection.take();
  let status: DispatchStatus = codec.dispatch(settings());
  for (let i = 0; i < 4; i++) {
    const encoder = codec.newStream(new ResponseRecorder(owner.events, `${2 * i + 1} `));
    encoder.encodeHeaders(new RequestHead('GET', '/', 'a', 'http', new HeaderMap()), i % 2 === 0);
  }
  for (let at = 0; at < bytes.length && status === DispatchStatus.Ok; at += pieces) {
    status = codec.dispatch(Uint8Array.from(bytes.subarray(at, at + pieces)));
  }
  codec.onConnectionClosed('connection_termination', 'done');
  assert.equal(codec.activeStreams, 0);
  const closed = owner.events.filter((event) => event.includes(' closed'));
  assert.equal(closed.length, 4);
  return [owner.take(), new WireReader().lines(connection.take()), status];
}

test('fuzz HTTP/2 client: the same whatever way the octets are cut, and every stream ends once', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const { uint32 } = createSeededRandom(seed);
    const frames: Uint8Array[] = [];
    const next = { streamId: 7 };
    for (let i = 0; i < 30; i++) {
      const id = 1 + 2 * (uint32() % 4);
      const kind = uint32() % 6;
      if (kind === 0)
        frames.push(headers(id, uint32() % 2 === 0, ':status', ['200', '103', '304', 'x'][uint32() % 4]!));
      else if (kind === 1) frames.push(frame(0, uint32() % 2, id, Buffer.alloc(uint32() % 50)));
      else if (kind === 2) frames.push(headers(id, true, 'grpc-status', '0'));
      else if (kind === 3) frames.push(windowUpdate(uint32() % 2 === 0 ? 0 : id, 1 + (uint32() % 1000)));
      else if (kind === 4 && uint32() % 16 === 0) frames.push(randomFrame(uint32, next));
      else if (kind === 5) frames.push(settings(...legalSettings[uint32() % 8]!));
    }
    const bytes = Buffer.concat(frames);
    const whole = runClient(bytes, 1 << 20);
    for (const pieces of [1, 13]) assert.deepEqual(runClient(bytes, pieces), whole, `seed ${seed}`);
  }
});
