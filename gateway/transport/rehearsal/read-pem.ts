import { type Certificate, parseCertificates } from '../validator/certificate.ts';
import type { Findings } from './rules.ts';

const maxOctets = 1_048_576;
const begin = '-----BEGIN ';
const end = '-----END ';

/** The certificates of a PEM text, or null with what is wrong with it in `findings`. `what` names the text in findings. */
export function readPem(text: string, what: string, findings: Findings): Certificate[] | null {
  if (text.length > maxOctets) {
    findings.add('pem-large', `the ${what} has ${text.length} octets`);
    return null;
  }
  const begins = text.split(begin).length - 1;
  if (begins === 0) {
    // A DER certificate begins with a SEQUENCE, whose length takes two octets.
    if (text.startsWith('0\u0082') || text.startsWith('0\ufffd'))
      findings.add('pem-der', `the ${what} is DER, not PEM`);
    else findings.add('pem-empty', text.trim() === '' ? `the ${what} is empty` : `the ${what} holds no PEM block`);
    return null;
  }
  if (text.split(end).length - 1 !== begins || /-----BEGIN [^-]*$/.test(text)) {
    findings.add('pem-truncated', `the ${what} ends within a PEM block`);
    return null;
  }
  let certificates: Certificate[];
  try {
    certificates = parseCertificates(text);
  } catch {
    findings.add('certificate-malformed', `the ${what} cannot be parsed`);
    return null;
  }
  if (certificates.length > 0) return certificates;
  findings.add('pem-empty', `the ${what} holds no certificate`);
  return null;
}

/**
 * The private key alone of a PEM text: certificates and curve parameters may stand around it, which not every runtime reads
 * over. The text itself when there is no such block.
 */
export function privateKeyBlock(text: string): string {
  const block = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/.exec(text);
  return block === null ? text : `${block[0]}\n`;
}

/** What to call a certificate in a finding: its common name or first alternative name. */
export function nameOf({ commonName, alternativeNames }: Certificate): string {
  return `'${commonName !== '' ? commonName : (alternativeNames[0]?.value ?? '')}'`;
}

/** `2030-01-02T03:04:05Z` */
export function dateText(ms: number): string {
  return Number.isFinite(ms) ? `${new Date(ms).toISOString().slice(0, 19)}Z` : '?';
}
