import { dirname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { mintJwt } from './jwt-keys.ts';
import { readDemoSettings } from './settings.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
try {
  const { data } = readDemoSettings(process.env, root);
  process.stdout.write(`${await mintJwt(data, Math.floor(Date.now() / 1000))}\n`);
} catch (error) {
  process.stderr.write(`mint-jwt: ${(error as Error).message}\nIs the demo running? It makes the key.\n`);
  process.exit(1);
}
