import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus } from '#gateway/protocol/codec.ts';
import { Budget } from '#gateway/protocol/http2/budget.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import {
  block,
  data,
  frame,
  getFields,
  headers,
  postFields,
  prefaceBytes,
  rstStream,
  settings,
  WireReader,
  windowUpdate,
} from '#test/support/h2-frames.ts';
import { ServerRecorder, TestConnection } from '#test/support/h2-recorder.ts';

/** What a peer repeats, and how often it may. `flushed`: the output is taken after each chunk, as from a peer that reads. */
interface Flood {
  readonly name: string;
  readonly options?: Partial<Http2Options>;
  readonly before?: readonly Uint8Array[];
  readonly repeat: (round: number) => Uint8Array;
  readonly allowed: number;
  readonly flushed: boolean;
  readonly details: string;
}

const floods: readonly Flood[] = [
  {
    name: 'rapid reset',
    repeat: (round) => Buffer.concat([headers(1 + 2 * round, false, ...postFields), rstStream(1 + 2 * round, 8)]),
    allowed: 1000,
    flushed: true,
    details: 'http2.inbound_stream_resets_flood',
  },
  {
    name: 'PING from a peer that does not read',
    repeat: () => frame(6, 0, 0, Buffer.alloc(8)),
    allowed: 999, // the acknowledgement of SETTINGS counts too
    flushed: false,
    details: 'http2.outbound_control_frames_flood',
  },
  {
    name: 'SETTINGS from a peer that does not read',
    repeat: () => settings(3, 5),
    allowed: 999,
    flushed: false,
    details: 'http2.outbound_control_frames_flood',
  },
  {
    name: 'requests refused, and the peer does not read',
    options: { maxConcurrentStreams: 0 },
    repeat: (round) => headers(1 + 2 * round, true, ...getFields),
    allowed: 999,
    flushed: false,
    details: 'http2.outbound_control_frames_flood',
  },
  {
    name: 'empty DATA',
    before: [headers(1, false, ...postFields)],
    repeat: () => data(1, false, ''),
    allowed: 1,
    flushed: true,
    details: 'http2.inbound_empty_frames_flood',
  },
  {
    name: 'empty CONTINUATION',
    before: [frame(1, 1, 1, block(...getFields))],
    repeat: () => frame(9, 0, 1),
    allowed: 1,
    flushed: true,
    details: 'http2.inbound_empty_frames_flood',
  },
  {
    name: 'CONTINUATION without end, a field each',
    before: [frame(1, 1, 1, block(...getFields))],
    repeat: () => frame(9, 0, 1, block('a', 'b')),
    allowed: 92,
    flushed: true,
    details: 'http2.inbound_continuation_frames_flood',
  },
  {
    name: 'CONTINUATION without end, one field',
    before: [frame(1, 1, 1, Buffer.from([0x00, 0x01, 0x61, 0x7f, 0x80, 0x80, 0x80, 0x01]))],
    repeat: () => frame(9, 0, 1, Buffer.alloc(16_000)),
    allowed: 4,
    flushed: true,
    details: 'http2.inbound_continuation_frames_flood',
  },
  {
    name: 'PRIORITY',
    before: [headers(1, true, ...getFields)],
    repeat: () => frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 5])),
    allowed: 200,
    flushed: true,
    details: 'http2.inbound_priority_frames_flood',
  },
  {
    name: 'WINDOW_UPDATE',
    before: [headers(1, true, ...getFields)],
    repeat: () => windowUpdate(0, 1),
    allowed: 7,
    flushed: true,
    details: 'http2.inbound_window_update_frames_flood',
  },
];

for (const { name, options, before, repeat, allowed, flushed, details } of floods) {
  test(`flood of ${name}: ${allowed} are taken, one more ends the connection`, () => {
    const connection = new TestConnection();
    const codec = new Http2ServerCodec(connection, new ServerRecorder(), { ...defaultHttp2Options, ...options });
    connection.take();
    codec.dispatch(Buffer.concat([prefaceBytes, settings(), ...(before ?? [])]));
    for (let round = 0; round < allowed; round++) {
      assert.equal(codec.dispatch(repeat(round)), DispatchStatus.Ok, `round ${round}`);
      if (flushed) connection.take();
    }
    assert.equal(codec.dispatch(repeat(allowed)), DispatchStatus.Flood);
    assert.equal(codec.failure, details);
    const lines = new WireReader().lines(connection.take());
    assert.match(lines.at(-1)!, /^GOAWAY \d+ 11$/);
    assert.equal(codec.dispatch(repeat(allowed + 1)), DispatchStatus.Flood, 'and stays ended');
  });
}

test('PINGs are answered without end to a peer that reads', () => {
  const connection = new TestConnection();
  const codec = new Http2ServerCodec(connection, new ServerRecorder(), defaultHttp2Options);
  codec.dispatch(Buffer.concat([prefaceBytes, settings()]));
  const ping = frame(6, 0, 0, Buffer.alloc(8));
  for (let round = 0; round < 5000; round++) {
    assert.equal(codec.dispatch(ping), DispatchStatus.Ok);
    connection.take();
  }
});

test('what was written but not drained by the socket still counts', () => {
  const connection = new TestConnection();
  const codec = new Http2ServerCodec(connection, new ServerRecorder(), defaultHttp2Options);
  codec.dispatch(Buffer.concat([prefaceBytes, settings()]));
  connection.take();
  codec.onConnectionAboveWriteBufferHighWatermark();
  const ping = frame(6, 0, 0, Buffer.alloc(8));
  let status: DispatchStatus = DispatchStatus.Ok;
  let rounds = 0;
  for (; status === DispatchStatus.Ok && rounds < 5000; rounds++) {
    status = codec.dispatch(ping);
    connection.take();
  }
  assert.equal(status, DispatchStatus.Flood);
  assert.ok(rounds <= 1001);
});

test('resets come back with complete streams when there is no clock, with time when there is one', () => {
  const plain = new Budget(2, 1, null);
  assert.deepEqual([plain.consume(), plain.consume(), plain.consume()], [true, true, false]);
  const earned = new Budget(1, 1, null);
  earned.consume();
  earned.replenish();
  assert.equal(earned.consume(), true);
  let nowMs = 1000;
  const timed = new Budget(2, 10, { nowMs: () => nowMs, wallMs: () => nowMs });
  timed.consume();
  timed.consume();
  assert.equal(timed.consume(), false);
  nowMs += 250;
  assert.deepEqual([timed.consume(), timed.consume()], [true, false]);
});
