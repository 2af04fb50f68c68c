import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { noNames } from '../ca/certificate-names.ts';
import { decryptPrivateKey, encryptPrivateKey, isEncryptedKey, type StoreSecret } from '../ca/encrypted-private-key.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { describeKey, generatePrivateKey, type KeyAlgorithm, keyAlgorithms } from '../ca/key-algorithm.ts';
import { defaultRenewalFraction, jitteredFraction, renewalDelayMs, renewalRetryMs } from '../ca/renewal-time.ts';
import { SecretText } from '../ca/secret-text.ts';
import { readSmallFile, requirePrivate } from '../store/private-file.ts';
import { replaceFile } from '../store/replace-file.ts';
import type { CommandContext } from './command.ts';
import { remoteFlags, signRemotely } from './remote-authority.ts';
import { openAuthority, secretOf, storeFlags } from './store-flags.ts';

/** `renew`: a certificate of the authority's directory, or one that shows itself to a service. */
export const renewCommand: Command<CommandContext> = {
  name: 'renew',
  words: 'NAME --dir DIR | --cert FILE --key FILE --url URL --ca FILE',
  summary: 'renew a certificate when it is time',
  flags: [
    ...storeFlags,
    { name: 'cert', value: 'FILE', help: 'the certificate to renew, PEM; replaced in one step' },
    { name: 'key', value: 'FILE', help: 'its key, which proves the right to it; replaced first' },
    ...remoteFlags,
    { name: 'lifetime', value: 'TIME', help: 'another life than before, no longer one' },
    { name: 'reuse-key', value: '', help: 'keep the key' },
    { name: 'force', value: '', help: 'renew although it is not time' },
    { name: 'daemon', value: '', help: 'go on, renewing each time it is due' },
    jsonFlag,
  ],
  async run(given, context) {
    if (given.has('cert') || given.has('url')) {
      if (given.words.length > 0) throw new UsageError(`what is '${given.words[0]}'? --cert names what is renewed`);
      return await renewFiles(given, context);
    }
    const [name, ...more] = given.words;
    if (name === undefined || more.length > 0) throw new UsageError('one NAME, or --cert, --key, --url and --ca');
    if (given.has('daemon'))
      throw new UsageError('--daemon is for --cert; sluice certs serve renews what is in a directory');
    return await renewEntry(name, given, context);
  },
};

/** What is printed; the members stay. */
interface RenewalReport {
  readonly renewed: boolean;
  readonly serial: string;
  readonly not_after: string;
  /** When the next renewal is due. */
  readonly renew_at: string;
}

function reportOf(certificate: IssuedCertificate, renewed: boolean): RenewalReport {
  const { notBeforeMs, notAfterMs, serial } = certificate;
  const dueMs = notBeforeMs + (notAfterMs - notBeforeMs) * defaultRenewalFraction;
  return {
    renewed,
    serial,
    not_after: new Date(notAfterMs).toISOString(),
    renew_at: new Date(dueMs).toISOString(),
  };
}

function printReport(given: GivenFlags, context: CommandContext, report: RenewalReport): void {
  print(given, context.output, report, () => {
    const left = lifetimeText(Date.parse(report.not_after) - context.clock.wallMs());
    return report.renewed
      ? `renewed: serial ${report.serial}, valid until ${report.not_after} (${left})\n`
      : `not due before ${report.renew_at}; valid until ${report.not_after} (${left})\n`;
  });
}

function isDue(certificate: IssuedCertificate, context: CommandContext): boolean {
  const { notBeforeMs, notAfterMs } = certificate;
  return renewalDelayMs(notBeforeMs, notAfterMs, defaultRenewalFraction, context.clock.wallMs()) === 0;
}

async function renewEntry(name: string, given: GivenFlags, context: CommandContext): Promise<number> {
  const authority = openAuthority(given, context);
  const stored = authority.store.load(name);
  if (stored === null)
    throw new CertificateError(`there is no certificate ${authority.store.certificatePath(name)} with its key`);
  const record = authority.log.get(stored.serial);
  if (record === null) throw new CertificateError(`'${name}' was not issued by this authority: issue it`);
  if (record.revoked !== null) throw new CertificateError(`'${name}' was revoked: issue it anew if that is meant`);
  if (!given.has('force') && !isDue(stored, context)) {
    printReport(given, context, reportOf(stored, false));
    return exitCodes.ok;
  }
  const held = authority.requestOf(record, name);
  const lifetimeMs = given.lifetime('lifetime', held.lifetimeMs);
  const request = { ...held, lifetimeMs, key: keyKindOf(stored.privateKey) };
  const renewed = given.has('reuse-key')
    ? await authority.reissue(request, stored.privateKey, 'cli')
    : await authority.issue(request, 'cli');
  authority.store.save(name, renewed);
  printReport(given, context, reportOf(renewed, true));
  return exitCodes.ok;
}

