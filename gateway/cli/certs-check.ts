import { readFileSync } from 'node:fs';
import type { InProcessLoaders } from '#gateway/api/in-process.ts';
import { printable } from '#gateway/base/printable.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { exitProcess, holdProcess, writeStderr, writeStdout } from '#gateway/runtime/process.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { InProcessServices } from '#gateway/server/in-process-services.ts';
import { type BootstrapChecks, checkBootstrap } from './check-bootstrap.ts';
import { type CheckResult, checkCertificate } from './check-certificate.ts';
import type { FlagSpec } from './flags.ts';
import { type ParsedFlags, parseFlags } from './parse-flags.ts';
import { serverOptions } from './server-options.ts';

const usage = `usage: sluice certs check FILE... [flags]   rehearse certificates as the gateway does before it takes them
       sluice certs check -c BOOTSTRAP         rehearse what a configuration names

      --key FILE        private key of the FILE in the same place; without, one that FILE holds itself
      --replaces FILE   the certificate that it would replace: what would be refused in a rotation is
      --ca FILE         authorities of a client: does it trust the certificate?
      --name NAME       a name that the certificate must be good for; several times
      --json            answer in JSON
  -c, --config-path FILE

Exit code 0 when nothing would be refused, 1 when something would be, 2 for a wrong command line.
`;

const flag = (name: string, value: FlagSpec['value'], repeated = false, short = ''): FlagSpec => ({
  name,
  short,
  value,
  repeated,
  effect: { kind: 'implemented' },
  help: '',
});
const specs: readonly FlagSpec[] = [
  flag('key', 'text', true),
  flag('replaces', 'text'),
  flag('ca', 'text'),
  flag('name', 'text', true),
  flag('json', 'none'),
  flag('config-path', 'text', false, 'c'),
  flag('help', 'none', false, 'h'),
];

/** `sluice certs check`: rehearses certificate files, or those of a bootstrap, by hand. Ends the process with 0, 1 or 2. */
export function certsCheck(argv: readonly string[], loaders: InProcessLoaders = {}): void {
  const flags = parseFlags(argv, specs);
  if (flags.values.has('help')) {
    writeStdout(usage, () => exitProcess(0));
    return;
  }
  const config = flags.values.get('config-path');
  const problems = [...flags.problems];
  if (config === undefined && flags.rest.length === 0) problems.push('no file is given');
  if (problems.length > 0) {
    fail(`${problems.map((problem) => `sluice: ${problem}\n`).join('')}${usage}`, 2);
    return;
  }
  const release = holdProcess(); // our timers do not keep it alive
  const json = flags.values.has('json');
  const checked = typeof config === 'string' ? checkConfig(config, json, loaders) : checkFiles(flags, json);
  checked.then(
    ({ text, ok }) => {
      release();
      writeStdout(text, () => exitProcess(ok ? 0 : 1));
    },
    (error: unknown) => fail(`sluice: ${error instanceof Error ? error.message : String(error)}\n`),
  );
}

interface Answer {
  readonly text: string;
  readonly ok: boolean;
}

function fail(text: string, code = 1): void {
  writeStderr(text, () => exitProcess(code));
}

async function checkFiles(flags: ParsedFlags, json: boolean): Promise<Answer> {
  const one = (name: string): string | null => {
    const path = flags.values.get(name);
    return typeof path === 'string' ? readFileSync(path, 'latin1') : null;
  };
  const keys = flags.lists.get('key') ?? [];
  const timers = createSystemTimers(systemClock);
  const results: (CheckResult & { readonly file: string; readonly key_checked: boolean })[] = [];
  for (const [i, file] of flags.rest.entries()) {
    // As octets: DER is to be known by what it is.
    const certificateChain = readFileSync(file, 'latin1');
    const key = keys[i] ?? null;
    const own = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(certificateChain) ? certificateChain : null;
    const privateKey = key !== null ? readFileSync(key, 'latin1') : own;
    const check = {
      certificateChain,
      privateKey,
      replaced: one('replaces'),
      trustedCa: one('ca') ?? '',
      names: (flags.lists.get('name') ?? []).map((name) => name.toLowerCase()),
    };
    const result = await checkCertificate(check, systemClock, timers);
    results.push({ file, key_checked: privateKey !== null, ...result });
  }
  const ok = results.every((result) => result.ok);
  if (json) return { text: `${JSON.stringify({ ok, certificates: results }, null, 2)}\n`, ok };
  const texts = results.map((result) =>
    resultText(result.file, result, result.key_checked ? '' : ' (without its key)'),
  );
  return { text: texts.join(''), ok };
}

async function checkConfig(path: string, json: boolean, loaders: InProcessLoaders): Promise<Answer> {
  const problems: string[] = [];
  const options = serverOptions(parseFlags(['-c', path]), problems);
  const found: BootstrapChecks = await checkBootstrap(options, new InProcessServices(loaders));
  const ok = !found.refused;
  if (json) return { text: `${JSON.stringify({ ok, ...found }, null, 2)}\n`, ok };
  const lines = found.problems.map((problem) => `${problem}\n`);
  for (const check of found.checks) lines.push(resultText(check.what, check, ''));
  for (const name of found.skipped) lines.push(`secret '${printable(name)}': not checked, it comes from a service\n`);
  return { text: lines.join(''), ok };
}

function resultText(what: string, { chain, findings, ok }: CheckResult, note: string): string {
  let text = `${printable(what)}: ${ok ? 'good' : 'REFUSED'}${note}\n`;
  for (const { severity, detail } of findings) {
    text += `  ${severity === 'refuse' ? 'refused' : 'warning'}: ${printable(detail)}\n`;
  }
  for (const { subject, names, not_after, days_left } of chain) {
    const shown = names.length === 0 ? '' : ` for ${names.join(', ')}`;
    text += `  ${printable(`'${subject}'${shown}`)}, until ${not_after.slice(0, 19)}Z, ${days_left} days left\n`;
  }
  return text;
}
