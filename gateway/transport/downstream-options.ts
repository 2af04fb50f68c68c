import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { tlsCannot, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import type { DownstreamTlsContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import type { CommonTls } from './common-tls.ts';
import type { DownstreamTlsOptions } from './downstream-tls.ts';
import { compileIdentity } from './identity.ts';
import { missingStaple, staplePolicies } from './ocsp-staple.ts';
import { StaticSecret } from './secrets/static-secret.ts';
import { readSessionTicketKeys } from './session-ticket-keys.ts';
import { need } from './tls-parameters.ts';

/** BoringSSL's, which 0 stands for too. */
const defaultSessionTimeoutSeconds = 7200;

/** Reads what only servers have of a DownstreamTlsContext; what this runtime would ignore is refused by name. */
export function readDownstreamOptions(
  context: DownstreamTlsContext,
  server: Pick<ServerContext, 'readDataSource' | 'secrets'>,
  diagnostics: Diagnostics,
): DownstreamTlsOptions {
  const keys = context.sessionTicketKeysType;
  const stateless = !(keys.case === 'disableStatelessSessionResumption' && keys.value);
  if (!stateless) need('sessionTicketsOff', 'disable_stateless_session_resumption', diagnostics);
  let ticketKeys: DownstreamTlsOptions['ticketKeys'] = null;
  if (keys.case === 'sessionTicketKeys' && need('sessionTicketKeys', 'session_ticket_keys', diagnostics)) {
    const octets = readSessionTicketKeys(keys.value, server, diagnostics.at('session_ticket_keys'));
    ticketKeys = new StaticSecret('session_ticket_keys', octets === null ? null : { octets });
  } else if (keys.case === 'sessionTicketKeysSdsSecretConfig') {
    const field = 'session_ticket_keys_sds_secret_config';
    if (need('sessionTicketKeys', field, diagnostics)) {
      ticketKeys = server.secrets.sessionTicketKeys(keys.value, diagnostics.at(field));
    }
  }
  if (context.sessionTimeout !== undefined) need('sessionTimeout', 'session_timeout', diagnostics);
  if (context.preferClientCiphers) need('clientCipherOrder', 'prefer_client_ciphers', diagnostics);
  return {
    requireClientCertificate: context.requireClientCertificate === true,
    requireSni: context.requireSni === true,
    fullScanCertsOnSniMismatch: context.fullScanCertsOnSniMismatch === true,
    sessionTickets: stateless,
    sessionTimeoutSeconds: Number(context.sessionTimeout?.seconds ?? 0) || defaultSessionTimeoutSeconds,
    ticketKeys,
    staplePolicy: staplePolicies[context.ocspStaplePolicy] ?? 'lenient',
    preferClientCiphers: context.preferClientCiphers,
  };
}

/** Refuses certificates of the configuration that need an OCSP staple and have none. */
export function checkStaples(common: CommonTls, options: DownstreamTlsOptions, diagnostics: Diagnostics): void {
  common.certificates.forEach(({ current }, i) => {
    const identity = current === null ? '' : compileIdentity(current);
    if (typeof identity === 'string') return; // not there yet, or refused where it was read
    const problem = missingStaple(identity, options.staplePolicy);
    if (problem === '') return;
    const why = tlsCapabilities.ocspStapling ? '' : `, and ${tlsCannot('ocspStapling')}`;
    const path = identity.mustStaple ? `common_tls_context.tls_certificates[${i}]` : 'ocsp_staple_policy';
    diagnostics.error(path, problem + why);
  });
}
