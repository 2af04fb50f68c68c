import { createAdminApp } from '#gateway/admin/app.ts';
import { listenAdmin } from '#gateway/admin/listen.ts';
import { type Address, ipAddress, pipeAddress } from '#gateway/base/address.ts';
import { printable } from '#gateway/base/printable.ts';
import { formatDiagnostic } from '#gateway/config/diagnostics.ts';
import type { Loaded } from '#gateway/config/load/load-message.ts';
import { writeTextFile } from '#gateway/runtime/files.ts';
import { exitProcess, guardProcess, keepProcessAlive, onSignal, writeStderr } from '#gateway/runtime/process.ts';
import type { Admin, Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { type BuiltServer, buildServer } from './build-server.ts';
import { InProcessServices } from './in-process-services.ts';
import { describeAll, loadConfig } from './load-config.ts';
import type { ServerOptions } from './options.ts';
import { Server } from './server.ts';
import { ServerAdmin } from './server-admin.ts';
import { sluiceVersion } from './version.ts';

/** Writes why the server cannot start and ends the process with 1. */
function refuse(lines: readonly string[]): void {
  writeStderr(`${lines.join('\n')}\n`, () => exitProcess(1));
}

/**
 * Loads, builds and starts the process's server, and ties it to signals. Does not return anything: from here on the process
 * ends by itself, with 0 after SIGTERM, SIGINT or POST /quitquitquit, with 1 when it could not start.
 */
export function startServer(
  options: ServerOptions,
  notes: readonly string[],
  processId: number,
  services: InProcessServices = new InProcessServices(),
): void {
  const config = loadConfig(options);
  if ('unreadable' in config) {
    refuse([`sluice: ${config.unreadable}`]);
    return;
  }
  const { diagnostics } = config;
  if (diagnostics.failed) {
    refuse(describeAll(diagnostics));
    return;
  }
  const launch = (): void => buildAndRun(options, notes, processId, config, services);
  const loading = services.load(config.message.staticResources?.clusters ?? []);
  if (loading === null) launch();
  else {
    loading.then(launch).catch((error: unknown) => {
      refuse([`sluice: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]);
    });
  }
}

function buildAndRun(
  options: ServerOptions,
  notes: readonly string[],
  processId: number,
  config: Loaded<Bootstrap>,
  services: InProcessServices,
): void {
  const { diagnostics } = config;
  let built: BuiltServer;
  try {
    built = buildServer(options, config, services);
  } catch (error) {
    refuse([`sluice: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]);
    return;
  }
  if (diagnostics.failed) {
    refuse(describeAll(diagnostics));
    return;
  }
  const log = built.context.logs.get('main');
  log.info(`sluice ${sluiceVersion}, process ${processId}, configuration ${options.configPath}`);
  for (const note of notes) log.info(note);
  for (const found of diagnostics.all) built.context.logs.get('config').warning(formatDiagnostic(found));
  guardProcess(log, () => built.serverStats.uncaught.inc());
  const server = new Server(built, () => exitProcess(0));
  onSignal('SIGTERM', () => server.shutdown('SIGTERM'));
  onSignal('SIGINT', () => server.shutdown('SIGINT'));
  onSignal('SIGHUP', () => log.warning('caught and eating SIGHUP'));
  onSignal('SIGUSR1', () => built.logFiles.reopen());
  keepProcessAlive();
  start(server, built, options).catch((error: unknown) => {
    log.critical(`cannot start: ${error instanceof Error ? error.message : String(error)}`);
    built.logFiles.drain(() => exitProcess(1));
  });
}

async function start(server: Server, built: BuiltServer, options: ServerOptions): Promise<void> {
  if (options.baseIdPath !== '') writeTextFile(options.baseIdPath, String(options.baseId));
  const address = adminAddress(built.bootstrap.admin);
  if (address !== null) {
    const app = createAdminApp(new ServerAdmin(built, server), built.admin);
    const admin = await listenAdmin(app, address, adminPipeMode(built.bootstrap.admin));
    server.attachAdmin(admin);
    built.context.logs.get('main').info(`admin address: ${admin.address.text}`);
    if (options.adminAddressPath !== '') writeTextFile(options.adminAddressPath, admin.address.text);
  }
  await server.start();
  const found = built.certificates.staticFindings(built.clock.wallMs());
  for (const line of found) built.context.logs.get('secret').warning(printable(line));
  built.expiryWarnings.start();
}

function adminAddress(admin: Admin | undefined): Address | null {
  const chosen = admin?.address?.address;
  if (chosen?.case === 'pipe') return pipeAddress(chosen.value.path);
  if (chosen?.case !== 'socketAddress') return null;
  const { address, portSpecifier } = chosen.value;
  return ipAddress(address, portSpecifier.case === 'portValue' ? portSpecifier.value : 0);
}

function adminPipeMode(admin: Admin | undefined): number {
  const chosen = admin?.address?.address;
  return chosen?.case === 'pipe' ? chosen.value.mode : 0;
}
