import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { RuntimeFractionalPercent } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { FractionalPercent } from '#proto-types/envoy/type/v3/percent_pb.ts';

const denominators: readonly number[] = [100, 10_000, 1_000_000];

/** A share of requests: `numerator` of `denominator`, maybe changed at run time under `runtimeKey`. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
  /** '' when no runtime key overrides it. */
  readonly runtimeKey: string;
}

/** Reads a FractionalPercent; `runtimeKey` is that of the RuntimeFractionalPercent around it. */
export function readFraction(percent: FractionalPercent | undefined, runtimeKey = ''): Fraction {
  return {
    numerator: percent?.numerator ?? 100,
    denominator: percent === undefined ? 100 : (denominators[percent.denominator] ?? 100),
    runtimeKey,
  };
}

/** Reads a RuntimeFractionalPercent; null when there is none. */
export function readRuntimeFraction(message: RuntimeFractionalPercent | undefined): Fraction | null {
  return message === undefined ? null : readFraction(message.defaultValue, message.runtimeKey);
}

/** Draws whether the share takes this request. */
export function fractionTakes(of: Fraction, runtime: Pick<RuntimeFlags, 'enabled'>, random: Random): boolean {
  return runtime.enabled(of.runtimeKey, of.numerator, of.denominator, random.uint32());
}
