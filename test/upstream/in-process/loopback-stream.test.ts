import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { MessageSink, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { LoopbackStream } from '#gateway/upstream/in-process/loopback-stream.ts';

function sink(log: string[], name: string): MessageSink {
  return {
    decodeData: (chunk, end) => void log.push(`${name} data ${chunk.length} ${end}`),
    decodeTrailers: (trailers) => void log.push(`${name} trailers ${trailers.entries.join(' ')}`),
    onResetStream: (reason) => void log.push(`${name} reset ${reason}`),
    onAboveWriteBufferHighWatermark: () => void log.push(`${name} above`),
    onBelowWriteBufferLowWatermark: () => void log.push(`${name} below`),
  };
}

interface Pair {
  readonly stream: LoopbackStream;
  readonly server: ResponseEncoder;
  readonly log: string[];
}

function pair(): Pair {
  const log: string[] = [];
  let server: ResponseEncoder | null = null;
  const head = (name: string) => (message: RequestHead | ResponseHead, end: boolean) =>
    void log.push(`${name} head ${message instanceof RequestHead ? message.path : message.status} ${end}`);
  const stream = new LoopbackStream(
    {
      ...sink(log, 'client'),
      decodeHeaders: head('client'),
      decodeInformational: (message) => void log.push(`client informational ${message.status}`),
    },
    {
      newStream(encoder) {
        server = encoder;
        return { ...sink(log, 'server'), decodeHeaders: head('server'), onBadRequest: () => {} };
      },
    },
    { onStreamClosed: () => void log.push('closed') },
  );
  return { stream, server: server!, log };
}

const request = new RequestHead('POST', '/x', 'a', 'http', new HeaderMap([]));

describe('stream whose two ends are in one process', () => {
  it('passes on in order, never within the call, and closes when both sides have ended', async () => {
    const { stream, server, log } = pair();
    stream.encoder.encodeHeaders(request, false);
    stream.encoder.encodeData(new Uint8Array(3), true);
    assert.deepEqual(log, []);
    await turn();
    assert.deepEqual(log.splice(0), ['server head /x false', 'server data 3 true']);
    server.encodeInformational(new ResponseHead(103));
    server.encodeHeaders(new ResponseHead(200), false);
    server.encodeData(new Uint8Array(2), false);
    server.encodeTrailers(new HeaderMap(['a', 'b']));
    server.encodeData(new Uint8Array(9), true); // after its end: nothing
    await turn();
    assert.deepEqual(log, [
      'client informational 103',
      'client head 200 false',
      'client data 2 false',
      'client trailers a b',
      'closed',
    ]);
  });

  it('tells the other side of a reset, once, and nothing after it', async () => {
    for (const from of ['client', 'server'] as const) {
      const { stream, server, log } = pair();
      stream.encoder.encodeHeaders(request, false);
      await turn();
      server.encodeData(new Uint8Array(1), false);
      (from === 'client' ? stream.encoder : server).resetStream('local_reset');
      stream.encoder.resetStream('local_reset');
      await turn();
      const other = from === 'client' ? 'server' : 'client';
      assert.deepEqual(log, ['server head /x false', 'closed', `${other} reset remote_reset`]);
    }
  });

  it('holds back what the other side does not want to read yet', async () => {
    const { stream, server, log } = pair();
    stream.encoder.encodeHeaders(request, true);
    await turn();
    log.length = 0;
    stream.encoder.readDisable(true);
    server.encodeHeaders(new ResponseHead(200), false);
    server.encodeData(new Uint8Array(1024 * 1024 + 1), false);
    await turn();
    assert.deepEqual(log.splice(0), ['server above']);
    assert.equal(server.bufferedOctets, 1024 * 1024 + 1);
    stream.encoder.readDisable(false);
    await turn();
    assert.deepEqual(log, ['client head 200 false', 'server below', 'client data 1048577 false']);
    assert.deepEqual([server.bufferedOctets, stream.encoder.wireOctetsReceived], [0, 1024 * 1024 + 1]);
  });
});
