import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema } from '#gateway/proto/registry.ts';
import type { RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';

/** One answer: a message, or an error's code and text. */
export type Answer = Uint8Array | string;

const typeName = 'envoy.service.ratelimit.v3.RateLimitResponse';

/** How answers are compared. */
export interface CompareOptions {
  /** The reference answers a quota that is over with OK and without the time until its reset. */
  readonly oldQuotas: boolean;
  readonly shadowMode: boolean;
}

interface JsonAnswer {
  overallCode: string;
  statuses?: { code: string; currentLimit?: JsonObject; limitRemaining?: number; durationUntilReset?: string }[];
  dynamicMetadata?: JsonObject & { descriptors: { limit?: string }[] };
}

/** Throws unless both services answered the same, field by field. */
export function compareAnswers(ours: Answer, theirs: Answer, options: CompareOptions): void {
  if (typeof ours === 'string' || typeof theirs === 'string') {
    assert.equal(ours, theirs);
    return;
  }
  if (Buffer.compare(ours, theirs) === 0) return;
  const [own, other] = [readable(ours), readable(theirs)];
  if (options.oldQuotas) adaptToOldQuotas(own, other, options.shadowMode);
  assert.deepEqual(own, other);
}

/** An answer as JSON, for messages too. */
export function readable(answer: Uint8Array): JsonAnswer {
  const json = toJson(
    messageSchema<RateLimitResponse>(typeName),
    decodeMessage<RateLimitResponse>(typeName, answer),
  ) as unknown as JsonAnswer;
  const metadata = json.dynamicMetadata;
  if (metadata !== undefined) {
    // Of older builds only.
    delete metadata['quotaModeEnabled'];
    delete metadata['quotaModeViolations'];
    // Go writes one space or two between the fields, as it likes.
    for (const descriptor of metadata.descriptors) {
      if (descriptor.limit !== undefined) descriptor.limit = descriptor.limit.replaceAll(/ +/g, ' ');
    }
  }
  return json;
}

/** Turns our answer into what an older reference says of quotas: those that are over show as OK and never reject. */
function adaptToOldQuotas(own: JsonAnswer, other: JsonAnswer, shadowMode: boolean): void {
  other.statuses?.forEach((status, i) => {
    const ours = own.statuses?.[i];
    const quotaOver = status.currentLimit !== undefined && status.durationUntilReset === undefined;
    if (!quotaOver || ours === undefined) return;
    assert.equal(ours.code, 'OVER_LIMIT', 'a quota that is over');
    ours.code = 'OK';
    delete ours.durationUntilReset;
  });
  const rejected = own.statuses?.some(({ code }) => code === 'OVER_LIMIT') === true;
  own.overallCode = rejected && !shadowMode ? 'OVER_LIMIT' : 'OK';
}
