import { unitName } from '../config/limit-unit.ts';
import type { LimitDescriptor, LimitRequest } from '../limiter/request.ts';

/** A request in protobuf's text format on one line, as far as it is longest shown. */
export function requestText({ domain, descriptors, hitsAddend }: LimitRequest): string {
  const fields = [
    ...(domain === '' ? [] : [`domain:${JSON.stringify(domain)}`]),
    ...descriptors.map((descriptor) => `descriptors:{${descriptorText(descriptor)}}`),
    ...(hitsAddend === 0 ? [] : [`hits_addend:${hitsAddend}`]),
  ];
  const text = fields.join(' ');
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}...`;
}

const maxLength = 4096;

function descriptorText({ entries, limit, hitsAddend, isNegativeHits }: LimitDescriptor): string {
  return [
    ...entries.map(({ key, value }) => {
      const parts = [
        ...(key === '' ? [] : [`key:${JSON.stringify(key)}`]),
        ...(value === '' ? [] : [`value:${JSON.stringify(value)}`]),
      ];
      return `entries:{${parts.join(' ')}}`;
    }),
    ...(limit === null ? [] : [`limit:{requests_per_unit:${limit.requestsPerUnit} unit:${unitName(limit.unit)}}`]),
    ...(hitsAddend === null ? [] : [`hits_addend:{${hitsAddend === 0 ? '' : `value:${hitsAddend}`}}`]),
    ...(isNegativeHits === true ? ['is_negative_hits:true'] : []),
  ].join(' ');
}
