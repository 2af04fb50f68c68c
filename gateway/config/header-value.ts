import { latin1Slice } from '#gateway/runtime/latin1.ts';
import type { HeaderValue, HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';

/** HeaderValueOption.append_action, by number. */
export const AppendAction = { AppendOrAdd: 0, AddIfAbsent: 1, OverwriteOrAdd: 2, Overwrite: 3 } as const;

/** The text of a HeaderValue: `value`, or else the octets of `raw_value` as latin-1. */
export function headerValueText({ value, rawValue }: Pick<HeaderValue, 'value' | 'rawValue'>): string {
  return value !== '' ? value : latin1Slice(rawValue, 0, rawValue.length);
}

/** What a HeaderValueOption does where the header is there already: its older `append`, when that is set, else `append_action`. */
export function appendActionOf({ append, appendAction }: Pick<HeaderValueOption, 'append' | 'appendAction'>): number {
  if (append === undefined) return appendAction;
  return append ? AppendAction.AppendOrAdd : AppendAction.OverwriteOrAdd;
}
