import { X509Certificate } from 'node:crypto';
import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { intermediateEntry, rootEntry } from '../ca/certificate-authority.ts';
import { certifyIntermediate, createAuthorityDirectory, replaceIntermediate } from '../ca/create-authority.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { describeKey, type KeyAlgorithm } from '../ca/key-algorithm.ts';
import { checkNameConstraints, isUnconstrained, type NameConstraints } from '../ca/name-constraints.ts';
import { constraintsOf } from '../ca/read-name-constraints.ts';
import { CertificateStore } from '../store/certificate-store.ts';
import type { CommandContext } from './command.ts';
import { givenKey, keyFlag } from './name-flags.ts';
import { directoryOf, openAuthority, secretOf, storeFlags } from './store-flags.ts';

/** `init`: makes a root and an intermediate. */
export const initCommand: Command<CommandContext> = {
  name: 'init',
  words: '--dir DIR',
  summary: 'make a root and an intermediate authority',
  flags: [
    ...storeFlags,
    { name: 'root-passphrase-file', value: 'FILE', help: "passphrase of the root's key, when it is another" },
    { name: 'root-key-file', value: 'FILE', help: "random octets for the root's key, when they are others" },
    { name: 'name', value: 'TEXT', help: 'common name of the root (sluice local CA)' },
    keyFlag,
    { name: 'root-lifetime', value: 'TIME', help: '3650d' },
    { name: 'intermediate-lifetime', value: 'TIME', help: '1825d' },
    { name: 'permit-dns', value: 'DOMAIN', help: 'name constraint: only names in this domain; may be repeated' },
    { name: 'permit-ip', value: 'NETWORK', help: 'only addresses in this network; may be repeated' },
    { name: 'permit-uri', value: 'HOST', help: 'only URIs of this host or trust domain; may be repeated' },
    { name: 'crl-url', value: 'URL', help: 'where the revocation list will be found: goes into what is issued' },
    { name: 'trust-domain', value: 'NAME', help: 'the only SPIFFE trust domain to issue for' },
    { name: 'renew-intermediate', value: '', help: "renew the intermediate of an authority; needs the root's key" },
    {
      name: 'replace-intermediate',
      value: '',
      help: 'revoke the intermediate and make another: all that it issued is void',
    },
    jsonFlag,
  ],
  run: async (given, context) =>
    given.has('renew-intermediate') || given.has('replace-intermediate')
      ? await renew(given, context)
      : await init(given, context),
};

async function init(given: GivenFlags, context: CommandContext): Promise<number> {
  const directory = directoryOf(given, context);
  const constraints: NameConstraints = {
    dns: given.all('permit-dns'),
    ip: given.all('permit-ip'),
    uri: given.all('permit-uri'),
  };
  const name = given.text('name') ?? 'sluice local CA';
  const crlUrl = given.text('crl-url');
  const trustDomain = given.text('trust-domain');
  const problems = checkNameConstraints(constraints);
  // "intermediate" is added to it, and X.520 allows a common name 64 characters.
  if (name.length > 50 || !/^[ -~]+$/.test(name)) problems.push('--name has at most 50 ASCII characters');
  if (crlUrl !== null && !/^https?:\/\/[^/]+/.test(crlUrl)) problems.push(`--crl-url ${crlUrl} is not an http URL`);
  if (trustDomain !== null && !/^[a-z0-9._-]{1,255}$/.test(trustDomain))
    problems.push(`--trust-domain ${trustDomain} is not one`);
  const day = 86_400_000;
  const rootLifetimeMs = given.lifetime('root-lifetime', 3650 * day);
  const intermediateLifetimeMs = given.lifetime('intermediate-lifetime', Math.min(1825 * day, rootLifetimeMs));
  if (intermediateLifetimeMs > rootLifetimeMs) problems.push('the intermediate cannot live longer than the root');
  if (problems.length > 0) throw new UsageError(problems.join('; '));
  const secret = secretOf(given, context);
  const rootSecret = secretOf(given, context, 'root-') ?? secret;
  await createAuthorityDirectory(
    {
      directory,
      name,
      key: givenKey(given),
      rootLifetimeMs,
      intermediateLifetimeMs,
      constraints: isUnconstrained(constraints) ? null : constraints,
      crlUrl,
      trustDomain,
      secret,
      rootSecret,
    },
    context.clock.wallMs(),
  );
  const store = new CertificateStore(directory, secret);
  const root = new X509Certificate(store.loadCertificate(rootEntry)!);
  const value = {
    directory,
    root: store.certificatePath(rootEntry),
    root_key: store.keyPath(rootEntry),
    root_sha256: root.fingerprint256.replaceAll(':', '').toLowerCase(),
    intermediate: store.certificatePath(intermediateEntry),
    encrypted: secret !== null,
  };
  print(given, context.output, value, () =>
    [
      `root          ${value.root}`,
      `              SHA-256 ${value.root_sha256}`,
      `root key      ${value.root_key}: needed again only to renew the intermediate; it may be moved off this machine`,
      `intermediate  ${value.intermediate}`,
      secret === null
        ? 'keys          in the clear (mode 0600); --passphrase-file encrypts them\n'
        : 'keys          encrypted\n',
    ].join('\n'),
  );
  return exitCodes.ok;
}

async function renew(given: GivenFlags, context: CommandContext): Promise<number> {
  const authority = openAuthority(given, context);
  const { store, issuer } = authority;
  if (!authority.hasIntermediate) throw new CertificateError('this authority has no intermediate');
  const rootStore = new CertificateStore(
    store.directory,
    secretOf(given, context, 'root-') ?? secretOf(given, context),
  );
  const root = rootStore.load(rootEntry);
  if (root === null)
    throw new CertificateError(`${store.keyPath(rootEntry)} is not there: bring the root's key back first`);
  const certificate = new X509Certificate(issuer.chainPem);
  const plan = {
    name: /CN=(.*) intermediate/.exec(certificate.subject)?.[1] ?? 'sluice',
    key: describeKey(certificate.publicKey) as KeyAlgorithm,
    lifetimeMs: given.lifetime('intermediate-lifetime', issuer.notAfterMs - issuer.notBeforeMs),
  };
  const replace = given.has('replace-intermediate');
  const certify = replace ? replaceIntermediate : certifyIntermediate;
  const renewed = await certify(store, root, plan, constraintsOf(issuer.chainPem), context.clock.wallMs());
  const value = {
    intermediate: store.certificatePath(intermediateEntry),
    serial: renewed.serial,
    not_after: new Date(renewed.notAfterMs).toISOString(),
  };
  print(
    given,
    context.output,
    value,
    () => `${replace ? 'replaced' : 'renewed'} ${value.intermediate}, valid until ${value.not_after}\n`,
  );
  return exitCodes.ok;
}
