import { Buffer } from 'node:buffer';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import { DerReader, DerTag } from '#gateway/protocol/x509/der.ts';

/** An OCSP response for one of our certificates. RFC 6960 section 4.2.1. */
export interface OcspStaple {
  readonly der: Uint8Array;
  /** From then on it is not sent; Infinity when it does not say. */
  readonly nextUpdateMs: number;
}

/** ocsp_staple_policy, by the number of the message. */
export const staplePolicies = ['lenient', 'strict', 'must'] as const;

/** One of the policies: what happens to clients that ask for a staple when there is no fresh one. */
export type StaplePolicy = (typeof staplePolicies)[number];

/** What to do about one client. `unasked`: it takes no staple. `fail`: this certificate must not be shown to it. */
export type StapleAction = 'staple' | 'omit' | 'fail' | 'unasked';

const statusRequest = 5; // the extension's number: RFC 6066 section 8
const oidBasicResponse = '1.3.6.1.5.5.7.48.1.1';
const oidTlsFeature = '1.3.6.1.5.5.7.1.24';

/** Parses a response and checks that it is for the certificate; the answer is the reason when it is not usable. */
export function parseOcspStaple(der: Uint8Array, certificate: Uint8Array): OcspStaple | string {
  try {
    const response = new DerReader(der).next(DerTag.Sequence).inside();
    if (response.next(DerTag.Enumerated).content()[0] !== 0) return 'OCSP response was unsuccessful';
    const bytes = response.next(0xa0).inside().next(DerTag.Sequence).inside();
    if (bytes.next(DerTag.Oid).oid() !== oidBasicResponse) return 'Unknown OCSP response type';
    const basic = new DerReader(bytes.next(DerTag.OctetString).content()).next(DerTag.Sequence).inside();
    const data = basic.next(DerTag.Sequence).inside();
    if (data.peekTag() === 0xa0) data.next(); // version
    data.next(); // responder
    data.next(DerTag.GeneralizedTime); // when it was made
    const responses = data.next(DerTag.Sequence).inside();
    const single = responses.next(DerTag.Sequence).inside();
    if (!responses.done) return 'OCSP response must be for one certificate only';
    const subject = single.next(DerTag.Sequence).inside();
    subject.next(DerTag.Sequence); // hash algorithm
    subject.next(DerTag.OctetString); // hash of the issuer's name
    subject.next(DerTag.OctetString); // hash of the issuer's key
    if (Buffer.compare(subject.next(DerTag.Integer).content(), serialOf(certificate)) !== 0) {
      return 'OCSP response does not match its TLS certificate';
    }
    single.next(); // status of the certificate
    single.next(DerTag.GeneralizedTime); // thisUpdate
    const nextUpdateMs = single.peekTag() === 0xa0 ? single.next().inside().next().timeMs() : Infinity;
    return { der, nextUpdateMs };
  } catch {
    return 'OCSP response cannot be parsed';
  }
}

/** Whether a certificate demands a staple: the TLS feature extension with status_request. RFC 7633. */
export function asksForStaple(certificate: Uint8Array): boolean {
  try {
    const body = new DerReader(certificate).next(DerTag.Sequence).inside().next(DerTag.Sequence).inside();
    while (body.peekTag() !== 0xa3) body.next(); // up to the extensions
    const extensions = body.next().inside().next(DerTag.Sequence).inside();
    while (!extensions.done) {
      const extension = extensions.next(DerTag.Sequence).inside();
      if (extension.next(DerTag.Oid).oid() !== oidTlsFeature) continue;
      if (extension.peekTag() === DerTag.Boolean) extension.next();
      const features = new DerReader(extension.next(DerTag.OctetString).content()).next(DerTag.Sequence).inside();
      while (!features.done) if (features.next(DerTag.Integer).integer() === statusRequest) return true;
    }
  } catch {
    // without extensions there is nothing left to read
  }
  return false;
}

/** Why a certificate cannot be served under a policy: it needs a staple and has none; or ''. */
export function missingStaple(
  identity: { readonly staple: OcspStaple | null; readonly mustStaple: boolean },
  policy: StaplePolicy,
): string {
  if (identity.staple !== null) return '';
  if (identity.mustStaple) return 'OCSP response is required for must-staple certificate';
  return policy === 'must' ? 'Required OCSP response is missing from TLS context' : '';
}

/** Decides as Envoy does. A certificate that demands a staple has the strictest policy. Pure. */
export function stapleAction(
  identity: { readonly staple: OcspStaple | null; readonly mustStaple: boolean },
  policy: StaplePolicy,
  hello: ClientHello,
  nowMs: number,
): StapleAction {
  if (!hello.extensions.includes(statusRequest)) return 'unasked';
  const { staple } = identity;
  if (staple !== null && staple.nextUpdateMs > nowMs) return 'staple';
  if (identity.mustStaple || policy === 'must') return 'fail';
  return policy === 'strict' && staple !== null ? 'fail' : 'omit';
}

function serialOf(certificate: Uint8Array): Uint8Array {
  const body = new DerReader(certificate).next(DerTag.Sequence).inside().next(DerTag.Sequence).inside();
  if (body.peekTag() === 0xa0) body.next(); // version
  return body.next(DerTag.Integer).content();
}
