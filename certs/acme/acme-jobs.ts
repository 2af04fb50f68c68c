import { type CommandOutput, exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { SourcedCertificateStatus } from '../sources/certificate-source.ts';
import { AcmeError, asAcmeError } from './acme-error.ts';
import type { AcmeOptions } from './acme-options.ts';
import { readRecord } from './acme-records.ts';
import { type AcmeCertificateSettings, checkAcmeCertificate } from './acme-settings.ts';
import type { AcmeSource } from './acme-source.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { ChallengeServers } from './challenge-servers.ts';
import { type AcmeSurroundings, openAccount, openSource, openStorage, readRegistration } from './open-acme.ts';
import { wait } from './wait.ts';
import { writeCertificate } from './write-certificate.ts';

/** One command with its options. */
export interface AcmeJob {
  readonly options: AcmeOptions;
  readonly output: CommandOutput;
  readonly surroundings: AcmeSurroundings;
}

/** Another process may be at work on the same order; it is waited for this long, milliseconds, with looks in between. */
const elsewhereTimeoutMs = 15 * 60_000;
const elsewherePauseMs = 1000;

/** `register`: makes the account or updates its contacts. */
export async function registerCommand({ options, output, surroundings }: AcmeJob): Promise<number> {
  const storage = await openStorage(options, surroundings);
  try {
    const account = openAccount(options, storage, surroundings);
    const url = await account.register(readRegistration(options));
    output.write(options.json ? `${JSON.stringify(await account.status())}\n` : `account ${url}\n`);
    return exitCodes.ok;
  } finally {
    await storage.close();
  }
}

/** `issue`: orders what is missing or due, once. */
export async function issueCommand(job: AcmeJob): Promise<number> {
  const storage = await openStorage(job.options, job.surroundings);
  try {
    return await orderAll(job, storage, job.options.certificates);
  } finally {
    await storage.close();
  }
}

/** `renew`: the same for certificates that are stored, with the settings they were issued with unless others are given. */
export async function renewCommand(job: AcmeJob): Promise<number> {
  const storage = await openStorage(job.options, job.surroundings);
  try {
    const wanted = job.options.certificates.map(({ name }) => name);
    const stored = await storedSettings(storage, job.options.directoryUrl);
    const issued = await storage.list('certificate');
    const missing = wanted.filter((name) => !issued.includes(name));
    if (missing.length > 0)
      throw new AcmeError('settings', `no stored certificate named ${missing.join(', ')}: issue it first`);
    if (wanted.length === 0) return await orderAll(job, storage, stored);
    // A configuration file tells all settings; on a command line the name alone is enough.
    const chosen = job.options.certificates.map(
      (given) => (given.dns.length > 0 ? given : stored.find(({ name }) => name === given.name)) ?? given,
    );
    const problems = chosen.flatMap(checkAcmeCertificate);
    if (problems.length > 0) throw new AcmeError('settings', problems.join('; '));
    return await orderAll(job, storage, chosen);
  } finally {
    await storage.close();
  }
}

/** `status`: what is stored; nobody is asked. */
export async function statusCommand({ options, output, surroundings }: AcmeJob): Promise<number> {
  const storage = await openStorage(options, surroundings);
  try {
    const accounts = await storedAccounts(storage, options.directoryUrl);
    const certificates: SourcedCertificateStatus[] = [];
    for (const { directory } of accounts) {
      const at = { ...options, directoryUrl: directory };
      const settings = await storedSettings(storage, directory);
      const source = openSource(at, settings, storage, openAccount(at, storage, surroundings), surroundings);
      await source.load();
      certificates.push(...source.status());
    }
    if (options.json) output.write(`${JSON.stringify({ accounts, certificates })}\n`);
    else output.write(describe(accounts, certificates));
    return exitCodes.ok;
  } finally {
    await storage.close();
  }
}

async function orderAll(
  { options, output, surroundings }: AcmeJob,
  storage: AcmeStorage,
  certificates: readonly AcmeCertificateSettings[],
): Promise<number> {
  const account = openAccount(options, storage, surroundings);
  const source = openSource(options, certificates, storage, account, surroundings);
  const servers = await ChallengeServers.start({ ...options, ...surroundings, storage });
  const failures: AcmeError[] = [];
  const orders: { name: string; outcome: string; problem: string | null }[] = [];
  try {
    await Promise.all(
      certificates.map(async ({ name }) => {
        try {
          const outcome = await orderOne(source, name, options.force, surroundings);
          const certificate = source.current(name);
          if (options.writeTo !== null && certificate !== null) writeCertificate(options.writeTo, name, certificate);
          orders.push({ name, outcome, problem: null });
        } catch (error) {
          const failure = asAcmeError(error);
          failures.push(failure);
          orders.push({ name, outcome: 'failed', problem: failure.message });
        }
      }),
    );
    const status = source.status();
    if (options.json) output.write(`${JSON.stringify({ orders, certificates: status })}\n`);
    else for (const { name, outcome } of orders) output.write(`${name}: ${outcome}${until(status, name)}\n`);
  } finally {
    await source.close();
    await servers.close();
  }
  if (!options.json) for (const failure of failures) output.error(`certs acme: ${failure.message}\n`);
  return failures.length === 0 ? exitCodes.ok : exitCodes.failed;
}

async function orderOne(
  source: AcmeSource,
  name: string,
  force: boolean,
  { clock, timers }: AcmeSurroundings,
): Promise<string> {
  const endMs = clock.nowMs() + elsewhereTimeoutMs;
  for (let forced = force; ; ) {
    const outcome = await source.order(name, forced);
    if (outcome === 'current') {
      const problem = source.status().find((status) => status.name === name)?.problem ?? null;
      if (problem !== null && source.current(name) === null) throw waiting(source, name, problem);
    }
    if (outcome !== 'held') return outcome;
    if (clock.nowMs() > endMs) throw new AcmeError('storage', `'${name}': another process holds its order`);
    forced = false; // what the other process issues meanwhile is new enough
    await wait(timers, elsewherePauseMs);
  }
}

function waiting(source: AcmeSource, name: string, problem: string): AcmeError {
  const next = source.status().find((status) => status.name === name)?.next_attempt ?? 'later';
  return new AcmeError('refused', `not tried again before ${next} (--force tries at once), after: ${problem}`);
}

/** Settings of what was issued, and of what was tried. */
async function storedSettings(storage: AcmeStorage, directory: string): Promise<AcmeCertificateSettings[]> {
  const found = new Map<string, AcmeCertificateSettings>();
  for (const kind of ['certificate', 'failure'] as const) {
    for (const name of await storage.list(kind)) {
      const record = await readRecord(storage, kind, name);
      if (record !== null && record.directory === directory && !found.has(name)) found.set(name, record.settings);
    }
  }
  return [...found.values()];
}

interface ShownAccount {
  readonly directory: string;
  readonly account: string | null;
  readonly contacts: readonly string[];
  readonly registered: string | null;
}

async function storedAccounts(storage: AcmeStorage, directoryUrl: string): Promise<ShownAccount[]> {
  const found: ShownAccount[] = [];
  for (const id of await storage.list('account')) {
    const text = await storage.get(`account/${id}`);
    if (text === null) continue;
    const { directory, url, contacts, registered } = JSON.parse(text) as ShownAccount & { url: string | null };
    if (directoryUrl === '' || directory === directoryUrl)
      found.push({ directory, account: url, contacts, registered });
  }
  return found;
}

function until(status: readonly SourcedCertificateStatus[], name: string): string {
  const notAfter = status.find((one) => one.name === name)?.not_after ?? null;
  return notAfter === null ? '' : `, valid until ${notAfter}`;
}

function describe(accounts: readonly ShownAccount[], certificates: readonly SourcedCertificateStatus[]): string {
  const lines = accounts.map(({ directory, account }) => `account ${account ?? '(not registered)'} at ${directory}`);
  for (const one of certificates) {
    const problem = one.problem === null ? '' : `\n  problem: ${one.problem}`;
    const held = one.serial === null ? 'no certificate yet' : `serial ${one.serial}, valid until ${one.not_after}`;
    const next = one.next_attempt === null ? '' : `, next attempt ${one.next_attempt}`;
    lines.push(`${one.name}: ${one.state}, ${held}${next}${problem}`);
  }
  return lines.length === 0 ? 'nothing is stored\n' : `${lines.join('\n')}\n`;
}
