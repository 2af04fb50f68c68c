import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { nameTexts, noNames } from '../ca/certificate-names.ts';
import { type CertificateRequest, entryNameProblem } from '../ca/certificate-request.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import { generatePrivateKey } from '../ca/key-algorithm.ts';
import { readSmallFile } from '../store/private-file.ts';
import { replaceFile } from '../store/replace-file.ts';
import type { CommandContext } from './command.ts';
import { describeIssued, issuedText } from './describe-issued.ts';
import { givenKey, givenNames, givenTemplate, keyFlag, nameFlags, templateFlag } from './name-flags.ts';
import { remoteFlags, signRemotely, tokenOf } from './remote-authority.ts';
import { openAuthority, storeFlags } from './store-flags.ts';

/** `issue`: a certificate with a new key, from a directory or from a service; or one for a request file. */
export const issueCommand: Command<CommandContext> = {
  name: 'issue',
  words: 'NAME --dns NAME...',
  summary: 'issue a certificate',
  flags: [
    ...storeFlags,
    ...nameFlags,
    templateFlag,
    { name: 'lifetime', value: 'TIME', help: "its life, for example 90s, 45m, 24h, 7d; the template's usual one" },
    keyFlag,
    {
      name: 'out',
      value: 'DIR',
      help: "write NAME.crt and NAME.key here, the key in the clear; else to the authority's directory",
    },
    { name: 'csr', value: 'FILE', help: 'sign this request (PKCS #10, PEM) and print the chain; no NAME' },
    ...remoteFlags,
    { name: 'token-file', value: 'FILE', help: 'the one-time token; or the variable SLUICE_CERTS_TOKEN' },
    jsonFlag,
  ],
  async run(given, context) {
    if (given.has('csr')) return await signFile(given, context, given.required('csr'));
    const [name, ...more] = given.words;
    if (name === undefined) throw new UsageError('which NAME? It becomes the name of the files');
    if (more.length > 0) throw new UsageError(`what is '${more[0]}'? One NAME is issued at a time`);
    const problem = entryNameProblem(name);
    if (problem !== null) throw new UsageError(problem);
    return given.has('url') ? await issueRemotely(name, given, context) : await issueHere(name, given, context);
  },
};

function requestOf(name: string, given: GivenFlags, authority: CertificateAuthority): CertificateRequest {
  const names = givenNames(given);
  if (nameTexts(names).length === 0) throw new UsageError('what is it to name? Give --dns, --ip, --uri or --email');
  const template = givenTemplate(given, names);
  const lifetimeMs = given.lifetime('lifetime', authority.settings.templates[template].limits.defaultLifetimeMs);
  return { name, ...names, template, lifetimeMs, key: givenKey(given) };
}

async function issueHere(name: string, given: GivenFlags, context: CommandContext): Promise<number> {
  const authority = openAuthority(given, context);
  if (['ca', 'intermediate'].includes(name)) throw new UsageError(`'${name}' is the name of the authority`);
  const request = requestOf(name, given, authority);
  const issued = await authority.issue(request, 'cli');
  const out = given.text('out');
  const [certificateFile, keyFile] =
    out === null
      ? [authority.store.certificatePath(name), authority.store.keyPath(name)]
      : writePair(out, name, issued);
  if (out === null) authority.store.save(name, issued);
  const report = describeIssued(request, issued, certificateFile, keyFile);
  print(given, context.output, report, () => issuedText(report, context.clock.wallMs()));
  return exitCodes.ok;
}

async function issueRemotely(name: string, given: GivenFlags, context: CommandContext): Promise<number> {
  const names = givenNames(given);
  if (nameTexts(names).length === 0) throw new UsageError('what is it to name? Give --dns, --ip, --uri or --email');
  const key = await generatePrivateKey(givenKey(given));
  const { createSigningRequest } = await import('../ca/x509-toolkit.ts');
  const csr = await createSigningRequest(key, names);
  const lifetime = given.text('lifetime');
  const body = { csr, token: tokenOf(given, context), ...(lifetime === null ? {} : { lifetime }) };
  const signed = await signRemotely(given, '/v1/sign', body, null);
  const issued = readIssuedCertificate(signed.certificate, key.reveal());
  const [certificateFile, keyFile] = writePair(given.text('out') ?? '.', name, issued);
  const request = { name, ...names, template: signed.template, lifetimeMs: 0 };
  const report = describeIssued(request, issued, certificateFile, keyFile);
  print(given, context.output, report, () => issuedText(report, context.clock.wallMs()));
  return exitCodes.ok;
}

async function signFile(given: GivenFlags, context: CommandContext, path: string): Promise<number> {
  const { readSigningRequest } = await import('../ca/x509-toolkit.ts');
  const text = readSmallFile(path)?.toString('utf8');
  if (text === undefined) throw new CertificateError(`${path} does not exist`);
  const authority = openAuthority(given, context);
  const asked = await readSigningRequest(text);
  if (asked.asksForAuthority) throw new CertificateError(`${path} asks for the rights of an authority`);
  const own = givenNames(given);
  // Names on the command line replace those of the request: it is the operator who answers for them.
  const names = nameTexts(own).length > 0 ? own : { ...noNames, ...asked.names };
  const template = givenTemplate(given, names);
  const lifetimeMs = given.lifetime('lifetime', authority.settings.templates[template].limits.defaultLifetimeMs);
  const signed = await authority.sign({ name: 'signed', ...names, template, lifetimeMs }, asked.publicKey, 'cli');
  const value = {
    serial: signed.serial,
    template,
    names: signed.names,
    not_before: new Date(signed.notBeforeMs).toISOString(),
    not_after: new Date(signed.notAfterMs).toISOString(),
    certificate: signed.chainPem,
  };
  print(given, context.output, value, () => signed.chainPem);
  return exitCodes.ok;
}

function writePair(directory: string, name: string, issued: IssuedCertificate): [string, string] {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const paths: [string, string] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  replaceFile(paths[1], issued.privateKey.reveal(), 0o600);
  replaceFile(paths[0], issued.chainPem, 0o644);
  return paths;
}
