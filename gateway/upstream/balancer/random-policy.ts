import type { Host } from '#gateway/api/upstream.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { BalancingPolicy, HostPicker } from './host-picker.ts';

/** Any host, each with the same chance; weights of hosts do not count, as in Envoy. */
export const randomPolicy: BalancingPolicy = {
  name: 'random',
  createPicker(hosts: readonly Host[], _weighted: boolean, random: Random): HostPicker {
    return { pick: () => (hosts.length === 0 ? null : hosts[random.uint32() % hosts.length]!) };
  },
};
