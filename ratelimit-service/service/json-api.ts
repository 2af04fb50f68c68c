import { fromJsonString, type JsonValue } from '@bufbuild/protobuf';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { messageSchema } from '#gateway/proto/registry.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { unitName } from '../config/limit-unit.ts';
import type { LimitRequest } from '../limiter/request.ts';
import { answerMetadata } from '../limiter/request-metadata.ts';
import { descriptorCode, LimitCode, limitRemaining, secondsUntilReset } from '../limiter/verdict.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Health } from './health.ts';
import type { LimitOutcome, LimitService } from './limit-service.ts';

/** As long as a gRPC request may be, octets. */
const maxBodyOctets = 4 * 1024 * 1024;

const codeNames = ['UNKNOWN', 'OK', 'OVER_LIMIT'] as const;

/** The HTTP interface: `/json` asks as JSON what gRPC asks as protobuf, `/healthcheck` is for load balancers. */
export function createJsonApi(limits: LimitService, health: Health, tracing: Tracing | null = null): Hono {
  const app = new Hono();
  app.all('/healthcheck', (c) => (health.healthy ? c.text('OK') : c.body(null, 500)));
  const limitBody = bodyLimit({ maxSize: maxBodyOctets, onError: (c) => c.text('Request Entity Too Large\n', 413) });
  // A body that does not say its length is read here, and the client may go in the middle of it.
  app.use('/json', async (c, next) => await limitBody(c, next).catch(() => c.text('Bad Request\n', 400)));
  app.all('/json', async (c) => {
    const octets = await c.req.arrayBuffer().catch(() => null); // the client has gone in the middle of it
    const request = octets === null ? null : readRequest(octets);
    const outcome = request === null ? null : await ask(limits, request, tracing);
    if (outcome === null) return c.text('Bad Request\n', 400);
    const reply = outcomeJson(outcome);
    const endSpan = tracing?.startJsonReply(JSON.stringify(reply));
    const response = c.json(reply, outcome.code === LimitCode.OverLimit ? 429 : 200);
    endSpan?.();
    return response;
  });
  app.notFound((c) => c.text('404 page not found\n', 404));
  return app;
}

async function ask(limits: LimitService, request: LimitRequest, tracing: Tracing | null): Promise<LimitOutcome | null> {
  const trace = tracing?.startJson() ?? null;
  return await new Promise((resolve) => {
    const done = (outcome: LimitOutcome | null): void => {
      trace?.end(0, '');
      resolve(outcome);
    };
    limits.answerRequest(request, done, trace);
  });
}

/** Reads protobuf's JSON form; null when it is malformed or has a field that the message has not. */
function readRequest(octets: ArrayBuffer): LimitRequest | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(octets);
    const schema = messageSchema<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest');
    const message = fromJsonString(schema, text) as RateLimitRequest;
    return {
      domain: message.domain,
      hitsAddend: message.hitsAddend,
      descriptors: message.descriptors.map((descriptor) => ({
        entries: descriptor.entries.map(({ key, value }) => ({ key, value })),
        limit:
          descriptor.limit === undefined
            ? null
            : { requestsPerUnit: descriptor.limit.requestsPerUnit, unit: descriptor.limit.unit },
        hitsAddend: descriptor.hitsAddend === undefined ? null : Number(descriptor.hitsAddend),
        isNegativeHits: descriptor.isNegativeHits,
      })),
    };
  } catch {
    return null;
  }
}

/** RateLimitResponse in protobuf's JSON form: fields that have their default are left out. */
function outcomeJson({ code, plan, after, nowSeconds, headers }: LimitOutcome): JsonValue {
  const statuses = plan.descriptors.map((each, i) => {
    const remaining = limitRemaining(each, after[i]!);
    const counted = each.rule !== null && each.windowSeconds !== 0;
    return {
      code: codeNames[descriptorCode(each, after[i]!)]!,
      ...(counted
        ? {
            currentLimit: {
              ...(each.rule.name === '' ? {} : { name: each.rule.name }),
              ...(each.rule.requestsPerUnit === 0 ? {} : { requestsPerUnit: each.rule.requestsPerUnit }),
              unit: unitName(each.rule.unit),
            },
          }
        : {}),
      ...(remaining === 0 ? {} : { limitRemaining: remaining }),
      ...(counted ? { durationUntilReset: `${secondsUntilReset(each, nowSeconds)}s` } : {}),
    };
  });
  const added: { key: string; value: string }[] = [];
  for (let i = 0; i < headers.length; i += 2) added.push({ key: headers[i]!, value: headers[i + 1]! });
  return {
    overallCode: codeNames[code]!,
    statuses,
    ...(added.length === 0 ? {} : { responseHeadersToAdd: added }),
    ...(plan.metadata === null ? {} : { dynamicMetadata: answerMetadata(plan.metadata, plan, after) as JsonValue }),
  };
}
