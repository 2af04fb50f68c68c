import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GrpcAsyncClient, HttpAsyncClient } from '#gateway/api/async-client.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { TimerWheel } from '#gateway/runtime/timers.ts';
import { retriedGrpcClient } from '#gateway/upstream/client/retried-grpc-client.ts';
import { retriedHttpClient } from '#gateway/upstream/client/retried-http-client.ts';
import type { RetryPolicy } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { messageOf } from '#test/support/filter-harness.ts';

function policyOf(json: object): RetryPolicy {
  return messageOf('envoy.config.core.v3.RetryPolicy', json) as RetryPolicy;
}

class Tools {
  nowMs = 1;
  readonly wheel: TimerWheel;
  readonly random = createSeededRandom(1);

  constructor() {
    const clock = { nowMs: () => this.nowMs, wallMs: () => this.nowMs };
    this.wheel = new TimerWheel(clock, { at: () => {}, cancel: () => {} });
  }

  get timers(): TimerWheel {
    return this.wheel;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.wheel.run();
  }
}

const policy = {
  retry_on: '5xx,unavailable',
  num_retries: 2,
  retry_back_off: { base_interval: '0.2s', max_interval: '3s' },
};

describe('calls that are tried again', () => {
  for (const { statuses, outcome, calls } of [
    { statuses: [503, 200], outcome: '200', calls: 2 },
    { statuses: [0, 0, 401], outcome: '401', calls: 3 },
    { statuses: [503, 503, 503], outcome: '503', calls: 3 },
    { statuses: [404], outcome: '404', calls: 1 },
    { statuses: [0, 0, 0], outcome: 'failed', calls: 3 },
  ]) {
    it(`HTTP ${statuses.join(', ')} ends with ${outcome}`, () => {
      const tools = new Tools();
      let made = 0;
      let outcomeSeen = '';
      const client: HttpAsyncClient = {
        send(_cluster, _head, _body, _options, callbacks) {
          const status = statuses[made++]!;
          if (status === 0) callbacks.onFailure('reset');
          else callbacks.onSuccess(new ResponseHead(status), new Uint8Array(0));
          return null;
        },
      };
      const head = new RequestHead('GET', '/', 'a', 'http', new HeaderMap());
      const options = { timeoutMs: 0, maxResponseOctets: 100 };
      retriedHttpClient(client, policyOf(policy), tools).send('c', head, null, options, {
        onSuccess: ({ status }) => {
          outcomeSeen += status;
        },
        onFailure: () => {
          outcomeSeen += 'failed';
        },
      });
      for (let i = 0; i < 4; i++) tools.pass(700);
      assert.deepEqual([outcomeSeen, made], [outcome, calls]);
    });
  }

  it('gRPC calls too, for the statuses that are named; cancelling ends it', () => {
    const tools = new Tools();
    const made: number[] = [];
    let status = 14;
    const client = {
      unary: (_m, _b, _t, _h, callbacks) => {
        made.push(status);
        callbacks.onFailure(status, '');
        return null;
      },
    } as GrpcAsyncClient;
    const ends: number[] = [];
    const retried = retriedGrpcClient(client, policyOf(policy), tools);
    const callbacks = { onSuccess: () => {}, onFailure: (end: number) => void ends.push(end) };
    retried.unary('/s/m', new Uint8Array(0), 0, null, callbacks);
    status = 5;
    tools.pass(700);
    assert.deepEqual([made, ends], [[14, 5], [5]]);
    status = 14;
    retried.unary('/s/m', new Uint8Array(0), 0, null, callbacks)?.cancel();
    tools.pass(5000);
    assert.equal(made.length, 3);
  });
});
