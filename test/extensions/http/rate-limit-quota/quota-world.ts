import assert from 'node:assert/strict';
import type { JsonValue } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { rateLimitQuotaExtension } from '#gateway/extensions/http/rate-limit-quota/rate-limit-quota-extension.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { quotaResponse, type ReportedUsage, readUsages } from '#test/support/quota-server.ts';
import { type FilterStream, requestHead } from '#test/support/router-stream.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const types = 'type.googleapis.com/';
const settingsType = `${types}envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaBucketSettings`;

/** A data input of a request header. */
export const headerInput = (name: string): object => ({
  name: 'input',
  typed_config: { '@type': `${types}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, header_name: name },
});

/** The action of a bucket `{ b: name }`; `fields` are further settings. */
export function bucketNamed(name: string, fields: object = {}): object {
  return bucketOf({ bucket_id_builder: { bucket_id_builder: { b: { string_value: name } } }, ...fields });
}

/** The action with those settings. */
export function bucketOf(settings: object): object {
  return { action: { name: 'a', typed_config: { '@type': settingsType, reporting_interval: '5s', ...settings } } };
}

/** What an open stream to the service saw. */
export interface SeenStream {
  readonly usages: ReportedUsage[];
  reset: boolean;
  callbacks: GrpcStreamCallbacks;
}

/** A rate_limit_quota filter with a virtual clock and a service that a test plays. */
export class QuotaWorld {
  readonly time: VirtualTime = new VirtualTime();
  readonly streams: SeenStream[] = [];
  readonly harness: FilterHarness;
  /** How many of the next streams fail at once. */
  unreachable = 0;
  #messages = 0;
  /** The stream of the last request. */
  last!: FilterStream;

  constructor(matchers: object, fields: object = {}) {
    const grpc: GrpcAsyncClient = {
      unary: () => null,
      stream: (method, _metadata, callbacks) => {
        assert.equal(method, '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas');
        const seen: SeenStream = { usages: [], reset: false, callbacks };
        const index = this.streams.push(seen) - 1;
        if (this.unreachable > 0) {
          this.unreachable--;
          callbacks.onClose(14, 'unreachable');
        }
        return {
          send: (octets) => void seen.usages.push(...readUsages(octets, index, this.#messages++)),
          endWrite: () => {},
          reset: () => {
            seen.reset = true;
          },
        };
      },
    };
    const json = {
      domain: 'd',
      rlqs_server: { envoy_grpc: { cluster_name: 'quota' } },
      bucket_matchers: matchers,
      ...fields,
    };
    const clock = this.time;
    this.harness = new FilterHarness(rateLimitQuotaExtension, json, {
      clock,
      timers: clock.timers,
      grpcClient: () => grpc,
    });
  }

  /** One request; true: it went on. */
  ask(path = '/', headers: readonly string[] = [], overrides: readonly unknown[] = []): boolean {
    this.last = this.harness.stream(...overrides);
    return this.last.request(requestHead('GET', path, ...headers)) === FilterHeadersStatus.Continue;
  }

  /** How many of `count` requests went on. */
  askTimes(count: number, path = '/'): number {
    let passed = 0;
    for (let i = 0; i < count; i++) if (this.ask(path)) passed++;
    return passed;
  }

  /** What was reported since the last look, as `stream bucket +allowed -denied`. */
  reports(): string[] {
    const said = this.streams.flatMap(({ usages }) => usages.splice(0));
    return said.map(({ stream, bucket, allowed, denied }) => {
      const id = Object.entries(bucket).map(([key, value]) => `${key}=${value}`);
      return `${stream} ${id.join(',')} +${allowed} -${denied}`;
    });
  }

  /** The service sends actions on the newest stream. */
  serve(...actions: readonly JsonValue[]): void {
    this.streams.at(-1)!.callbacks.onMessage(quotaResponse(...actions));
  }

  /** The newest stream ends. */
  hangUp(status = 14): void {
    this.streams.at(-1)!.callbacks.onClose(status, 'gone');
  }

  /** The filter's configuration is gone. */
  close(): void {
    this.harness.factory?.close?.();
  }

  /** A counter or gauge of the client of domain `d`. */
  stat(name: string): number {
    return this.harness.server.stat(`rate_limit_quota.d.${name}`);
  }
}

/** Strategies as JSON. */
export const denyAll: JsonValue = { blanket_rule: 'DENY_ALL' };
/** @see denyAll */
export const allowAll: JsonValue = { blanket_rule: 'ALLOW_ALL' };
/** @see denyAll */
export const tokens = (max: number, perFill: number, interval: string): JsonValue => ({
  token_bucket: { max_tokens: max, tokens_per_fill: perFill, fill_interval: interval },
});

/** The id of `one`. */
export const oneId = { b: 'x' } as const;
/** Matchers that put every request into one bucket. */
export const one = (fields: object = {}): object => ({ on_no_match: bucketNamed('x', fields) });
/** Matchers that make a bucket of each value of a header. */
export const byHeader = (name: string, fields: object = {}): object => ({
  on_no_match: bucketOf({
    bucket_id_builder: { bucket_id_builder: { b: { custom_value: headerInput(name) } } },
    ...fields,
  }),
});
/** Where a request's bucket is told. */
export const bucketMetadata = 'envoy.extensions.http_filters.rate_limit_quota.bucket';
