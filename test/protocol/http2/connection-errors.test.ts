import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus } from '#gateway/protocol/codec.ts';
import { defaultHttp2Options } from '#gateway/protocol/http2/options.ts';
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

/** What ends a connection, with the error code that GOAWAY must say. RFC 9113 section 5.4.1. */
const cases: readonly { name: string; input: readonly Uint8Array[]; code: number }[] = [
  { name: 'DATA on stream 0', input: [data(0, true, 'a')], code: 1 },
  { name: 'DATA on an idle stream', input: [data(1, true, 'a')], code: 1 },
  {
    name: 'padding as long as the payload',
    input: [headers(1, false, ...postFields), frame(0, 8, 1, Buffer.from([1]))],
    code: 1,
  },
  { name: 'PADDED without a pad length', input: [headers(1, false, ...postFields), frame(0, 8, 1)], code: 1 },
  { name: 'HEADERS on stream 0', input: [headers(0, true, ...getFields)], code: 1 },
  { name: 'HEADERS on an even stream', input: [headers(2, true, ...getFields)], code: 1 },
  {
    name: 'HEADERS below an earlier stream',
    input: [headers(3, true, ...getFields), headers(1, true, ...getFields)],
    code: 5,
  },
  { name: 'HEADERS with too much padding', input: [frame(1, 0x0d, 1, Buffer.from([9, 0x82]))], code: 1 },
  { name: 'HEADERS too short for its priority', input: [frame(1, 0x25, 1, Buffer.from([0, 0]))], code: 6 },
  {
    name: 'a frame within a header block',
    input: [frame(1, 1, 1, block(...getFields)), frame(6, 0, 0, Buffer.alloc(8))],
    code: 1,
  },
  { name: 'DATA within a header block', input: [frame(1, 1, 1, block(...getFields)), data(1, true, 'a')], code: 1 },
  {
    name: 'CONTINUATION of another stream',
    input: [frame(1, 1, 1, block(...getFields)), frame(9, 4, 3, Buffer.from([0x82]))],
    code: 1,
  },
  { name: 'CONTINUATION without HEADERS', input: [frame(9, 4, 1, Buffer.from([0x82]))], code: 1 },
  { name: 'a header block that ends within a field', input: [frame(1, 5, 1, Buffer.from([0x40, 0x05]))], code: 9 },
  { name: 'an index beyond the tables', input: [frame(1, 5, 1, Buffer.from([0xfe]))], code: 9 },
  { name: 'PRIORITY on stream 0', input: [frame(2, 0, 0, Buffer.alloc(5))], code: 1 },
  { name: 'RST_STREAM on stream 0', input: [rstStream(0, 8)], code: 1 },
  { name: 'RST_STREAM on an idle stream', input: [rstStream(1, 8)], code: 1 },
  {
    name: 'RST_STREAM of three octets',
    input: [headers(1, false, ...postFields), frame(3, 0, 1, Buffer.alloc(3))],
    code: 6,
  },
  { name: 'SETTINGS on a stream', input: [frame(4, 0, 1)], code: 1 },
  { name: 'SETTINGS of seven octets', input: [frame(4, 0, 0, Buffer.alloc(7))], code: 6 },
  { name: 'an acknowledgement with settings', input: [frame(4, 1, 0, Buffer.alloc(6))], code: 6 },
  { name: 'ENABLE_PUSH 2', input: [settings(2, 2)], code: 1 },
  { name: 'a window of 2^31', input: [settings(4, 0x8000_0000)], code: 3 },
  { name: 'a frame size of 16,383', input: [settings(5, 16_383)], code: 1 },
  { name: 'a frame size of 2^24', input: [settings(5, 1 << 24)], code: 1 },
  { name: 'ENABLE_CONNECT_PROTOCOL withdrawn', input: [settings(8, 1), settings(8, 0)], code: 1 },
  { name: 'PUSH_PROMISE', input: [frame(5, 4, 1, Buffer.alloc(4))], code: 1 },
  { name: 'PING on a stream', input: [frame(6, 0, 1, Buffer.alloc(8))], code: 1 },
  { name: 'PING of seven octets', input: [frame(6, 0, 0, Buffer.alloc(7))], code: 6 },
  { name: 'GOAWAY on a stream', input: [frame(7, 0, 1, Buffer.alloc(8))], code: 1 },
  { name: 'GOAWAY of seven octets', input: [frame(7, 0, 0, Buffer.alloc(7))], code: 6 },
  { name: 'WINDOW_UPDATE by 0', input: [windowUpdate(0, 0)], code: 1 },
  { name: 'WINDOW_UPDATE on an idle stream', input: [windowUpdate(1, 1)], code: 1 },
  { name: 'WINDOW_UPDATE of three octets', input: [frame(8, 0, 0, Buffer.alloc(3))], code: 6 },
  { name: 'a frame of 16,385 octets', input: [frame(0, 0, 1, Buffer.alloc(16_385))], code: 6 },
];

