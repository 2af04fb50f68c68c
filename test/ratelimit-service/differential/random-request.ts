import { toJsonString } from '@bufbuild/protobuf';
import { createMessage, decodeMessage, encodeMessage, messageSchema } from '#gateway/proto/registry.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import type { Dice } from '#test/support/dice.ts';
import { type ConfigChoices, type MadeDescriptor, randomValue } from './random-config.ts';

/** What the requests may hold besides. */
export interface RequestChoices extends ConfigChoices {
  /** Limits that requests bring along. */
  readonly overrides: boolean;
}

/** A request that is likely to hit some of the domain's rules, encoded. */
export function randomRequest(
  dice: Dice,
  domain: string,
  descriptors: readonly MadeDescriptor[],
  choices: RequestChoices,
): Uint8Array {
  const count = dice.chance(0.02) ? 0 : 1 + dice.below(dice.chance(0.1) ? 8 : 3);
  return encodeMessage(
    createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
      domain,
      descriptors: Array.from({ length: count }, () => randomRequestDescriptor(dice, descriptors, choices)),
      hitsAddend: randomHits(dice),
    }),
  );
}

type RequestDescriptor = NonNullable<Parameters<typeof createMessage<RateLimitRequest>>[1]>['descriptors'] extends
  | (infer T)[]
  | undefined
  ? T
  : never;

function randomRequestDescriptor(
  dice: Dice,
  descriptors: readonly MadeDescriptor[],
  choices: RequestChoices,
): RequestDescriptor {
  return {
    entries: dice.chance(0.02) ? [] : randomEntries(dice, descriptors, choices),
    ...(dice.chance(0.15) ? { hitsAddend: BigInt(dice.pick([0, 0, 1, 2, 7, 2 ** 33])) } : {}),
    ...(choices.overrides && dice.chance(0.06)
      ? { limit: { requestsPerUnit: dice.below(10), unit: 1 + dice.below(7) } }
      : {}),
  } as RequestDescriptor;
}

/** Follows the tree, with now and then a step aside, one too few or one too many. */
function randomEntries(
  dice: Dice,
  descriptors: readonly MadeDescriptor[],
  choices: RequestChoices,
): { key: string; value: string }[] {
  const entries: { key: string; value: string }[] = [];
  let level: readonly MadeDescriptor[] | undefined = descriptors;
  while (level !== undefined && level.length > 0) {
    const node: MadeDescriptor = dice.pick(level);
    entries.push({ key: filled(dice, node.key), value: requestValue(dice, node.value ?? '', choices) });
    if (dice.chance(node.rate_limit === undefined ? 0.05 : 0.5)) return entries;
    level = node.descriptors;
  }
  if (dice.chance(0.06)) entries.push({ key: 'more', value: 'x' });
  return entries;
}

function requestValue(dice: Dice, value: string, choices: RequestChoices): string {
  if (dice.chance(0.03)) return '';
  if (value === '' || dice.chance(0.1)) return randomValue(dice, choices);
  return dice.chance(0.05) ? value : filled(dice, value);
}

function filled(dice: Dice, pattern: string): string {
  return pattern.replaceAll('*', () => dice.pick(['', '1', 'c', 'bc', 'x.y']));
}

function randomHits(dice: Dice): number {
  const kind = dice.below(100);
  if (kind < 60) return 0;
  if (kind < 75) return 1;
  if (kind < 98) return 2 + dice.below(5);
  return kind === 98 ? 100 : 4_294_967_295;
}

/** A request as text, for messages. */
export function decodeRequest(request: Uint8Array): string {
  const name = 'envoy.service.ratelimit.v3.RateLimitRequest';
  return toJsonString(messageSchema<RateLimitRequest>(name), decodeMessage<RateLimitRequest>(name, request));
}
