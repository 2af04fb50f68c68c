import { Buffer } from 'node:buffer';
import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { httpToGrpcStatus } from '#gateway/formatter/grpc-status.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { percentEncodeOctet } from '#gateway/protocol/headers/percent-encoding.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import { compileHeaderMutations, type HeaderMutations } from '#gateway/route/header-mutations.ts';
import { type BodyFormat, compileBodyFormat } from '#gateway/route/substitution-format.ts';
import type {
  LocalReplyConfig,
  ResponseMapper,
} from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { PendingReply } from './filter-chain-state.ts';
import type { RenderedReply } from './filter-manager.ts';

const noOctets = new Uint8Array(0);

/** One compiled mapper of local_reply_config. */
interface Mapper {
  readonly accepts: (context: FormatterContext) => boolean;
  /** 0: leaves the status. */
  readonly status: number;
  /** Octets as latin-1 text; null leaves the body. */
  readonly body: string | null;
  readonly format: BodyFormat | null;
  readonly headers: HeaderMutations | null;
}

/**
 * Renders every answer that the gateway makes itself, as HTTP or as gRPC, with local_reply_config applied. The only place
 * where such answers are made.
 */
export class LocalReplies {
  readonly #mappers: readonly Mapper[];
  readonly #format: BodyFormat | null;

  constructor(mappers: readonly Mapper[], format: BodyFormat | null) {
    this.#mappers = mappers;
    this.#format = format;
  }

  /** `request`: null when the request's head never was complete. Sets the stream's response code. */
  render(reply: PendingReply, request: RequestHead | null, streamInfo: StreamInfo, isGrpc: boolean): RenderedReply {
    const head = new ResponseHead(reply.status, new HeaderMap());
    const { headers } = head;
    // A route's response headers go on the gateway's own answers too, unless the request was answered before it was routed.
    if (request !== null) streamInfo.route?.entry?.finalizeResponseHeaders(head, request, streamInfo);
    reply.options?.modifyHeaders?.(head);
    streamInfo.responseCode = reply.status;
    const given: Uint8Array =
      typeof reply.body === 'string' ? (reply.body === '' ? noOctets : Buffer.from(reply.body, 'utf8')) : reply.body;
    let body = given;
    let contentType = 'text/plain';
    if (this.#mappers.length > 0 || this.#format !== null) {
      const typeBefore = headers.get('content-type');
      [body, contentType] = this.#rewrite(head, request, streamInfo, given);
      const ownType = typeBefore !== headers.get('content-type');
      if (!isGrpc && body !== given && !ownType) headers.remove('content-type');
    }
    if (isGrpc) return renderGrpc(head, body, contentType, reply);
    if (body.length === 0) {
      headers.remove('content-length');
      headers.remove('content-type');
      return { head, body: null };
    }
    headers.set('content-length', String(body.length));
    headers.setIfAbsent('content-type', contentType);
    return { head, body: request !== null && request.method === 'HEAD' ? null : body };
  }

  #rewrite(
    head: ResponseHead,
    request: RequestHead | null,
    streamInfo: StreamInfo,
    given: Uint8Array,
  ): [Uint8Array, string] {
    let body = Buffer.from(given).toString('latin1');
    let format = this.#format;
    for (const mapper of this.#mappers) {
      const context = new HeadFormatContext(request, head, streamInfo, body);
      if (!mapper.accepts(context)) continue;
      if (mapper.body !== null) body = mapper.body;
      mapper.headers?.apply(head, context);
      if (mapper.status !== 0) {
        head.status = mapper.status;
        streamInfo.responseCode = mapper.status;
      }
      format = mapper.format ?? format;
      break;
    }
    if (format === null) return [Buffer.from(body, 'latin1'), 'text/plain'];
    const text = format.format.format(new HeadFormatContext(request, head, streamInfo, body));
    const type = format.contentType || (format.json ? 'application/json' : 'text/plain');
    return [Buffer.from(text, 'latin1'), type];
  }
}

/** A trailers-only gRPC answer: the body becomes grpc-message. */
function renderGrpc(head: ResponseHead, body: Uint8Array, contentType: string, reply: PendingReply): RenderedReply {
  const { headers } = head;
  const status = reply.options?.grpcStatus ?? httpToGrpcStatus(head.status);
  head.status = 200;
  headers.set('content-type', 'application/grpc');
  headers.setIfAbsent('grpc-status', String(status));
  let text = body;
  if (contentType === 'application/json' && text[text.length - 1] === 0x0a) text = text.subarray(0, -1);
  if (text.length > 0) headers.setIfAbsent('grpc-message', percentEncode(text));
  headers.remove('content-length');
  return { head, body: null };
}

/** gRPC's percent-encoding of a status message, as Envoy writes it: `~` is encoded too. */
function percentEncode(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) {
    if (octet >= 0x20 && octet < 0x7e && octet !== 0x25) text += String.fromCharCode(octet);
    else text += percentEncodeOctet(octet);
  }
  return text;
}

/** Compiles local_reply_config. Problems go to `diagnostics`, whose base is that field. */
export function compileLocalReplies(
  message: LocalReplyConfig | undefined,
  server: ServerContext,
  diagnostics: Diagnostics,
): LocalReplies {
  if (message === undefined) return new LocalReplies([], null);
  const mappers = message.mappers.map((mapper, i) => compileMapper(mapper, server, diagnostics.at(`mappers[${i}]`)));
  const { bodyFormat } = message;
  const at = diagnostics.at('body_format');
  const format = bodyFormat === undefined ? null : (at.try(() => compileBodyFormat(bodyFormat, server, at)) ?? null);
  return new LocalReplies(mappers, format);
}

function compileMapper(message: ResponseMapper, server: ServerContext, diagnostics: Diagnostics): Mapper {
  const { filter, body, bodyFormatOverride: override } = message;
  if (filter === undefined) diagnostics.error('filter', 'a mapper needs a filter');
  const formatAt = diagnostics.at('body_format_override');
  const octets = body === undefined ? null : server.readDataSource(body, diagnostics.at('body'));
  return {
    accepts: filter === undefined ? () => false : server.accessLogFilter(filter, diagnostics.at('filter')),
    status: message.statusCode ?? 0,
    body: octets === null ? null : Buffer.from(octets).toString('latin1'),
    format: override === undefined ? null : (formatAt.try(() => compileBodyFormat(override, server, formatAt)) ?? null),
    headers: diagnostics.try(() => compileHeaderMutations(message.headersToAdd, 'headers_to_add', [], '')) ?? null,
  };
}