function keyKindOf(key: SecretText): KeyAlgorithm {
  const kind = describeKey(createPrivateKey(key.reveal()));
  return keyAlgorithms.find((known) => known === kind) ?? 'P-256';
}

async function renewFiles(given: GivenFlags, context: CommandContext): Promise<number> {
  const secret = secretOf(given, context);
  if (!given.has('daemon')) {
    const report = await renewOnce(given, context, secret, defaultRenewalFraction);
    printReport(given, context, report);
    return exitCodes.ok;
  }
  for (;;) {
    const fraction = jitteredFraction(defaultRenewalFraction, context.random);
    let waitMs = renewalRetryMs;
    try {
      const report = await renewOnce(given, context, secret, fraction);
      if (report.renewed) printReport(given, context, report);
      const { notBeforeMs, notAfterMs } = readPair(given, secret);
      waitMs = Math.max(1000, renewalDelayMs(notBeforeMs, notAfterMs, fraction, context.clock.wallMs()));
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      context.output.error(`certs renew: ${error.message}; trying again in ${lifetimeText(renewalRetryMs)}\n`);
    }
    if (!(await sleep(waitMs, context))) return exitCodes.ok;
  }
}

/** Renews the pair of files when `fraction` of its life is over. */
async function renewOnce(
  given: GivenFlags,
  context: CommandContext,
  secret: StoreSecret | null,
  fraction: number,
): Promise<RenewalReport> {
  const held = readPair(given, secret);
  const nowMs = context.clock.wallMs();
  if (held.notAfterMs <= nowMs) {
    throw new CertificateError(
      `${given.required('cert')} has expired: it proves nothing any more; issue it with a new token`,
    );
  }
  const due = renewalDelayMs(held.notBeforeMs, held.notAfterMs, fraction, nowMs) === 0;
  if (!due && !(given.has('force') && !given.has('daemon'))) return reportOf(held, false);
  const key = given.has('reuse-key') ? held.privateKey : await generatePrivateKey(keyKindOf(held.privateKey));
  const { createSigningRequest } = await import('../ca/x509-toolkit.ts');
  const lifetime = given.text('lifetime');
  // No name in the request: the service takes those of the certificate that is shown.
  const csr = await createSigningRequest(key, noNames);
  const body = { csr, ...(lifetime === null ? {} : { lifetime }) };
  const signed = await signRemotely(given, '/v1/renew', body, held);
  const renewed = readIssuedCertificate(signed.certificate, key.reveal());
  const keyPath = given.required('key');
  if (!given.has('reuse-key')) {
    replaceFile(keyPath, secret === null ? key.reveal() : encryptPrivateKey(key, secret), 0o600);
  }
  replaceFile(given.required('cert'), renewed.chainPem, 0o644);
  return reportOf(renewed, true);
}

function readPair(given: GivenFlags, secret: StoreSecret | null): IssuedCertificate {
  const [certificatePath, keyPath] = [given.required('cert'), given.required('key')];
  const certificate = readSmallFile(certificatePath)?.toString('utf8');
  const key = readSmallFile(keyPath)?.toString('utf8');
  if (certificate === undefined) throw new CertificateError(`${certificatePath} does not exist`);
  if (key === undefined) throw new CertificateError(`${keyPath} does not exist`);
  requirePrivate(keyPath, 0o600);
  if (isEncryptedKey(key) && secret === null)
    throw new CertificateError(`${keyPath} is encrypted: give --passphrase-file`);
  try {
    new X509Certificate(certificate);
    const plain = isEncryptedKey(key) ? decryptPrivateKey(key, secret!) : new SecretText(key);
    return readIssuedCertificate(certificate, plain.reveal());
  } catch (error) {
    const reason = error instanceof CertificateError ? error.message : 'the certificate is not readable PEM';
    throw new CertificateError(`${certificatePath}: ${reason}`);
  }
}

/** Waits; false when the command is to end. */
async function sleep(ms: number, context: CommandContext): Promise<boolean> {
  return await new Promise((resolve) => {
    const timer = context.timers.create({ onTimer: () => resolve(true) });
    timer.enable(ms);
    void context.stopped().then(() => {
      timer.disable();
      resolve(false);
    });
  });
}
