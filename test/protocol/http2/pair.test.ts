import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DispatchStatus, type MessageSink, type StreamEncoder } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Http2ClientCodec } from '#gateway/protocol/http2/client-codec.ts';
import { defaultHttp2Options, type Http2Options } from '#gateway/protocol/http2/options.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { TestConnection } from '#test/support/h2-recorder.ts';

/**
 * A client and a server codec joined by two byte pipes that a seeded scheduler moves in random pieces, while both ends
 * send bodies, stop and resume reading and reset streams at random. A window that leaks ends in a standstill.
 */

/** One end of a stream: sends a body in random chunks, takes the other's, and looks that nothing comes out of turn. */
class End implements MessageSink {
  encoder: StreamEncoder | null = null;
  readonly body: Buffer;
  readonly received: Buffer[] = [];
  sent = 0;
  ended = false;
  reset = false;
  reading = true;
  above = false;
  started = false;

  constructor(body: Buffer) {
    this.body = body;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    assert.ok(!this.ended && !this.reset);
    assert.ok(this.reading || chunk.length === 0, 'nothing is delivered while reading is disabled');
    this.received.push(Buffer.from(chunk));
    if (endStream) this.ended = true;
  }

  decodeTrailers(trailers: HeaderMap): void {
    assert.ok(!this.ended && !this.reset && this.reading);
    assert.equal(trailers.get('t'), 'v');
    this.ended = true;
  }

  onResetStream(): void {
    assert.ok(!this.reset);
    this.reset = true;
  }

  onAboveWriteBufferHighWatermark(): void {
    assert.equal(this.above, false);
    this.above = true;
  }

  onBelowWriteBufferLowWatermark(): void {
    assert.equal(this.above, true);
    this.above = false;
  }

  /** Sends the next piece; the last one with END_STREAM or followed by trailers. */
  send(octets: number, trailers: boolean): void {
    if (!this.started || this.reset || this.sent > this.body.length || this.encoder === null) return;
    const end = Math.min(this.body.length, this.sent + octets);
    const chunk = this.body.subarray(this.sent, end);
    this.sent = end;
    if (end < this.body.length) {
      this.encoder.encodeData(chunk, false);
      return;
    }
    this.sent++;
    this.encoder.encodeData(chunk, !trailers);
    if (trailers) this.encoder.encodeTrailers(new HeaderMap(['t', 'v']));
  }

  toggleReading(): void {
    if (this.encoder === null || this.ended || this.reset) return;
    this.reading = !this.reading;
    this.encoder.readDisable(!this.reading);
  }
}

function run(seed: number): void {
  const { uint32 } = createSeededRandom(seed);
  const options: Http2Options = {
    ...defaultHttp2Options,
    initialStreamWindowOctets: 65_535,
    initialConnectionWindowOctets: 65_535 + (uint32() % 2) * 50_000,
    streamWriteBufferOctets: 1 + (uint32() % 50_000),
    maxWindowUpdatesPerDataFrameSent: 1000,
  };
  const toServer = new TestConnection();
  const toClient = new TestConnection();
  const clients: End[] = [];
  const servers: End[] = [];
  let completed = 0;
  let closed = 0;
  const body = (): Buffer => Buffer.alloc(uint32() % 200_000, `${seed} ${clients.length} `);
  const client = new Http2ClientCodec(
    toServer,
    { onStreamClosed: () => closed++, onMaxConcurrentStreams() {}, onGoAway() {}, onPingAck() {} },
    options,
  );
  const server = new Http2ServerCodec(
    toClient,
    {
      newStream(encoder) {
        const end = new End(body());
        end.encoder = encoder;
        servers.push(end);
        return Object.assign(end, {
          decodeHeaders(_head: RequestHead, endStream: boolean): void {
            if (endStream) end.ended = true;
            encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['a', 'b'.repeat(uint32() % 50)])), false);
            end.started = true;
          },
          onBadRequest(): void {},
        });
      },
      onStreamComplete: () => completed++,
      onGoAway() {},
      onPingAck() {},
    },
    options,
  );
  const total = 6;
  for (let i = 0; i < total; i++) {
    const end = new End(body());
    clients.push(end);
    const decoder = Object.assign(end, {
      decodeInformational(): void {},
      decodeHeaders(_head: ResponseHead, endStream: boolean): void {
        if (endStream) end.ended = true;
      },
    });
    const encoder = client.newStream(decoder);
    end.encoder = encoder;
    encoder.encodeHeaders(new RequestHead('POST', `/${i}`, 'a.test', 'http', new HeaderMap()), false);
    end.started = true;
  }
  const pipes = { toServer: Buffer.alloc(0), toClient: Buffer.alloc(0) };
  const move = (most: number): void => {
    pipes.toServer = Buffer.concat([pipes.toServer, toServer.take()]);
    pipes.toClient = Buffer.concat([pipes.toClient, toClient.take()]);
    assert.equal(server.dispatch(Uint8Array.from(pipes.toServer.subarray(0, most))), DispatchStatus.Ok);
    pipes.toServer = pipes.toServer.subarray(most);
    assert.equal(client.dispatch(Uint8Array.from(pipes.toClient.subarray(0, most))), DispatchStatus.Ok);
    pipes.toClient = pipes.toClient.subarray(most);
  };
  const resets = seed % 3 === 0;
  for (let step = 0; step < 400; step++) {
    const end = [...clients, ...servers][uint32() % (clients.length + servers.length)]!;
    const action = uint32() % 8;
    if (action < 3) end.send(1 + (uint32() % 40_000), uint32() % 2 === 0);
    else if (action === 3) end.toggleReading();
    else if (action === 4 && resets && uint32() % 40 === 0 && end.encoder !== null) {
      end.reset = true;
      end.encoder.resetStream('local_reset');
    } else move(1 + (uint32() % 30_000));
  }
  // Now everybody reads and sends to the end: all must come through.
  for (let round = 0; round < 300; round++) {
    for (const end of [...clients, ...servers]) {
      if (!end.reading) end.toggleReading();
      end.send(50_000, false);
    }
    move(1 << 20);
  }
  const whole = clients.every((end, i) => end.reset || (servers[i] !== undefined && !servers[i].reset));
  for (const [i, end] of clients.entries()) {
    const peer = servers[i];
    if (end.reset || peer === undefined || peer.reset) continue;
    assert.ok(end.ended && Buffer.concat(end.received).equals(peer.body), `seed ${seed}: response ${i}`);
    // A response that ended first makes the server drop the rest of the request: what came must be its beginning.
    const request = Buffer.concat(peer.received);
    assert.ok(end.body.subarray(0, request.length).equals(request), `seed ${seed}: request ${i}`);
    assert.equal(end.above, false);
  }
  assert.ok(whole || resets);
  assert.equal(client.activeStreams, 0, `seed ${seed}`);
  assert.equal(server.activeStreams, 0, `seed ${seed}`);
  assert.equal(closed, total);
  assert.ok(resets || completed === total);
}

test('HTTP/2 client and server: every body comes through whatever the timing, and no window leaks', () => {
  for (let seed = 1; seed <= 40; seed++) run(seed);
});
