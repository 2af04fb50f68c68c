// Throws in a timer and rejects unseen, with the gateway's guard in place; then says that it is still there.
import process from 'node:process';
import type { Logger } from '#gateway/base/log.ts';
import { guardProcess } from '#gateway/runtime/process.ts';

const log = { critical: (text: string) => process.stdout.write(`${text.split('\n')[0]}\n`) };
guardProcess(log as unknown as Logger);
setTimeout(() => {
  throw new Error('in a timer');
}, 1);
void Promise.reject(new Error('of a promise'));
setTimeout(() => {
  process.stdout.write('still here\n', () => process.exit(0));
}, 100);
