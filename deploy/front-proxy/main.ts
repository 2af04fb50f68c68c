import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { banner } from './banner.ts';
import { accepts, portProblems } from './check-ports.ts';
import { ChildPart } from './child-part.ts';
import { effectiveConfig } from './effective-config.ts';
import { ensureJwtKeys } from './jwt-keys.ts';
import { type PlannedPart, planParts } from './parts.ts';
import { allPorts, type DemoSettings, fallbackDataDirectory, readDemoSettings } from './settings.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A part must have opened its ports within this time, milliseconds. */
const startLimitMs = 30_000;
/** A part must have ended within this time after SIGTERM, milliseconds. */
const stopLimitMs = 8000;

const running: ChildPart[] = [];
let stopping: Promise<void> | null = null;

/** Ends all parts, the front first, and then this process. */
function stop(code: number): Promise<void> {
  stopping ??= (async () => {
    for (const part of running.toReversed()) if (part.part.name === 'front') await part.stop(stopLimitMs);
    await Promise.all(running.map(async (part) => await part.stop(stopLimitMs)));
    process.exit(code);
  })();
  return stopping;
}

function fail(message: string): Promise<void> {
  process.stderr.write(`\n${message}\n`);
  return stop(1);
}

/** Makes what the parts read: directories, keys, effective configurations. Answers where. */
async function prepare(settings: DemoSettings): Promise<DemoSettings> {
  let used = settings;
  try {
    mkdirSync(join(used.data, 'logs'), { recursive: true });
  } catch (error) {
    if (process.env['SLUICE_DEMO_DATA'] !== undefined) throw error;
    used = { ...settings, data: fallbackDataDirectory() };
    mkdirSync(join(used.data, 'logs'), { recursive: true });
  }
  mkdirSync(join(used.data, 'config'), { recursive: true });
  await ensureJwtKeys(used.data);
  for (const name of ['front', 'service1', 'service2']) {
    const yaml = readFileSync(join(root, 'deploy', 'front-proxy', `${name}.yaml`), 'utf8');
    writeFileSync(join(used.data, 'config', `${name}.yaml`), effectiveConfig(yaml, used));
  }
  return used;
}

async function start(part: PlannedPart): Promise<void> {
  const child: ChildPart = new ChildPart(part, process.env, (how) => {
    if (stopping === null)
      void fail(`${part.name} has ended (${how}). Its last words (${part.logFile}):\n${child.tail(10)}`);
  });
  running.push(child);
  const deadline = Date.now() + startLimitMs;
  for (const port of part.opens) {
    while (stopping === null && !child.ended && !(await accepts(port))) {
      if (Date.now() > deadline) {
        await fail(`${part.name} does not open port ${port}. Its last words (${part.logFile}):\n${child.tail(10)}`);
      }
      await delay(25);
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stopping === null && signal === 'SIGINT') process.stdout.write('\nStopping.\n');
    void stop(0);
  });
}

try {
  const settings = await prepare(readDemoSettings(process.env, root));
  const problems = await portProblems(allPorts(settings));
  if (problems.length > 0) {
    await fail(problems.join('\n'));
  } else {
    for (const group of planParts(settings, root)) {
      if (stopping === null) await Promise.all(group.map(start));
    }
    if (stopping === null) process.stdout.write(banner(settings));
  }
} catch (error) {
  await fail((error as Error).message);
}
