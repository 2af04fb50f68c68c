import process from 'node:process';
import { serve } from '@hono/node-server';
import { LogRegistry } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { guardProcess } from '#gateway/runtime/process.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { createCertificateService } from './certificate-service.ts';
import { parseCommandLine, type RotateCommand, type ServeCommand, UsageError, usage } from './command-line.ts';
import { createControlApi } from './control-api.ts';
import { splitHostPort } from './loopback.ts';

async function runServe(command: ServeCommand): Promise<void> {
  const logs = new LogRegistry({
    write: (level, component, message) =>
      process.stderr.write(`[${new Date().toISOString()}][${level}][${component}] ${message}\n`),
  });
  const service = await createCertificateService({
    ...command,
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    log: logs.get('certs'),
  });
  const control =
    command.control === null
      ? null
      : serve({
          fetch: createControlApi(service).fetch,
          hostname: splitHostPort(command.control).host,
          port: splitHostPort(command.control).port,
        });
  control?.on('error', (error: Error) => {
    process.stderr.write(`certs: ${command.control}: ${error.message}\n`);
    process.exit(1);
  });
  guardProcess(logs.get('certs'));
  logs.get('certs').info(`SDS on ${command.listen}, port ${service.port}; authority ${service.authorityPath}`);
  const stop = (): void => {
    service.close();
    control?.close();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function runRotate(command: RotateCommand): Promise<void> {
  const query = command.name === null ? '' : `?name=${encodeURIComponent(command.name)}`;
  const response = await fetch(`http://${command.control}/rotate${query}`, { method: 'POST' });
  process.stdout.write(await response.text());
  process.stdout.write('\n');
  if (!response.ok) process.exitCode = 1;
}

try {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.command === 'serve') await runServe(command);
  else if (command.command === 'rotate') await runRotate(command);
  else process.stdout.write(usage);
} catch (error) {
  process.stderr.write(`certs: ${(error as Error).message}\n`);
  if (error instanceof UsageError) process.stderr.write(`\n${usage}`);
  process.exit(1);
}
