import { Buffer } from 'node:buffer';
import { fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { Dice } from '#test/support/dice.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { fenceDomain, seedDomain } from './random-edge.ts';

/** A rate-limit service that keeps what it was asked, and whose answers are a function of it. */
export interface ScriptedLimits {
  readonly port: number;
  /** What was asked since `take` was called last, as JSON. */
  take(): JsonValue[];
  close(): void;
}

const asking = 'envoy.service.ratelimit.v3.RateLimitRequest';
const answering = 'envoy.service.ratelimit.v3.RateLimitResponse';

/** Metadata by what the seeding descriptor says. */
const seeds: Readonly<Record<string, JsonObject>> = {
  plain: { text: 'plain', number: 5 },
  full: {
    text: 'full',
    number: 12,
    limit: { requests_per_unit: 33, unit: 'HOUR' },
    deep: { text: 'deep', limit: { requests_per_unit: 0, unit: 'SECOND' } },
    list: ['x'],
    flag: false,
    empty: '',
  },
  odd: {
    text: 7,
    number: 'text',
    limit: { requests_per_unit: '33', unit: 'hour' },
    deep: { text: null, limit: { requests_per_unit: 2.5, unit: 'WEEK' } },
  },
};

/** Starts one. */
export async function startScriptedLimits(): Promise<ScriptedLimits> {
  let asked: JsonValue[] = [];
  const request = messageSchema<RateLimitRequest>(asking);
  const response = messageSchema<RateLimitResponse>(answering);
  const registry = protoRegistry();
  const server = await startGrpcStreamServer((call, message) => {
    const json = toJson(request, decodeMessage<RateLimitRequest>(asking, message), { registry }) as JsonObject;
    if (json['domain'] !== fenceDomain) asked.push(json);
    const answer = answerTo(json);
    if (answer === 'nonsense') call.send(new Uint8Array([0xff]));
    else if (answer === 'failure') call.fail(8, 'not now');
    else call.send(toBinary(response, fromJson(response, answer, { registry })));
  });
  return {
    port: server.port,
    take(): JsonValue[] {
      const taken = asked;
      asked = [];
      return taken;
    },
    close: () => server.close(),
  };
}

/** The answer to a request, or how none comes. */
function answerTo(request: JsonObject): JsonObject | 'nonsense' | 'failure' {
  if (request['domain'] === fenceDomain) return { overallCode: 'OK' };
  const text = JSON.stringify(request);
  if (request['domain'] === seedDomain) {
    const seed = /"key":"meta","value":"(\w+)"/.exec(text)?.[1] ?? '';
    return { overallCode: 'OK', ...(seed in seeds ? { dynamicMetadata: seeds[seed]! } : {}) };
  }
  const dice = new Dice(createSeededRandom(hash(text)));
  const kind = dice.below(100);
  if (kind < 2) return 'nonsense';
  if (kind < 5) return 'failure';
  const over = kind < 40;
  const descriptors = (request['descriptors'] as JsonValue[] | undefined) ?? [];
  const count = dice.chance(0.8) ? descriptors.length : dice.below(4);
  const answer: JsonObject = {
    overallCode: over ? 'OVER_LIMIT' : dice.chance(0.1) ? 'UNKNOWN' : 'OK',
    statuses: Array.from({ length: count }, () => randomStatus(dice)),
  };
  if (dice.chance(0.3)) answer['responseHeadersToAdd'] = randomHeaders(dice, responseNames);
  if (dice.chance(0.3)) answer['requestHeadersToAdd'] = randomHeaders(dice, requestNames);
  if (dice.chance(0.3)) answer['rawBody'] = Buffer.from(dice.pick(['enough', '{"a":1}', 'ü'])).toString('base64');
  if (dice.chance(0.2)) answer['dynamicMetadata'] = dice.pick(Object.values(seeds));
  return answer;
}

const responseNames = [
  'x-from-service',
  'X-Upper',
  'content-type',
  'Retry-After',
  'x-ratelimit-limit',
  'x-envoy-ratelimited',
  'x-up',
  'set-cookie',
  'server',
] as const;
const requestNames = [
  'x-from-service',
  'X-A',
  'x-b',
  'x-hits',
  'user-agent',
  'cookie',
  'accept',
  'authorization',
  'x-cost',
] as const;

function randomHeaders(dice: Dice, names: readonly string[]): JsonObject[] {
  return Array.from({ length: 1 + dice.below(3) }, () => {
    const key = dice.pick(names);
    const value = dice.pick(['1', 'va', 'text/plain', 'a, b', '']);
    return dice.chance(0.2) ? { key, rawValue: Buffer.from(value).toString('base64') } : { key, value };
  });
}

function randomStatus(dice: Dice): JsonObject {
  const status: JsonObject = { code: dice.pick(['OK', 'OK', 'OVER_LIMIT', 'UNKNOWN']) };
  if (dice.chance(0.8)) {
    status['currentLimit'] = {
      requestsPerUnit: dice.pick([0, 3, 50, 4_294_967_295]),
      unit: dice.pick(['SECOND', 'MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'YEAR', 'UNKNOWN']),
      ...(dice.chance(0.3) ? { name: dice.pick(['per_user', 'a "b"', 'ü']) } : {}),
    };
  }
  if (dice.chance(0.8)) status['limitRemaining'] = dice.pick([0, 1, 2, 49, 4_294_967_295]);
  if (dice.chance(0.8)) status['durationUntilReset'] = dice.pick(['0s', '1s', '17s', '59.9s', '0.2s', '86399s']);
  return status;
}

function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state >>> 0;
}
