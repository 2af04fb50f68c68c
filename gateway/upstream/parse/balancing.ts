import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type {
  Cluster,
  Cluster_LeastRequestLbConfig,
  Cluster_SlowStartConfig,
} from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import type { RuntimeDouble } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type {
  LocalityLbConfig,
  SlowStartConfig,
} from '#proto-types/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts';
import type { LeastRequest } from '#proto-types/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts';
import type { Maglev } from '#proto-types/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts';
import type { Random } from '#proto-types/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts';
import type { RingHash } from '#proto-types/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts';
import type { RoundRobin } from '#proto-types/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts';
import type { BalancerOptions } from '../balancer/balancer.ts';
import type { HashingPolicy } from '../balancer/hash-table.ts';
import type { BalancingPolicy } from '../balancer/host-picker.ts';
import { leastRequest } from '../balancer/least-request.ts';
import { defaultPanicPercent } from '../balancer/priority-load.ts';
import { randomPolicy } from '../balancer/random-policy.ts';
import { createRoundRobin } from '../balancer/round-robin.ts';
import { SlowStart, type SlowStartOptions } from '../balancer/slow-start.ts';
import { readClusterMaglev, readClusterRing, readMaglev, readRingHash } from './hashing.ts';

/** How a cluster balances. */
export interface BalancingConfig {
  readonly policy: BalancingPolicy | HashingPolicy;
  readonly options: BalancerOptions;
}

type RuntimeNumbers = Pick<RuntimeFlags, 'number'>;

/** What balancing needs of the process. */
export interface BalancingServices {
  readonly clock: Clock;
  readonly runtime: RuntimeNumbers;
}

const policyPrefix = 'envoy.extensions.load_balancing_policies.';
const defaultPolicyBias = 1;
const defaultMinWeightPercent = 10;

/** Reads `load_balancing_policy`, or `lb_policy` and what belongs to it. */
export function readBalancing(cluster: Cluster, services: BalancingServices, found: Diagnostics): BalancingConfig {
  const panicPercent = cluster.commonLbConfig?.healthyPanicThreshold?.value ?? defaultPanicPercent;
  const extension = cluster.loadBalancingPolicy;
  if (extension !== undefined) {
    if (cluster.commonLbConfig?.localityConfigSpecifier.case !== undefined && extension.policies.length > 0) {
      found.warning('common_lb_config', 'the locality settings are those of load_balancing_policy, not these');
    }
    for (const [i, { typedExtensionConfig }] of extension.policies.entries()) {
      const any = typedExtensionConfig?.typedConfig;
      if (any === undefined || !typeNameOf(any).startsWith(policyPrefix)) continue;
      const message = unpackAny<RoundRobin | LeastRequest | Random | RingHash | Maglev>(any);
      const at = found.at(`load_balancing_policy.policies[${i}].typed_extension_config.typed_config`);
      switch (message.$typeName) {
        case `${policyPrefix}round_robin.v3.RoundRobin`:
          return {
            policy: createRoundRobin(readSlowStart(message.slowStartConfig, services)),
            options: localityOptions(message.localityLbConfig, panicPercent),
          };
        case `${policyPrefix}least_request.v3.LeastRequest`:
          return {
            policy: leastRequestPolicy(message, services),
            options: localityOptions(message.localityLbConfig, panicPercent),
          };
        case `${policyPrefix}random.v3.Random`:
          return { policy: randomPolicy, options: localityOptions(message.localityLbConfig, panicPercent) };
        case `${policyPrefix}ring_hash.v3.RingHash`:
          return { policy: readRingHash(message, at), options: hashingOptions(message, panicPercent) };
        case `${policyPrefix}maglev.v3.Maglev`:
          return { policy: readMaglev(message, at), options: hashingOptions(message, panicPercent) };
        default:
          found.error(`load_balancing_policy.policies[${i}]`, `the policy ${typeNameOf(any)} is not supported`);
      }
    }
    found.error('load_balancing_policy', 'none of the policies is known');
  }
  const locality = cluster.commonLbConfig?.localityConfigSpecifier;
  const options = {
    panicPercent,
    localityWeighted: locality?.case === 'localityWeightedLbConfig',
    failOnPanic: locality?.case === 'zoneAwareLbConfig' && locality.value.failTrafficOnPanic,
  };
  return { policy: legacyPolicy(cluster, services, found), options };
}

