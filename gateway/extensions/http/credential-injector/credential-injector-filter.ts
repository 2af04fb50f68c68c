import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Counter } from '#gateway/stats/stats.ts';
import type { GenericCredential } from './generic-credential.ts';

/** What all streams of one credential_injector filter share. */
export interface CredentialInjectorConfig {
  readonly credential: GenericCredential;
  readonly overwrite: boolean;
  /** False: a request is refused while there is no credential. */
  readonly allowMissing: boolean;
  readonly injected: Counter;
  readonly failed: Counter;
  readonly alreadyExists: Counter;
}

/** Puts the gateway's own credential into requests. Envoy's credential_injector filter. */
export class CredentialInjectorFilter extends PassThroughDecoderFilter {
  readonly #config: CredentialInjectorConfig;

  constructor(config: CredentialInjectorConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const { credential, overwrite, allowMissing, injected, failed, alreadyExists } = this.#config;
    switch (credential.injectInto(head, overwrite)) {
      case 'injected':
        injected.inc();
        return FilterHeadersStatus.Continue;
      case 'already exists':
        alreadyExists.inc();
        return FilterHeadersStatus.Continue;
      case 'unsendable': {
        // Envoy counts it as injected and finds out when it writes the request: the same answer.
        injected.inc();
        const problem = `invalid header value for: ${credential.header}`;
        this.callbacks.streamInfo.setFlag(ResponseFlag.DownstreamProtocolError);
        const details = `filter_removed_required_request_headers{${problem.replaceAll(' ', '_')}}`;
        this.callbacks.sendLocalReply(503, problem, details);
        return FilterHeadersStatus.StopIteration;
      }
      case 'missing':
        failed.inc();
        if (allowMissing) return FilterHeadersStatus.Continue;
        this.callbacks.sendLocalReply(401, 'Failed to inject credential.', 'failed_to_inject_credential');
        return FilterHeadersStatus.StopIteration;
    }
  }
}
