import type { Random } from '#gateway/runtime/random.ts';

/** Index of the digit of a UUID that carries Envoy's trace reason. */
const REASON_AT = 14;

/** How x-request-id is made and kept. */
export interface RequestIdOptions {
  /** Make one (generate_request_id). */
  readonly generate: boolean;
  /** Keep the one a request from outside brings (preserve_external_request_id). */
  readonly keepExternal: boolean;
  /** Mark it with the trace reason (pack_trace_reason). */
  readonly packTraceReason: boolean;
}

/**
 * The request id that goes on, or null to leave what there is. `current`: the one it came with; `edge`: it came from
 * outside into this first proxy.
 */
export function chooseRequestId(
  current: string | null,
  edge: boolean,
  options: RequestIdOptions,
  random: Random,
): string | null {
  if (!options.generate) return null;
  if (current === null || current === '' || (edge && !options.keepExternal)) return random.uuid();
  if (edge && options.packTraceReason && isUuid(current) && current[REASON_AT] !== '4') {
    // A kept one must not decide about tracing here.
    return `${current.slice(0, REASON_AT)}4${current.slice(REASON_AT + 1)}`;
  }
  return null;
}

function isUuid(text: string): boolean {
  return text.length === 36 && text[8] === '-' && text[13] === '-' && text[18] === '-' && text[23] === '-';
}
