import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EncoderFilterCallbacks } from '#gateway/api/http-filter.ts';
import { TokenBucket } from '#gateway/base/token-bucket.ts';
import { bandwidthLimitExtension } from '#gateway/extensions/http/bandwidth-limit/bandwidth-limit-extension.ts';
import { StreamPacer } from '#gateway/extensions/http/bandwidth-limit/stream-pacer.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

describe('bandwidth_limit', () => {
  it('lets octets go at the pace of the bucket, in order, and says when it holds too much', () => {
    const time = new VirtualTime();
    const bucket = new TokenBucket({ maxTokens: 1000, tokensPerSecond: 1000 }, time, 100);
    const passed: number[] = [];
    const events: string[] = [];
    const pacer = new StreamPacer(
      bucket,
      {
        onPaced(chunk, last) {
          passed.push(...chunk);
          if (last) events.push('last');
        },
        onPacerFull: (full) => void events.push(full ? 'full' : 'room'),
      },
      { fillMs: 96, limitOctets: 200, timers: time.timers, clock: time },
    );
    const octets = Uint8Array.from({ length: 500 }, (_, i) => i % 251);
    pacer.write(octets.subarray(0, 300), false);
    assert.deepEqual([passed.length, events], [100, []]);
    pacer.write(octets.subarray(300), true);
    assert.deepEqual(events, ['full']);
    time.advance(96);
    assert.equal(passed.length, 196);
    time.advance(500);
    assert.deepEqual(passed, [...octets]);
    assert.deepEqual(events, ['full', 'room', 'last']);
    assert.ok(pacer.done && pacer.limitedMs >= 384);
  });

  it('tells the delays in trailers of the response', () => {
    const time = new VirtualTime();
    const json = { stat_prefix: 's', enable_mode: 'RESPONSE', limit_kbps: 1, enable_response_trailers: true };
    const harness = new FilterHarness(bandwidthLimitExtension, json, { clock: time, timers: time.timers });
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    const { encoder } = harness.lastChain;
    let octets = 0;
    let trailers: readonly string[] = [];
    const callbacks = {
      encoderBufferLimit: () => 0,
      injectEncodedData: (chunk: Uint8Array) => {
        octets += chunk.length;
      },
      injectEncodedTrailers: (map: HeaderMap) => {
        trailers = map.entries;
      },
    };
    encoder!.setEncoderFilterCallbacks(callbacks as unknown as EncoderFilterCallbacks);
    harness.respond(200);
    encoder!.encodeData(new Uint8Array(512), true);
    assert.ok(octets < 100);
    time.advance(600);
    assert.equal(octets, 512);
    assert.deepEqual([trailers[0], trailers[2]], ['bandwidth-response-delay-ms', 'bandwidth-response-filter-delay-ms']);
    const stat = (name: string): number => harness.server.stat(`s.http_bandwidth_limit.response_${name}`);
    assert.deepEqual([stat('enabled'), stat('pending'), stat('allowed_total_size')], [1, 0, 512]);
    assert.ok(stat('enforced') > 0);
  });

  it('without a limit it is accepted and limits nothing', () => {
    const harness = new FilterHarness(bandwidthLimitExtension, { stat_prefix: 's' });
    assert.deepEqual(harness.problems, []);
  });
});
