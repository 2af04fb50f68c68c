import { unitName } from '../config/limit-unit.ts';
import type { StructValue } from '../config/rule.ts';
import type { RequestPlan } from './plan.ts';
import type { LimitDescriptor, LimitRequest } from './request.ts';
import { descriptorCode, LimitCode } from './verdict.ts';

/** A mapping that a protobuf Struct can hold. */
export type StructFields = { readonly [key: string]: StructValue };

/** RESPONSE_DYNAMIC_METADATA: what an answer says about its request. */
export interface RequestMetadata {
  /** The same for every answer. */
  readonly fields: StructFields;
  /** `metadata` of the rule that applies to each descriptor of the request; null where there is none. */
  readonly ofRules: readonly (StructFields | null)[];
}

/** Gathers it. `ofRules` has one for each descriptor. */
export function requestMetadata(request: LimitRequest, ofRules: readonly StructValue[]): RequestMetadata {
  const fields: Record<string, StructValue> = {
    domain: request.domain,
    descriptors: request.descriptors.map(describeDescriptor),
  };
  if (request.hitsAddend !== 0) fields['hitsAddend'] = request.hitsAddend;
  return { fields, ofRules: ofRules.map((value) => (isFields(value) ? value : null)) };
}

/**
 * The metadata of one answer: the request's and, as `metadata`, that of the rules that are not over, merged: of two values
 * the first counts. Nothing of the configuration is changed by it.
 */
export function answerMetadata(
  { fields, ofRules }: RequestMetadata,
  plan: RequestPlan,
  after: readonly number[],
): StructFields {
  let merged: StructFields | null = null;
  for (let i = 0; i < ofRules.length; i++) {
    const own = ofRules[i]!;
    if (own === null || descriptorCode(plan.descriptors[i]!, after[i]!) === LimitCode.OverLimit) continue;
    merged = merged === null ? own : merge(merged, own);
  }
  return merged === null || Object.keys(merged).length === 0 ? fields : { ...fields, metadata: merged };
}

function describeDescriptor({ entries, limit, hitsAddend }: LimitDescriptor): StructValue {
  const described: Record<string, StructValue> = { entries: entries.map(({ key, value }) => `${key}=${value}`) };
  if (limit !== null) {
    // As Go's text format shows RateLimitOverride, whose enumeration has no WEEK.
    const unit = limit.unit === 7 ? '7' : unitName(limit.unit);
    described['limit'] =
      `${limit.requestsPerUnit === 0 ? '' : `requests_per_unit:${limit.requestsPerUnit} `}unit:${unit}`;
  }
  if (hitsAddend !== null) described['hitsAddend'] = hitsAddend;
  return described;
}

function isFields(value: StructValue | undefined): value is StructFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(first: StructFields, second: StructFields): StructFields {
  const merged: Record<string, StructValue> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const had = merged[key];
    if (had === undefined) merged[key] = value;
    else if (isFields(had) && isFields(value)) merged[key] = merge(had, value);
  }
  return merged;
}
