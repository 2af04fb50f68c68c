import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SdsServer } from '#certs/sds/sds-server.ts';
import { type SecretResource, SecretResources, secretTypeName } from '#certs/sds/secret-resources.ts';
import { Logger } from '#gateway/base/log.ts';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { staticCluster } from './bootstrap.ts';
import { createCertificate, type TestCertificate } from './certificates.ts';
import { type GatewayProcess, startGateway } from './gateway-process.ts';
import { fileSource, grpcSource, rotationBootstrap, secretYaml } from './rotation-gateway.ts';
import { RotationLoad, serialText } from './rotation-load.ts';
import { freePorts } from './running-program.ts';
import { pairOf, pathsIn, rotationStyles } from './secret-files.ts';
import { until } from './until.ts';

/** How long a scenario goes on. */
export interface ScenarioOptions {
  /** Asked before each round, which begins at 1: false ends the scenario. */
  readonly goesOn: (round: number) => boolean;
  /** Rotations by which all styles of files have had their turn once. */
  readonly lap: number;
  /** Told after each round. */
  readonly onRound?: (round: number, tookMs: number) => void;
}

/** What came of a scenario. */
export interface ScenarioOutcome {
  readonly rounds: number;
  readonly requests: number;
  readonly handshakes: number;
  /** Of requests and handshakes: must be empty. */
  readonly failures: readonly string[];
  /** From a rotation to the first new connection that shows it, milliseconds; without those while the service was away. */
  readonly slowestMs: number;
  /** Rotations for which that took more than a second. */
  readonly late: number;
  /** Kept connections that still answer with the certificate that they began with. */
  readonly alive: number;
  readonly kept: number;
  /** `/stats` of the secrets at the end. */
  readonly stats: string;
  /** What the SDS service said of refusals. */
  readonly refusals: readonly string[];
  /** Resident memory of the gateway after the first lap and at the end, MiB. */
  readonly memoryMib: readonly [number, number];
}

const name = 'a.test';
/** What is promised, and what a busy machine is given. */
const seenWithinMs = 1000;
const longestMs = 10_000;
/** The gateway comes back to a service that was away after a pause that grows. */
const backWithinMs = 20_000;
const serialOf = (leaf: TestCertificate): string => serialText(leaf.x509.serialNumber);

