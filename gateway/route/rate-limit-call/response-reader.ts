import type { JsonValue } from '#gateway/api/stream-info.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { decodeMessage } from '#gateway/proto/registry.ts';
import { latin1Slice } from '#gateway/runtime/latin1.ts';
import type { HeaderValue } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';

/** What the service says of one descriptor. */
export interface DescriptorStatus {
  code: number;
  /** False: no limit applies to it. */
  limited: boolean;
  /** Octet text, as it goes into headers. */
  name: string;
  requestsPerUnit: number;
  /** RateLimitResponse.RateLimit.Unit. */
  unit: number;
  remaining: number;
  /** Seconds until the window ends. */
  resetSeconds: number;
}

/** The service's answer. Header lists are `[name, value, ...]`, values in octet text. */
export interface RateLimitAnswer {
  /** RateLimitResponse.Code: 1 OK, 2 OVER_LIMIT. */
  code: number;
  statuses: DescriptorStatus[];
  responseHeaders: string[];
  requestHeaders: string[];
  body: Uint8Array | null;
  metadata: { [key: string]: JsonValue } | null;
}

const responseType = 'envoy.service.ratelimit.v3.RateLimitResponse';

// The message being read, where, and whether the fast way has met something it does not know.
let bytes: Uint8Array = new Uint8Array(0);
let at = 0;
let refused = false;

/** Reads an answer; null when it is malformed. The usual fields are read by hand, anything else by the registry. */
export function readRateLimitResponse(message: Uint8Array): RateLimitAnswer | null {
  const answer = readSimple(message);
  return refused ? readByRegistry(message) : answer;
}

/** The same through the registry: slow and complete. */
export function readByRegistry(message: Uint8Array): RateLimitAnswer | null {
  let decoded: RateLimitResponse;
  try {
    decoded = decodeMessage<RateLimitResponse>(responseType, message);
  } catch {
    return null;
  }
  return {
    code: decoded.overallCode,
    statuses: decoded.statuses.map((status) => ({
      code: status.code,
      limited: status.currentLimit !== undefined,
      name: octetText(status.currentLimit?.name ?? ''),
      requestsPerUnit: status.currentLimit?.requestsPerUnit ?? 0,
      unit: status.currentLimit?.unit ?? 0,
      remaining: status.limitRemaining,
      resetSeconds: Number(status.durationUntilReset?.seconds ?? 0n),
    })),
    responseHeaders: decoded.responseHeadersToAdd.flatMap(headerPair),
    requestHeaders: decoded.requestHeadersToAdd.flatMap(headerPair),
    body: decoded.rawBody.length === 0 ? null : decoded.rawBody,
    metadata: (decoded.dynamicMetadata as { [key: string]: JsonValue } | undefined) ?? null,
  };
}

// Envoy does not look at raw_value here.
function headerPair({ key, value }: HeaderValue): [string, string] {
  return [key.toLowerCase(), octetText(value)];
}

function readSimple(message: Uint8Array): RateLimitAnswer {
  bytes = message;
  at = 0;
  refused = false;
  const answer: RateLimitAnswer = {
    code: 0,
    statuses: [],
    responseHeaders: [],
    requestHeaders: [],
    body: null,
    metadata: null,
  };
  while (at < message.length) {
    switch (message[at++]) {
      case 0x08: // overall_code
        answer.code = readVarint();
        break;
      case 0x12: // statuses
        answer.statuses.push(readStatus(readEnd()));
        break;
      default:
        refuse();
    }
  }
  return answer;
}

function readStatus(end: number): DescriptorStatus {
  const status: DescriptorStatus = {
    code: 0,
    limited: false,
    name: '',
    requestsPerUnit: 0,
    unit: 0,
    remaining: 0,
    resetSeconds: 0,
  };
  while (at < end) {
    switch (bytes[at++]) {
      case 0x08: // code
        status.code = readVarint();
        break;
      case 0x12: // current_limit
        readLimit(readEnd(), status);
        break;
      case 0x18: // limit_remaining
        status.remaining = readVarint();
        break;
      case 0x22: // duration_until_reset
        readDuration(readEnd(), status);
        break;
      default:
        refuse();
    }
  }
  if (at !== end) refuse();
  return status;
}

function readLimit(end: number, status: DescriptorStatus): void {
  status.limited = true;
  while (at < end) {
    switch (bytes[at++]) {
      case 0x08: // requests_per_unit
        status.requestsPerUnit = readVarint();
        break;
      case 0x10: // unit
        status.unit = readVarint();
        break;
      case 0x1a: // name
        status.name = readText(readEnd());
        break;
      default:
        refuse();
    }
  }
  if (at !== end) refuse();
}

function readDuration(end: number, status: DescriptorStatus): void {
  while (at < end) {
    switch (bytes[at++]) {
      case 0x08: // seconds
        status.resetSeconds = readVarint();
        break;
      case 0x10: // nanos
        readVarint();
        break;
      default:
        refuse();
    }
  }
  if (at !== end) refuse();
}

function readText(end: number): string {
  if (refused) return '';
  const start = at;
  at = end;
  return latin1Slice(bytes, start, end);
}

/** The end of a length-delimited field that starts here. */
function readEnd(): number {
  const length = readVarint();
  const end = at + length;
  if (end > bytes.length) refuse();
  return end;
}

/** A varint below 2^35; larger ones (and negative numbers) are for the registry. */
function readVarint(): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 5; i++) {
    if (at >= bytes.length) break;
    const octet = bytes[at++]!;
    value += (octet & 0x7f) * scale;
    if (octet < 0x80) return value;
    scale *= 128;
  }
  refuse();
  return 0;
}

/** Leaves the fast way: every loop ends. */
function refuse(): void {
  refused = true;
  at = Number.MAX_SAFE_INTEGER;
}
