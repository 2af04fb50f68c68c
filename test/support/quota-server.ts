import { fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type {
  RateLimitQuotaResponse,
  RateLimitQuotaUsageReports,
} from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import { type GrpcTestCall, startGrpcStreamServer } from './grpc-stream-server.ts';

const reports = messageSchema<RateLimitQuotaUsageReports>(
  'envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports',
);
const responses = messageSchema<RateLimitQuotaResponse>('envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse');

/** What was reported of one bucket at one time. */
export interface ReportedUsage {
  readonly domain: string;
  readonly bucket: { readonly [key: string]: string };
  readonly allowed: number;
  readonly denied: number;
  /** Seconds. */
  readonly elapsed: number;
  /** The stream, counted from 0. */
  readonly stream: number;
  /** The message, counted from 0 over all streams: what came together has the same number. */
  readonly message: number;
}

/** A scripted rate-limit quota service. */
export interface QuotaServer {
  readonly port: number;
  /** Everything that was reported, in order. */
  readonly usages: ReportedUsage[];
  readonly streams: readonly GrpcTestCall[];
  /** Sends bucket actions (JSON of RateLimitQuotaResponse.BucketAction) on the newest stream of a domain. */
  send(domain: string, ...actions: readonly JsonValue[]): void;
  /** Sends octets there that need not be a message. */
  sendOctets(domain: string, octets: Uint8Array): void;
  /** Resolves when `count` usages fulfil `wanted`; throws after `timeoutMs`. */
  until(wanted: (usage: ReportedUsage) => boolean, count?: number, timeoutMs?: number): Promise<ReportedUsage[]>;
  /** Forgets what was reported so far. */
  restart(): void;
  /** Drops every connection and stops listening. */
  close(): void;
}

/** A bucket action of a response: JSON with the bucket it is for. */
export function bucketAction(
  bucket: { readonly [key: string]: string },
  action: { [field: string]: JsonValue },
): JsonValue {
  return { bucket_id: { bucket: { ...bucket } }, ...action };
}

/** The action that assigns `strategy` (JSON of RateLimitStrategy) for `timeToLive` (JSON of a Duration; null: not said). */
export function assign(
  bucket: { readonly [key: string]: string },
  strategy: JsonValue | null,
  timeToLive: string | null,
): JsonValue {
  return bucketAction(bucket, {
    quota_assignment_action: {
      ...(strategy === null ? {} : { rate_limit_strategy: strategy }),
      ...(timeToLive === null ? {} : { assignment_time_to_live: timeToLive }),
    },
  });
}

/** The octets of a response with `actions`. */
export function quotaResponse(...actions: readonly JsonValue[]): Uint8Array {
  return toBinary(responses, fromJson(responses, { bucket_action: [...actions] }, { registry: protoRegistry() }));
}

/** What a message of the client says; usages sorted as they are in it, maps by key. */
export function readUsages(octets: Uint8Array, stream: number, message: number): ReportedUsage[] {
  const decoded = decodeMessage<RateLimitQuotaUsageReports>(reports.typeName, octets);
  return decoded.bucketQuotaUsages.map((usage) => ({
    domain: decoded.domain,
    bucket: Object.fromEntries(Object.entries(usage.bucketId?.bucket ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
    allowed: Number(usage.numRequestsAllowed),
    denied: Number(usage.numRequestsDenied),
    elapsed: Number(usage.timeElapsed?.seconds ?? 0n) + (usage.timeElapsed?.nanos ?? 0) / 1e9,
    stream,
    message,
  }));
}

/** The report as JSON, for messages in failures. */
export function reportText(octets: Uint8Array): string {
  return JSON.stringify(toJson(reports, decodeMessage(reports.typeName, octets), { registry: protoRegistry() }));
}

/** Starts one; `onUsage` answers each usage with bucket actions (JSON), none for silence. `port` 0: a free one. */
export async function startQuotaServer(
  onUsage: (usage: ReportedUsage) => readonly JsonValue[] = () => [],
  port = 0,
): Promise<QuotaServer> {
  const usages: ReportedUsage[] = [];
  const waiting = new Set<() => void>();
  const byDomain = new Map<string, GrpcTestCall>();
  let messages = 0;
  const server = await startGrpcStreamServer((call, octets) => {
    const said = readUsages(octets, server.calls.indexOf(call), messages++);
    for (const usage of said) {
      byDomain.set(usage.domain, call);
      usages.push(usage);
      const actions = onUsage(usage);
      if (actions.length > 0) call.send(quotaResponse(...actions));
    }
    for (const check of [...waiting]) check();
  }, port);
  return {
    port: server.port,
    usages,
    streams: server.calls,
    send: (domain, ...actions) => byDomain.get(domain)!.send(quotaResponse(...actions)),
    sendOctets: (domain, octets) => byDomain.get(domain)!.send(octets),
    until(wanted, count = 1, timeoutMs = 60_000): Promise<ReportedUsage[]> {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`not reported in ${timeoutMs} ms; there are ${JSON.stringify(usages)}`));
        }, timeoutMs);
        const check = (): void => {
          const found = usages.filter(wanted);
          if (found.length < count) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      });
    },
    restart(): void {
      usages.length = 0;
      byDomain.clear();
    },
    close: () => server.close(),
  };
}
