import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { IssuanceLog, type IssuedRecord } from '../store/issuance-log.ts';
import type { CommandContext } from './command.ts';
import { directoryOf, openStore, storeFlags } from './store-flags.ts';

const states = ['valid', 'expired', 'revoked', 'all'] as const;

/** `list`: what was issued. */
export const listCommand: Command<CommandContext> = {
  name: 'list',
  words: '--dir DIR',
  summary: 'what was issued, and its state',
  flags: [
    storeFlags[0]!,
    { name: 'state', value: 'WORD', help: `${states.join(', ')} (all)` },
    { name: 'name', value: 'TEXT', help: 'only what names this, or is called this' },
    jsonFlag,
  ],
  run(given, context) {
    const wanted = given.oneOf<(typeof states)[number], 'all'>('state', states, 'all');
    const name = given.text('name');
    const { directory } = openStore(directoryOf(given, context));
    const nowMs = context.clock.wallMs();
    const rows = [...new IssuanceLog(directory).records()]
      .map((record) => rowOf(record, nowMs))
      .filter(({ state }) => wanted === 'all' || state === wanted)
      .filter(
        (row) =>
          name === null || row.entry === name || row.names.some((text) => text.split(':').slice(1).join(':') === name),
      );
    print(given, context.output, rows, () =>
      rows.length === 0 ? 'nothing\n' : rows.map((row) => `${line(row, nowMs)}\n`).join(''),
    );
    return Promise.resolve(exitCodes.ok);
  },
};

/** One certificate; the members stay. */
interface Row {
  readonly serial: string;
  readonly state: 'valid' | 'expired' | 'revoked';
  readonly template: string;
  readonly names: readonly string[];
  readonly entry: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly by: string;
  readonly sha256: string;
  readonly revoked_at: string | null;
  readonly reason: string | null;
}

function rowOf(record: IssuedRecord, nowMs: number): Row {
  const { serial, template, names, entry, by, sha256, revoked } = record;
  return {
    serial,
    state: revoked !== null ? 'revoked' : record.notAfterMs <= nowMs ? 'expired' : 'valid',
    template,
    names,
    entry,
    not_before: new Date(record.notBeforeMs).toISOString(),
    not_after: new Date(record.notAfterMs).toISOString(),
    by,
    sha256,
    revoked_at: revoked === null ? null : new Date(revoked.timeMs).toISOString(),
    reason: revoked?.reason ?? null,
  };
}

function line(row: Row, nowMs: number): string {
  const left = lifetimeText(Date.parse(row.not_after) - nowMs);
  const state = row.state === 'valid' ? `${left} left` : row.state === 'revoked' ? `revoked: ${row.reason}` : 'expired';
  return `${row.serial.padEnd(32)}  ${row.template.padEnd(6)}  ${state.padEnd(14)}  ${row.names.join(', ')}`;
}
