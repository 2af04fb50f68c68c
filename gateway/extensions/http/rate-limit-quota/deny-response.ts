import { Buffer } from 'node:buffer';
import type { DecoderFilterCallbacks, LocalReplyOptions } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { AppendAction, appendActionOf, headerValueText } from '#gateway/config/header-value.ts';
import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { isHeadField } from '#gateway/route/head-fields.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { RateLimitQuotaBucketSettings_DenyResponseSettings as DenyMessage } from '#proto-types/envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota_pb.ts';

const tooManyRequests = 429;

interface AddedHeader {
  readonly name: string;
  /** As it is configured: Envoy expands no command operators here. */
  readonly value: string;
  readonly action: number;
}

/** What a request over its quota is answered: compiled DenyResponseSettings. Immutable. */
export class DenyResponse {
  readonly #status: number;
  readonly #httpBody: Uint8Array;
  readonly #grpcMessage: Uint8Array;
  readonly #options: LocalReplyOptions;

  constructor(message: DenyMessage | undefined) {
    this.#status = (message?.httpStatus?.code as number | undefined) ?? tooManyRequests;
    const body = message?.httpBody ?? new Uint8Array(0);
    const text = Buffer.from(message?.grpcStatus?.message ?? '', 'utf8');
    // Each stands in for the other where only one is set, as at Envoy.
    this.#httpBody = body.length > 0 ? body : text;
    this.#grpcMessage = text.length > 0 ? text : body;
    const added = (message?.responseHeadersToAdd ?? []).map(compileHeader);
    this.#options = {
      grpcStatus: message?.grpcStatus?.code,
      modifyHeaders({ headers }) {
        for (const { name, value, action } of added) {
          if (action === AppendAction.AppendOrAdd) headers.add(name, value);
          else if (action === AppendAction.AddIfAbsent) headers.setIfAbsent(name, value);
          else if (action === AppendAction.OverwriteOrAdd || headers.has(name)) headers.set(name, value);
        }
      },
    };
  }

  /** Answers the request with it. */
  send(callbacks: DecoderFilterCallbacks, { headers }: RequestHead): void {
    callbacks.streamInfo.setFlag(ResponseFlag.ResponseFromCacheFilter); // Envoy's flag for it
    const body = isGrpcContentType(headers.get('content-type')) ? this.#grpcMessage : this.#httpBody;
    callbacks.sendLocalReply(this.#status, body, 'rate_limited_by_quota', this.#options);
  }
}

function compileHeader(option: HeaderValueOption, index: number): AddedHeader {
  const path = `response_headers_to_add[${index}].header.key`;
  const name = option.header?.key.toLowerCase() ?? '';
  if (option.header === undefined || name === '') throw new ConfigError(path, 'a header needs a name');
  if (isHeadField(name)) throw new ConfigError(path, ':-prefixed or host headers may not be modified');
  return { name, value: headerValueText(option.header), action: appendActionOf(option) };
}
