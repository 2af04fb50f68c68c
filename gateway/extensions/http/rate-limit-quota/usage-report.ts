import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { QuotaBucket } from './quota-bucket.ts';

// Field numbers of envoy.service.rate_limit_quota.v3.
const field = {
  domain: 1,
  usages: 2,
  bucketId: 1,
  elapsed: 2,
  allowed: 3,
  denied: 4,
  entries: 1,
  key: 1,
  value: 2,
} as const;
const duration = { seconds: 1, nanos: 2 } as const;

/** Ids and counts that go into one message, about, in octets: services refuse messages of some megabytes. */
const maxReportOctets = 256 * 1024;
/** The API wants elapsed time to be positive. */
const minElapsedMs = 1;

/**
 * RateLimitQuotaUsageReports of `buckets`, serialised: one message, or several when they are many. What is reported is
 * taken out of the buckets' counts.
 */
export function writeUsageReports(domain: string, buckets: Iterable<QuotaBucket>, nowMs: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let writer: BinaryWriter | null = null;
  let octets = 0;
  for (const bucket of buckets) {
    writer ??= new BinaryWriter().tag(field.domain, WireType.LengthDelimited).string(domain);
    octets += bucket.id.text.length + 32;
    writeUsage(writer, bucket, nowMs);
    if (octets < maxReportOctets) continue;
    messages.push(writer.finish());
    writer = null;
    octets = 0;
  }
  if (writer !== null) messages.push(writer.finish());
  return messages;
}

function writeUsage(writer: BinaryWriter, bucket: QuotaBucket, nowMs: number): void {
  const elapsedMs = Math.max(minElapsedMs, nowMs - bucket.reportedMs);
  const { allowed, denied } = bucket;
  bucket.allowed = 0;
  bucket.denied = 0;
  bucket.reportedMs = nowMs;
  if (allowed + denied > 0) bucket.usedMs = nowMs;
  writer.tag(field.usages, WireType.LengthDelimited).fork();
  writer.tag(field.bucketId, WireType.LengthDelimited).fork();
  for (const [key, value] of bucket.id.entries) {
    writer.tag(field.entries, WireType.LengthDelimited).fork();
    if (key !== '') writer.tag(field.key, WireType.LengthDelimited).string(key);
    if (value !== '') writer.tag(field.value, WireType.LengthDelimited).string(value);
    writer.join();
  }
  writer.join();
  writer.tag(field.elapsed, WireType.LengthDelimited).fork();
  const seconds = Math.floor(elapsedMs / 1000);
  const nanos = Math.floor((elapsedMs - seconds * 1000) * 1e6);
  if (seconds > 0) writer.tag(duration.seconds, WireType.Varint).int64(seconds);
  if (nanos > 0) writer.tag(duration.nanos, WireType.Varint).int32(nanos);
  writer.join();
  if (allowed > 0) writer.tag(field.allowed, WireType.Varint).uint64(allowed);
  if (denied > 0) writer.tag(field.denied, WireType.Varint).uint64(denied);
  writer.join();
}
