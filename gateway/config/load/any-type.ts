import type { DescMessage } from '@bufbuild/protobuf';
import { editDistance, nearestName } from '#gateway/base/nearest-name.ts';
import { type ProtoRegistry, typeUrlOf } from '#gateway/proto/registry.ts';
import type { SourceUpgrade } from './message-reader.ts';
import { Unreadable } from './read-scalar.ts';

/** Names written this much alike are taken for slips of the keyboard. */
const MAX_SLIPS = 6;

/** The message type that a type URL names, or what is wrong with it. */
export function resolveType(
  registry: ProtoRegistry,
  upgrade: SourceUpgrade | null,
  url: string,
  path: string,
): DescMessage | Unreadable {
  const slash = url.lastIndexOf('/');
  const name = url.slice(slash + 1);
  const today = upgrade?.typeName(name, path) ?? name;
  const type = registry.getMessage(today);
  if (type === undefined) return new Unreadable(`unknown type "${url}"`, nearestType(registry, name));
  if (slash < 1) return new Unreadable(`the type URL "${url}" lacks its host`, typeUrlOf(today));
  return type;
}

/** The type URL nearest to a wrong one: same last word first, then the fewest slips. */
function nearestType(registry: ProtoRegistry, name: string): string | null {
  const wantedLast = lastWord(name);
  const names = [...registry.typeNames()].filter((one) => one.startsWith('envoy.') || one.startsWith('sluice.'));
  let best: string | null = null;
  let bestSlips = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    if (lastWord(candidate) !== wantedLast) continue;
    const slips = editDistance(candidate, name);
    if (slips < bestSlips) {
      best = candidate;
      bestSlips = slips;
    }
  }
  if (best === null) {
    const near = names.filter((one) => Math.abs(one.length - name.length) <= MAX_SLIPS);
    best = nearestName(name, near);
  }
  return best === null ? null : typeUrlOf(best);
}

function lastWord(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase();
}
