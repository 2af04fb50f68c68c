import { fromBinary, toJson, type UnknownField } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Any, StructSchema } from '@bufbuild/protobuf/wkt';
import { decodeMessage, typeNameOf } from '#gateway/proto/registry.ts';
import type {
  RateLimitConfig,
  RateLimitDescriptor,
  RateLimitPolicy,
} from '#proto-types/ratelimit/config/ratelimit/v3/rls_conf_pb.ts';
import { unitName } from '../config/limit-unit.ts';
import type { StructValue } from '../config/rule.ts';
import type { RawConfig, RawDescriptor, RawRateLimit } from '../config/yaml-file.ts';

const configType = 'ratelimit.config.ratelimit.v3.RateLimitConfig';

/** Fields of RateLimitDescriptor that are newer than the published modules. */
const quotaModeField = 7;
const metadataField = 8;

/** Reads a RateLimitConfig as what a file with the same rules would be. Throws on another type and on malformed octets. */
export function readXdsConfig(resource: Any): RawConfig {
  const type = typeNameOf(resource);
  if (type !== configType) throw new Error(`proto: mismatched message type: got "${configType}", want "${type}"`);
  try {
    const { name, domain, descriptors } = decodeMessage<RateLimitConfig>(configType, resource.value);
    return { file: name, domain, failureMode: '', descriptors: descriptors.map(readDescriptor) };
  } catch (error) {
    throw new Error(`proto: cannot parse a ${configType}: ${(error as Error).message}`);
  }
}

function readDescriptor(descriptor: RateLimitDescriptor): RawDescriptor {
  const unknown = descriptor.$unknown ?? [];
  return {
    line: 0,
    key: descriptor.key,
    value: descriptor.value,
    rateLimit: descriptor.rateLimit === undefined ? null : readPolicy(descriptor.rateLimit),
    rateLimits: null,
    shadowMode: descriptor.shadowMode,
    quotaMode: readQuotaMode(unknown),
    detailedMetric: descriptor.detailedMetric,
    valueToMetric: false,
    shareThreshold: false,
    metadata: readMetadata(unknown),
    descriptors: descriptor.descriptors.map(readDescriptor),
  };
}

function readPolicy(policy: RateLimitPolicy): RawRateLimit {
  return {
    line: 0,
    unit: unitName(policy.unit),
    unitMultiplier: null,
    algorithm: '',
    burst: null,
    requestsPerUnit: policy.requestsPerUnit,
    unlimited: policy.unlimited,
    name: policy.name,
    replaces: policy.replaces.map(({ name }) => name),
  };
}

/** The last one counts, as for every field that is not repeated. */
function readQuotaMode(fields: readonly UnknownField[]): boolean {
  const field = fields.findLast(({ no, wireType }) => no === quotaModeField && wireType === WireType.Varint);
  return field !== undefined && new BinaryReader(field.data).bool();
}

function readMetadata(fields: readonly UnknownField[]): StructValue {
  const field = fields.findLast(({ no, wireType }) => no === metadataField && wireType === WireType.LengthDelimited);
  if (field === undefined) return null;
  return toJson(StructSchema, fromBinary(StructSchema, new BinaryReader(field.data).bytes()));
}
