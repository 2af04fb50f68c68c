import { printable } from '#gateway/base/printable.ts';
import type { ConfigSummary, RuleSummary, Summary } from './summary.ts';

/** Width of a bar of the timeline. */
const barWidth = 40;

/** The summary for people to read. */
export function summaryText(summary: Summary): string {
  const lines: string[] = [...headLines(summary)];
  if (summary.compared === null) lines.push(...configLines(summary.configs[0]!));
  else lines.push(...comparisonLines(summary));
  lines.push(...timelineLines(summary), ...endLines(summary));
  return `${lines.join('\n')}\n`;
}

function headLines({ logs, format, lines, unread, requests, first, last, unread_lines: shown }: Summary): string[] {
  const span = first === null ? '' : `, ${first} to ${last}`;
  const head = [`${logs.join(', ')} (${format}): ${count(requests, 'request')}${span}`];
  if (unread === 0) return head;
  head.push(`${unread} of ${count(lines, 'line')} could not be read:`);
  for (const { file, line, reason, text } of shown) head.push(`  ${file}:${line}: ${reason}: ${shownText(text)}`);
  return head;
}

function configLines({ config, limited, unmatched, rules, unused }: ConfigSummary): string[] {
  const requests = rules.length === 0 ? '' : ', by rule:';
  const lines = ['', `${config}: ${count(limited, 'request')} limited${requests}`, ''];
  if (rules.length > 0) {
    lines.push(
      ...table([
        ['rule', 'limit', 'requests', 'limited', 'share', 'first', 'last', 'most by one key'],
        ...rules.map((rule) => [
          shownText(rule.rule),
          rule.limit,
          String(rule.requests),
          limitedText(rule),
          share(rule.limited, rule.requests),
          rule.first_limited ?? '-',
          rule.last_limited ?? '-',
          rule.peak === null
            ? '-'
            : `${rule.peak.error === 0 ? '' : 'at least '}${rule.peak.hits} (${shownText(rule.peak.key)}, ${rule.peak.at})`,
        ]),
      ]),
    );
  }
  lines.push(...keyLines(rules), ...restLines(unmatched, unused));
  return lines;
}

function limitedText({ limited, would_limit: would }: RuleSummary): string {
  return would === 0 ? String(limited) : `${limited} (+${would} let pass)`;
}

function keyLines(rules: readonly RuleSummary[]): string[] {
  const over = rules.filter(({ keys }) => keys.length > 0);
  if (over.length === 0) return [];
  const lines = ['', 'who was over, by requests:'];
  for (const { rule, keys, keys_limited: known, keys_error: error } of over) {
    const atLeast = error === 0 ? '' : ` (up to ${error} more each)`;
    lines.push(`  ${shownText(rule)}: ${known === 1 ? '1 key' : `${known} keys`}${atLeast}`);
    lines.push(
      ...table(keys.map(({ key, limited }) => ['', String(limited), shownText(key)])).map((row) => `  ${row}`),
    );
  }
  return lines;
}

function restLines(unmatched: number, unused: readonly string[]): string[] {
  const lines: string[] = [];
  if (unmatched > 0) lines.push('', `${count(unmatched, 'request')} met no rule.`);
  if (unused.length > 0) {
    const more = unused.length > 10 ? ` and ${unused.length - 10} more` : '';
    lines.push('', `No request met: ${unused.slice(0, 10).map(shownText).join(', ')}${more}.`);
  }
  return lines;
}

function comparisonLines({ configs, compared }: Summary): string[] {
  const [first, second] = configs as [ConfigSummary, ConfigSummary];
  const { both, only_first: onlyFirst, only_second: onlySecond } = compared!;
  const lines = [
    '',
    `first:  ${first.config}: ${count(first.limited, 'request')} limited`,
    `second: ${second.config}: ${count(second.limited, 'request')} limited`,
    `by both: ${both}, only by the first: ${onlyFirst}, only by the second: ${onlySecond}`,
    '',
  ];
  const seconds = new Map(second.rules.map((rule) => [rule.rule, rule]));
  const rows = first.rules.map((rule) => comparisonRow(rule.rule, rule, seconds.get(rule.rule)));
  const known = new Set(first.rules.map(({ rule }) => rule));
  for (const rule of second.rules) if (!known.has(rule.rule)) rows.push(comparisonRow(rule.rule, undefined, rule));
  lines.push(...table([['rule', 'first limit', 'limited', 'share', 'second limit', 'limited', 'share', ''], ...rows]));
  for (const { config, rules, unmatched, unused } of [first, second]) {
    const rest = [...keyLines(rules), ...restLines(unmatched, unused)];
    if (rest.length > 0) lines.push('', `${config}:`, ...rest.slice(1));
  }
  return lines;
}

function comparisonRow(name: string, a: RuleSummary | undefined, b: RuleSummary | undefined): string[] {
  const side = (rule: RuleSummary | undefined): string[] =>
    rule === undefined ? ['-', '-', '-'] : [rule.limit, limitedText(rule), share(rule.limited, rule.requests)];
  const change = (b?.limited ?? 0) - (a?.limited ?? 0);
  const changed = change !== 0 || a?.limit !== b?.limit;
  return [shownText(name), ...side(a), ...side(b), changed ? `${change > 0 ? '+' : ''}${change}` : ''];
}

function timelineLines({ timeline, configs }: Summary): string[] {
  const { rows, seconds } = timeline;
  if (rows.length === 0) return [];
  const most = Math.max(...rows.map(({ requests }) => requests));
  const names = configs.length === 1 ? ['limited'] : ['first', 'second'];
  return [
    '',
    `requests in each ${lengthText(seconds)}, limited ones as #:`,
    ...table([
      ['', 'requests', ...names, ''],
      ...rows.map(({ start, requests, limited }) => {
        const full = Math.max(1, Math.round((requests / most) * barWidth));
        const hashes = Math.min(full, Math.ceil((limited.at(-1)! / most) * barWidth));
        return [start, String(requests), ...limited.map(String), '#'.repeat(hashes) + '.'.repeat(full - hashes)];
      }),
    ]),
  ];
}

function endLines({ logged, notes, configs }: Summary): string[] {
  const lines: string[] = [];
  if (logged !== null && logged.limited > 0) {
    lines.push(
      '',
      `${count(logged.limited, 'request')} limited in the log: ${logged.limited_here_too} of them here too, ${logged.only_in_log} not.`,
      `Limited here but not in the log: ${logged.only_here}.`,
    );
  }
  for (const note of notes) lines.push('', `note: ${note}`);
  for (const { warnings } of configs) for (const warning of warnings) lines.push('', `warning: ${warning}`);
  return lines;
}

/** Columns of equal width; all but the first two are numbers or texts that follow one another. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const numeric = widths.map((_, column) =>
    rows.slice(1).every((row) => /^[-0-9.+%]*( \(.*let pass\))?$/.test(row[column]!)),
  );
  return rows.map((row) =>
    `  ${row.map((cell, i) => (numeric[i]! ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ')}`.trimEnd(),
  );
}

function share(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)}%`;
}

function count(number: number, name: string): string {
  return `${number} ${name}${number === 1 ? '' : 's'}`;
}

function lengthText(seconds: number): string {
  for (const [name, length] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const) {
    if (seconds % length === 0) return seconds === length ? name : `${seconds / length} ${name}s`;
  }
  return seconds === 1 ? 'second' : `${seconds} seconds`;
}

/** Text of a log, safe to show on a terminal. */
function shownText(text: string): string {
  return printable(text);
}
