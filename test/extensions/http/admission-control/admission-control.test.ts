import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { admissionControlExtension } from '#gateway/extensions/http/admission-control/admission-control-extension.ts';
import { rejectionProbability, SuccessWindow } from '#gateway/extensions/http/admission-control/success-window.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const counts = (harness: FilterHarness): number[] =>
  ['rq_success', 'rq_failure', 'rq_rejected'].map((name) => harness.stat(`admission_control.${name}`));

/** Sends a request and answers it when it was let through. */
function ask(
  harness: FilterHarness,
  status: number,
  headers: string[] = [],
  trailers: string[] | null = null,
): boolean {
  const stream = harness.stream();
  const admitted = stream.request(requestHead('GET', '/')) === FilterHeadersStatus.Continue;
  const { encoder } = harness.lastChain;
  if (admitted) encoder!.encodeHeaders(new ResponseHead(status, new HeaderMap(headers)), trailers === null);
  else assert.equal(stream.events[0], 'reply 503 denied_by_admission_control');
  if (admitted && trailers !== null) encoder!.encodeTrailers(new HeaderMap(trailers));
  stream.filter.onDestroy();
  return admitted;
}

describe('admission_control', () => {
  it('turns away about the share that the formula says, and recovers when the window has passed', () => {
    const time = new VirtualTime();
    const json = {
      success_criteria: {},
      sampling_window: '10s',
      max_rejection_probability: { default_value: { value: 60 } },
    };
    const harness = new FilterHarness(admissionControlExtension, json, { clock: time, random: createSeededRandom(3) });
    for (let i = 0; i < 200; i++) ask(harness, 503);
    const before = counts(harness)[2]!;
    let admitted = 0;
    for (let i = 0; i < 1000; i++) if (ask(harness, 503)) admitted++;
    assert.ok(admitted > 330 && admitted < 470, `${admitted}`);
    assert.equal(counts(harness)[2]! - before, 1000 - admitted);
    time.advance(11_000);
    assert.equal(ask(harness, 200), true);
  });

  it('knows success by HTTP status, by gRPC status in headers and in trailers; no answer is a failure', () => {
    const never = { max_rejection_probability: { default_value: { value: 0 } } };
    const harness = new FilterHarness(admissionControlExtension, { success_criteria: {}, ...never });
    const grpc = ['content-type', 'application/grpc'];
    for (const status of [200, 404, 499, 500, 503]) ask(harness, status);
    assert.deepEqual(counts(harness), [3, 2, 0]);
    ask(harness, 200, [...grpc, 'grpc-status', '5']);
    ask(harness, 200, [...grpc, 'grpc-status', '14']);
    ask(harness, 200, grpc, ['grpc-status', '0']);
    ask(harness, 200, grpc, ['grpc-status', '8']);
    ask(harness, 200, grpc, []);
    assert.deepEqual(counts(harness), [5, 5, 0]);
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    stream.filter.onDestroy();
    assert.deepEqual(counts(harness), [5, 6, 0]);
  });

  it('what the configuration gets wrong is told with its path', () => {
    const harness = new FilterHarness(admissionControlExtension, {
      sr_threshold: { default_value: { value: 0.5 } },
      success_criteria: {
        http_criteria: { http_success_status: [{ start: 200, end: 200 }] },
        grpc_criteria: { grpc_success_status: [17] },
      },
    });
    assert.deepEqual(
      harness.problems.map((problem) => problem.split(':')[0]),
      [
        'sr_threshold',
        'success_criteria.http_criteria.http_success_status[0]',
        'success_criteria.grpc_criteria.grpc_success_status[0]',
      ],
    );
  });

  it('the formula', () => {
    const settings = { threshold: 0.95, aggression: 1, maxProbability: 0.8 };
    assert.equal(rejectionProbability(0, 0, settings), 0);
    assert.equal(rejectionProbability(100, 95, settings), 0);
    assert.equal(rejectionProbability(100, 100, settings), 0);
    assert.equal(rejectionProbability(99, 57, settings), (99 - 57 / 0.95) / 100);
    assert.equal(rejectionProbability(99, 57, { ...settings, aggression: 2 }), Math.sqrt((99 - 57 / 0.95) / 100));
    assert.equal(rejectionProbability(1000, 0, settings), 0.8);
  });

  it('the window forgets second by second', () => {
    const time = new VirtualTime();
    const window = new SuccessWindow(3000, time);
    for (let i = 0; i < 3; i++) {
      window.record(true);
      window.record(false);
      time.advance(1000);
    }
    assert.deepEqual([window.requests, window.successes, window.averageRps], [4, 2, 2]);
    time.advance(3000);
    assert.deepEqual([window.requests, window.successes, window.averageRps], [0, 0, 0]);
  });
});