for (const { name, input, code } of cases) {
  for (const pieces of [1 << 20, 1]) {
    test(`HTTP/2 connection error, ${name}: ${pieces === 1 ? 'octet by octet' : 'whole'}`, () => {
      const connection = new TestConnection();
      const codec = new Http2ServerCodec(connection, new ServerRecorder(), defaultHttp2Options);
      connection.take();
      const bytes = Buffer.concat([prefaceBytes, settings(), ...input]);
      let status: DispatchStatus = DispatchStatus.Ok;
      for (let at = 0; at < bytes.length; at += pieces) {
        status = codec.dispatch(Uint8Array.from(bytes.subarray(at, at + pieces)));
        if (status !== DispatchStatus.Ok) break;
      }
      assert.equal(status, DispatchStatus.ProtocolError);
      assert.match(new WireReader().lines(connection.take()).at(-1)!, new RegExp(`^GOAWAY \\d+ ${code}$`));
    });
  }
}

for (const [name, bytes] of [
  ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a wrong ending', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\rX')],
  ['no SETTINGS first', Buffer.concat([prefaceBytes, headers(1, true, ...getFields)])],
  ['an acknowledgement first', Buffer.concat([prefaceBytes, frame(4, 1, 0)])],
] as const) {
  test(`HTTP/2 server: a preface with ${name} is refused`, () => {
    const connection = new TestConnection();
    const codec = new Http2ServerCodec(connection, new ServerRecorder(), defaultHttp2Options);
    connection.take();
    assert.equal(codec.dispatch(bytes), DispatchStatus.ProtocolError);
    assert.deepEqual(new WireReader().lines(connection.take()), ['GOAWAY 0 1']);
  });
}

/** What only ends the stream, with the code that RST_STREAM must say. RFC 9113 section 5.4.2. */
const streamCases: readonly { name: string; input: readonly Uint8Array[]; code: number }[] = [
  { name: 'DATA after END_STREAM', input: [headers(1, true, ...getFields), data(1, false, 'a')], code: 5 },
  { name: 'HEADERS after END_STREAM', input: [headers(1, true, ...getFields), headers(1, true, 'a', 'b')], code: 5 },
  { name: 'WINDOW_UPDATE by 0', input: [headers(1, true, ...getFields), windowUpdate(1, 0)], code: 1 },
  {
    name: 'a stream that depends on itself',
    input: [frame(1, 0x25, 1, Buffer.concat([Buffer.from([0, 0, 0, 1, 5]), block(...getFields)]))],
    code: 1,
  },
  {
    name: 'PRIORITY of four octets',
    input: [headers(1, true, ...getFields), frame(2, 0, 1, Buffer.alloc(4))],
    code: 6,
  },
  {
    name: 'PRIORITY on itself',
    input: [headers(1, true, ...getFields), frame(2, 0, 1, Buffer.from([0, 0, 0, 1, 0]))],
    code: 1,
  },
  {
    name: 'DATA after RST_STREAM',
    input: [headers(1, false, ...postFields), rstStream(1, 8), data(1, false, 'a')],
    code: 5,
  },
];

for (const { name, input, code } of streamCases) {
  test(`HTTP/2 stream error, ${name}`, () => {
    const connection = new TestConnection();
    const codec = new Http2ServerCodec(connection, new ServerRecorder(), defaultHttp2Options);
    connection.take();
    const bytes = Buffer.concat([prefaceBytes, settings(), ...input]);
    assert.equal(codec.dispatch(bytes), DispatchStatus.Ok);
    assert.deepEqual(new WireReader().lines(connection.take()).slice(1), [`RST_STREAM 1 ${code}`]);
    assert.equal(codec.activeStreams, 0);
  });
}