/** Rotates from files in every style in turn; the secret's own file is rotated whenever the style changes. */
export async function rotateFiles(options: ScenarioOptions): Promise<ScenarioOutcome> {
  const ca = await createCertificate({ name: 'ca', ca: true });
  const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
  const make = (): Promise<TestCertificate> => createCertificate({ name, sans: [`dns:${name}`], issuer: mid });
  const base = mkdtempSync(join(tmpdir(), 'sluice-rotation-'));
  const sds = join(base, 'sds.yaml');
  const folders = rotationStyles.map((_, i) => join(base, String(i)));
  const named = (folder: string): string => {
    const { certificate, key } = pathsIn(folder);
    const chain = `certificate_chain: { filename: "${certificate}" }`;
    return secretYaml('edge', `tls_certificate: { ${chain}, private_key: { filename: "${key}" } }`);
  };
  let leaf = await make();
  for (const [i, style] of rotationStyles.entries()) style.prepare(folders[i]!, pairOf(leaf, mid));
  writeFileSync(sds, named(folders[0]!));
  const perStyle = Math.max(1, Math.ceil(options.lap / rotationStyles.length));
  try {
    const gateway = await startGateway(rotationBootstrap({ certificate: fileSource(sds) }));
    let current = 0;
    return await run(gateway, { ca: ca.certificate }, options, [], async (round, load) => {
      const i = Math.floor((round - 1) / perStyle) % rotationStyles.length;
      const style = rotationStyles[i]!;
      if (i !== current) {
        current = i;
        await style.rotate(folders[i]!, pairOf(leaf, mid), 2 * round, async () => {});
        writeFileSync(`${sds}.new`, named(folders[i]!));
        renameSync(`${sds}.new`, sds);
      }
      leaf = await make();
      await style.rotate(folders[i]!, pairOf(leaf, mid), 2 * round + 1, () => delay(2));
      return await load.untilShown(serialOf(leaf), longestMs);
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

const inline = (text: string): object => ({ specifier: { case: 'inlineString', value: text } });

function resource(secret: string, version: string, type: object): SecretResource {
  return {
    name: secret,
    version,
    any: packAny(createMessage<Secret>(secretTypeName, { name: secret, type: type as never })),
  };
}

/** The `tls_certificate` secret `edge`. */
function edge(leaf: TestCertificate, version: string, privateKey = leaf.privateKey): SecretResource {
  const value = { certificateChain: inline(leaf.certificate), privateKey: inline(privateKey) };
  return resource('edge', version, { case: 'tlsCertificate', value });
}

/** The `validation_context` secret `clients`. */
function clients(version: string, ...authorities: TestCertificate[]): SecretResource {
  const trustedCa = inline(authorities.map(({ certificate }) => certificate).join(''));
  return resource('clients', version, { case: 'validationContext', value: { trustedCa } });
}

/**
 * Rotates by SDS over gRPC: the served certificate in each round, the authorities of clients in each tenth, and in each fortieth
 * the service is killed and comes back with the new certificate. The last certificate that is offered has another's key.
 */
export async function rotateBySds(apiType: 'GRPC' | 'DELTA_GRPC', options: ScenarioOptions): Promise<ScenarioOutcome> {
  const ca = await createCertificate({ name: 'ca', ca: true });
  const make = (): Promise<TestCertificate> => createCertificate({ name, sans: [`dns:${name}`], issuer: ca });
  const clientCa = await createCertificate({ name: 'clients', ca: true });
  const otherCa = await createCertificate({ name: 'other clients', ca: true });
  const client = await createCertificate({ name: 'client', issuer: clientCa, usages: ['clientAuth'] });
  const refusals: string[] = [];
  const note = (_level: string, _component: string, message: string): void => {
    if (message.includes('NACK')) refusals.push(message);
  };
  const log = new Logger('sds', { write: note }, 'info');
  const resources = new SecretResources();
  let leaf = await make();
  resources.set(edge(leaf, 'v0'));
  resources.set(clients('c0', clientCa));
  let service = new SdsServer(resources, log);
  // It comes back on the same one.
  const [port = 0] = await freePorts(1);
  await service.listen(`127.0.0.1:${port}`);
  try {
    const source = grpcSource(apiType);
    const cluster = staticCluster('sds', [port], { http2: true });
    const gateway = await startGateway(rotationBootstrap({ certificate: source, clientCa: source }, [cluster]));
    const who = { ca: ca.certificate, identity: client };
    return await run(
      gateway,
      who,
      options,
      refusals,
      async (round, load) => {
        leaf = await make();
        const away = round % 40 === 0;
        if (away) service.close();
        resources.set(edge(leaf, `v${round}`));
        if (away) {
          service = new SdsServer(resources, log);
          await service.listen(`127.0.0.1:${port}`);
        }
        if (round % 10 === 0) {
          resources.set(clients(`c${round}`, clientCa, ...(round % 20 === 0 ? [otherCa] : [])));
        }
        const tookMs = await load.untilShown(serialOf(leaf), away ? backWithinMs : longestMs);
        return away ? 0 : tookMs;
      },
      async (load) => {
        resources.set(edge(await make(), 'wrong', client.privateKey));
        await until(() => refusals.length > 0);
        await load.untilShown(serialOf(leaf), longestMs);
      },
    );
  } finally {
    service.close();
  }
}

async function run(
  gateway: GatewayProcess,
  who: { readonly ca: string; readonly identity?: TestCertificate },
  options: ScenarioOptions,
  refusals: readonly string[],
  rotate: (round: number, load: RotationLoad) => Promise<number>,
  last: (load: RotationLoad) => Promise<void> = async () => {},
): Promise<ScenarioOutcome> {
  let load: RotationLoad | null = null;
  try {
    load = await RotationLoad.start({ port: gateway.port('main'), serverName: name, kept: 2, pauseMs: 5, ...who });
    let slowestMs = 0;
    let rounds = 0;
    let late = 0;
    let earlyMib = 0;
    while (options.goesOn(rounds + 1)) {
      rounds++;
      const tookMs = await rotate(rounds, load);
      slowestMs = Math.max(slowestMs, tookMs);
      if (tookMs > seenWithinMs) late++;
      if (rounds === options.lap) earlyMib = await residentMib(gateway);
      options.onRound?.(rounds, tookMs);
    }
    await last(load);
    const { alive, kept } = await load.stop();
    const { requests, handshakes, failures } = load.counts;
    const stats = (await gateway.admin('/stats?filter=^sds.')).text;
    const memoryMib = [earlyMib, await residentMib(gateway)] as const;
    return { rounds, requests, handshakes, failures, slowestMs, late, alive, kept, stats, refusals, memoryMib };
  } finally {
    await load?.stop().catch(() => {});
    await gateway.stop();
  }
}

async function residentMib(gateway: GatewayProcess): Promise<number> {
  const { text } = await gateway.admin('/stats?filter=^server.memory_physical_size$');
  return Math.round(Number(/: (\d+)/.exec(text)?.[1] ?? 0) / 1_048_576);
}
