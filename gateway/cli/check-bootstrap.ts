import { buildServer } from '#gateway/server/build-server.ts';
import type { InProcessServices } from '#gateway/server/in-process-services.ts';
import { describeAll, loadConfig } from '#gateway/server/load-config.ts';
import type { ServerOptions } from '#gateway/server/options.ts';
import { type CheckResult, checkCertificate } from './check-certificate.ts';

/** One secret or certificate of a bootstrap. */
export interface BootstrapCheck extends CheckResult {
  /** `secret 'edge'`, or the file of a certificate that stands in the bootstrap itself. */
  readonly what: string;
}

/** What was found in a bootstrap. */
export interface BootstrapChecks {
  /** Problems of the configuration itself, one line each. */
  readonly problems: readonly string[];
  readonly refused: boolean;
  readonly checks: readonly BootstrapCheck[];
  /** Secrets that come from a service: nobody is asked. */
  readonly skipped: readonly string[];
}

/** Rehearses every certificate and secret of a bootstrap that can be had without asking a service. Opens no port. */
export async function checkBootstrap(options: ServerOptions, services: InProcessServices): Promise<BootstrapChecks> {
  const config = loadConfig(options);
  if ('unreadable' in config) return { problems: [config.unreadable], refused: true, checks: [], skipped: [] };
  const { diagnostics } = config;
  await services.load(config.message.staticResources?.clusters ?? []);
  const quiet: ServerOptions = { ...options, mode: 'validate', logLevel: 'off', logPath: '' };
  const built = diagnostics.failed ? null : buildServer(quiet, config, services);
  const problems = describeAll(diagnostics);
  if (built === null || diagnostics.failed) return { problems, refused: true, checks: [], skipped: [] };
  const { clock, timers, secrets, certificates } = built;
  const checks: BootstrapCheck[] = [];
  for (const { chain } of certificates.tlsContextViews()) {
    if (chain === null) continue;
    const check = { certificateChain: chain.pem, privateKey: null, replaced: null, trustedCa: '', names: [] };
    checks.push({ what: chain.path, ...(await checkCertificate(check, clock, timers)) });
  }
  const skipped: string[] = [];
  for (const secret of secrets.dynamic) {
    if (!secret.local) {
      skipped.push(secret.name);
      continue;
    }
    await new Promise<void>((done) => secret.start(done));
    const refusal = secret.problem;
    const findings = [
      ...(refusal === '' ? [] : [{ code: 'refused', severity: 'refuse' as const, detail: refusal }]),
      ...secret.findings,
    ];
    checks.push({ what: `secret '${secret.name}'`, chain: [], findings, ok: refusal === '' });
    secret.close();
  }
  return { problems, refused: checks.some(({ ok }) => !ok), checks, skipped };
}
