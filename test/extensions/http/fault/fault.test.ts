import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterDataStatus, FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { faultExtension } from '#gateway/extensions/http/fault/fault-extension.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const all = { numerator: 100 };

/** Timers that go off when the test says so. */
class ManualTimers implements Timers {
  readonly armed: { target: TimerTarget; timer: Timer; delayMs: number }[] = [];

  create(target: TimerTarget): Timer {
    const timer: Timer = {
      enabled: true,
      enable: (delayMs: number) => void this.armed.push({ target, timer, delayMs }),
      disable: () => void this.armed.splice(0),
    };
    return timer;
  }

  fire(): number {
    const { target, timer, delayMs } = this.armed.shift()!;
    target.onTimer(timer);
    return delayMs;
  }
}

describe('fault', () => {
  it('delays, then answers with an error', () => {
    const timers = new ManualTimers();
    const json = { delay: { fixed_delay: '0.300s', percentage: all }, abort: { http_status: 418, percentage: all } };
    const harness = new FilterHarness(faultExtension, json, { timers });
    const stream = harness.stream();
    const head = requestHead('POST', '/', 'x-envoy-downstream-service-cluster', 'dsc');
    assert.equal(stream.request(head, false), FilterHeadersStatus.StopIteration);
    assert.equal(stream.filter.decodeData(new Uint8Array(1), true), FilterDataStatus.StopIterationAndWatermark);
    assert.equal(harness.stat('fault.active_faults'), 1);
    assert.equal(timers.fire(), 300);
    assert.deepEqual(stream.events, ['reply 418 fault_filter_abort', 'end']);
    assert.equal(stream.body, 'fault filter abort');
    assert.equal(stream.flags, 'DI,FI');
    stream.filter.onDestroy();
    const names = ['delays_injected', 'aborts_injected', 'dsc.delays_injected', 'dsc.aborts_injected', 'active_faults'];
    assert.deepEqual(
      names.map((name) => harness.stat(`fault.${name}`)),
      [1, 1, 1, 1, 0],
    );
  });

  it('clients cannot make statistics without end by naming clusters', () => {
    const harness = new FilterHarness(faultExtension, { abort: { http_status: 503, percentage: all } });
    for (let i = 0; i < 150; i++) {
      harness.stream().request(requestHead('GET', '/', 'x-envoy-downstream-service-cluster', `made-up-${i}`));
    }
    assert.deepEqual(
      ['made-up-99.aborts_injected', 'made-up-100.aborts_injected', 'aborts_injected'].map((name) =>
        harness.stat(`fault.${name}`),
      ),
      [1, 0, 150],
    );
  });

  it('a delay alone goes on; a stream that ends first takes its timer along', () => {
    const timers = new ManualTimers();
    const harness = new FilterHarness(faultExtension, { delay: { fixed_delay: '1s', percentage: all } }, { timers });
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    timers.fire();
    assert.equal(stream.continued, 1);
    const gone = harness.stream();
    gone.request(requestHead('GET', '/'));
    gone.filter.onDestroy();
    assert.equal(timers.armed.length, 0);
  });

  const byHeader = { abort: { header_abort: {}, percentage: all } };
  const cases: readonly {
    name: string;
    json: unknown;
    headers?: readonly string[];
    event: string | null;
    body?: string;
  }[] = [
    {
      name: 'a gRPC status',
      json: { abort: { grpc_status: 14, percentage: all } },
      event: 'reply 200 fault_filter_abort',
    },
    {
      name: 'a body',
      json: { abort: { http_status: 500, percentage: all, response_body: 'my body' } },
      event: 'reply 500 fault_filter_abort',
      body: 'my body',
    },
    { name: 'no percentage', json: { abort: { http_status: 500 } }, event: null },
    {
      name: 'no more faults',
      json: { abort: { http_status: 500, percentage: all }, max_active_faults: 0 },
      event: null,
    },
    {
      name: 'another cluster',
      json: { abort: { http_status: 500, percentage: all }, upstream_cluster: 'x' },
      event: null,
    },
    {
      name: 'this cluster',
      json: { abort: { http_status: 500, percentage: all }, upstream_cluster: 'backend' },
      event: 'reply 500 fault_filter_abort',
    },
    {
      name: 'another node',
      json: { abort: { http_status: 500, percentage: all }, downstream_nodes: ['n'] },
      event: null,
    },
    {
      name: 'a header that is not there',
      json: { abort: { http_status: 500, percentage: all }, headers: [{ name: 'x-f', present_match: true }] },
      event: null,
    },
    {
      name: 'a status from a header',
      json: byHeader,
      headers: ['x-envoy-fault-abort-request', '429'],
      event: 'reply 429 fault_filter_abort',
    },
    { name: 'a bad status from a header', json: byHeader, headers: ['x-envoy-fault-abort-request', '99'], event: null },
    {
      name: 'a share from a header',
      json: byHeader,
      headers: ['x-envoy-fault-abort-request', '429', 'x-envoy-fault-abort-request-percentage', '0'],
      event: null,
    },
    {
      name: 'a gRPC status from a header',
      json: byHeader,
      headers: ['x-envoy-fault-abort-grpc-request', '5'],
      event: 'reply 200 fault_filter_abort',
    },
  ];
  for (const { name, json, headers = [], event, body } of cases) {
    it(`abort with ${name}: ${event ?? 'goes on'}`, () => {
      const stream = new FilterHarness(faultExtension, json).stream();
      stream.request(requestHead('GET', '/', ...headers));
      assert.equal(stream.events[0] ?? null, event);
      if (body !== undefined) assert.equal(stream.body, body);
    });
  }

  it('a route replaces the filter', () => {
    const harness = new FilterHarness(faultExtension, {});
    const stream = harness.stream({ abort: { http_status: 503, percentage: all } });
    assert.equal(stream.request(requestHead('GET', '/')), FilterHeadersStatus.StopIteration);
  });
});
