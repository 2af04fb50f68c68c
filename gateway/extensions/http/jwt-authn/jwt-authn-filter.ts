import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { JwksListener, JwksSource } from './jwks-source.ts';
import type { JwtAuthnConfig, JwtRouteConfig } from './jwt-authn-config.ts';
import { JwtStatus } from './jwt-status.ts';
import type { Requirement } from './requirement.ts';
import { Verification } from './verification.ts';

const maxRealmOctets = 256;

/**
 * Lets a request through when its tokens satisfy what its path or route requires. Signatures are verified at once; only
 * keys that must be fetched first make the request wait.
 */
export class JwtAuthnFilter extends PassThroughDecoderFilter implements JwksListener {
  readonly #config: JwtAuthnConfig;
  #requirement: Requirement | null = null;
  #verification: Verification | null = null;
  #waitsFor: JwksSource | null = null;

  constructor(config: JwtAuthnConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    const { stats } = config;
    if (config.bypassCorsPreflight && isCorsPreflight(head)) {
      stats.corsPreflightBypassed.inc();
      stats.allowed.inc();
      return FilterHeadersStatus.Continue;
    }
    const requirement = this.#findRequirement(head);
    if (requirement === null) {
      stats.allowed.inc();
      return FilterHeadersStatus.Continue;
    }
    if (typeof requirement === 'string') {
      stats.denied.inc();
      const body = `Failed JWT authentication: ${requirement}`;
      this.callbacks.sendLocalReply(403, body, denialDetails(requirement));
      return FilterHeadersStatus.StopIteration;
    }
    this.#requirement = requirement;
    this.#verification = new Verification(head, stats, Math.floor(config.clock.wallMs() / 1000));
    return this.#check() ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
  }

  override decodeData(): FilterDataStatus {
    return this.#waitsFor === null ? FilterDataStatus.Continue : FilterDataStatus.StopIterationAndWatermark;
  }

  override decodeTrailers(): FilterTrailersStatus {
    return this.#waitsFor === null ? FilterTrailersStatus.Continue : FilterTrailersStatus.StopIteration;
  }

  override onDestroy(): void {
    this.#waitsFor?.cancel(this);
    this.#waitsFor = null;
  }

  /** Keys have come, or not. */
  onJwks(source: JwksSource): void {
    if (this.#waitsFor !== source) return;
    this.#waitsFor = null;
    const verification = this.#verification!;
    if (source.keys === null) verification.failedSources.add(source);
    verification.restart();
    if (this.#check()) this.callbacks.continueDecoding();
  }

  /** True: the request goes on. False: it waits for keys, or has been answered. */
  #check(): boolean {
    const verification = this.#verification!;
    const status = this.#requirement!.check(verification);
    if (verification.needed !== null) {
      this.#waitsFor = verification.needed;
      verification.needed.request(this);
      return false;
    }
    const { stats } = this.#config;
    // Built before a token is taken out of the path.
    const realm = status === JwtStatus.Ok ? '' : originalUri(verification.head);
    if (verification.apply(this.callbacks.streamInfo)) this.callbacks.clearRouteCache();
    if (status === JwtStatus.Ok) {
      stats.allowed.inc();
      return true;
    }
    stats.denied.inc();
    this.#deny(status, realm);
    return false;
  }

  #findRequirement(head: RequestHead): Requirement | string | null {
    const perRoute = this.callbacks.routeConfig() as JwtRouteConfig | null;
    if (perRoute === null) return this.#config.requirementFor(head, this.callbacks.streamInfo);
    return perRoute.disabled ? null : this.#config.requirementNamed(perRoute.name);
  }

  #deny(status: JwtStatus, realm: string): void {
    const strip = this.#config.stripFailureResponse;
    const code = status === JwtStatus.AudienceNotAllowed ? 403 : 401;
    const error = status === JwtStatus.Missing || strip ? '' : ', error="invalid_token"';
    const challenge = strip ? 'Bearer' : `Bearer realm="${realm}"${error}`;
    this.callbacks.sendLocalReply(code, strip ? '' : status, denialDetails(status), {
      modifyHeaders(response: ResponseHead): void {
        response.headers.set('www-authenticate', challenge);
      },
    });
  }
}

function denialDetails(reason: string): string {
  return `jwt_authn_access_denied{${reason.replaceAll(' ', '_')}}`;
}

/** A CORS preflight: OPTIONS with Origin and Access-Control-Request-Method. */
function isCorsPreflight(head: RequestHead): boolean {
  if (head.method !== 'OPTIONS') return false;
  const origin = head.headers.get('origin');
  const method = head.headers.get('access-control-request-method');
  return origin !== null && origin !== '' && method !== null && method !== '';
}

/** The URI as the client asked for it, its path cut at 256 octets. */
function originalUri(head: RequestHead): string {
  const forwarded = head.headers.get('x-forwarded-proto');
  const scheme = forwarded === 'https' || (forwarded === null && head.scheme === 'https') ? 'https' : 'http';
  const path = head.headers.get('x-envoy-original-path') ?? head.path;
  return `${scheme}://${head.authority}${path.slice(0, maxRealmOctets)}`;
}