function legacyPolicy(
  cluster: Cluster,
  services: BalancingServices,
  found: Diagnostics,
): BalancingPolicy | HashingPolicy {
  switch (cluster.lbPolicy as number) {
    case 0: // ROUND_ROBIN
    case 7: {
      // LOAD_BALANCING_POLICY_CONFIG, whose message was read above
      const config = cluster.lbConfig.case === 'roundRobinLbConfig' ? cluster.lbConfig.value : null;
      return createRoundRobin(readSlowStart(config?.slowStartConfig, services));
    }
    case 1: {
      // LEAST_REQUEST
      const config = cluster.lbConfig.case === 'leastRequestLbConfig' ? cluster.lbConfig.value : null;
      return leastRequestPolicy(config, services);
    }
    case 2: // RING_HASH
      return readClusterRing(cluster, found);
    case 5: // MAGLEV
      return readClusterMaglev(cluster, found);
    case 3: // RANDOM
      return randomPolicy;
    default:
      found.error('lb_policy', 'this policy is not supported');
      return randomPolicy;
  }
}

function readSlowStart(
  message: SlowStartConfig | Cluster_SlowStartConfig | undefined,
  { clock, runtime }: BalancingServices,
): SlowStart | null {
  const windowMs = durationMs(message?.slowStartWindow, 0);
  if (message === undefined || windowMs === 0) return null;
  const { aggression } = message;
  const minWeightPercent = message.minWeightPercent?.value ?? defaultMinWeightPercent;
  const options: SlowStartOptions = {
    windowMs,
    get aggression(): number {
      return runtimeDouble(aggression, 1, runtime);
    },
    minWeightPercent,
  };
  return new SlowStart(options, clock);
}

function leastRequestPolicy(
  message: LeastRequest | Cluster_LeastRequestLbConfig | null,
  services: BalancingServices,
): BalancingPolicy {
  const ofPolicy = message !== null && 'selectionMethod' in message ? message : null;
  const bias = message?.activeRequestBias;
  return leastRequest({
    choiceCount: message?.choiceCount ?? 2,
    get activeRequestBias(): number {
      return runtimeDouble(bias, defaultPolicyBias, services.runtime);
    },
    fullScan: (ofPolicy?.selectionMethod as number | undefined) === 1 || ofPolicy?.enableFullScan === true,
    slowStart: readSlowStart(message?.slowStartConfig, services),
  });
}

/** What a RuntimeDouble says now: runtime may have another value than the configuration. */
function runtimeDouble(message: RuntimeDouble | undefined, fallback: number, runtime: RuntimeNumbers): number {
  if (message === undefined) return fallback;
  const { runtimeKey, defaultValue } = message;
  return runtimeKey === '' ? defaultValue : runtime.number(runtimeKey, defaultValue);
}

function localityOptions(config: LocalityLbConfig | undefined, panicPercent: number): BalancerOptions {
  const choice = config?.localityConfigSpecifier;
  return {
    panicPercent,
    localityWeighted: choice?.case === 'localityWeightedLbConfig',
    failOnPanic: choice?.case === 'zoneAwareLbConfig' && choice.value.failTrafficOnPanic,
  };
}

function hashingOptions(message: RingHash | Maglev, panicPercent: number): BalancerOptions {
  return { panicPercent, localityWeighted: message.localityWeightedLbConfig !== undefined, failOnPanic: false };
}
