import { type Command, jsonFlag } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { type CheckedFiles, checkFiles } from '../config/check-files.ts';
import { configAdvice } from '../config/config-advice.ts';
import { configPaths } from '../config/config-directory.ts';
import { type CommandContext, CommandFailure } from './command-context.ts';

/**
 * `check`: whether the service would take a configuration. Lines and exit codes are those of the reference service's checker,
 * whose flags (`-config_dir D -merge_domain_configs`) are understood too. Warnings go to standard error.
 */
export const checkCommand: Command<CommandContext> = {
  name: 'check',
  words: 'DIR',
  summary: 'check configuration files as the service reads them: a directory, or one file',
  flags: [
    { name: 'merge-domains', value: '', help: 'MERGE_DOMAIN_CONFIG: several files may add to one domain' },
    { name: 'ignore-dot-files', value: '', help: 'RUNTIME_IGNOREDOTFILES' },
    {
      name: 'key-format',
      value: 'FORMAT',
      help: 'KEY_FORMAT, reference or escaped (reference): with escaped no two rules can count together',
    },
    { name: 'strict', value: '', help: 'warnings are errors' },
    jsonFlag,
  ],
  respell: respellReference,
  run(given, { output }) {
    const [directory, ...more] = given.words;
    if (directory === undefined || more.length > 0) throw new UsageError('which one? A directory, or one file');
    const escaped = given.oneOf('key-format', ['reference', 'escaped'], 'reference') === 'escaped';
    const json = given.has('json');
    const say = (line: string): void => {
      if (!json) output.write(`${line}\n`);
    };
    say('checking rate limit configs...');
    say(`loading config directory: ${directory}`);
    const opened: string[] = [];
    const dangling: string[] = [];
    let checked: CheckedFiles;
    try {
      checked = checkFiles(
        configPaths(directory, given.has('ignore-dot-files'), (path) => dangling.push(path)),
        given.has('merge-domains'),
        (path) => {
          opened.push(path);
          say(`opening config file: ${path}`);
        },
      );
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const path = opened.at(-1) ?? directory;
      const what = opened.length === 0 ? 'opening directory' : 'reading file';
      const problem = `error ${what} ${path}: open ${path}: ${systemTexts[code] ?? message}`;
      if (json) throw new CommandFailure(problem);
      say(problem);
      return Promise.resolve(exitCodes.failed);
    }
    const { config, files, errors, hints, misplaced } = checked;
    const collisions = escaped ? [] : (config?.warnings ?? []);
    const empty = opened.length === 0 ? [`${directory}: there is no file in it, so nothing is limited`] : [];
    const links = dangling.map((path) => `${path}: it is a link that leads nowhere, and is not read`);
    const warnings = [...empty, ...links, ...misplaced, ...collisions, ...(config === null ? [] : configAdvice(files))];
    const failed = errors.length > 0 || (given.has('strict') && warnings.length > 0);
    if (json) {
      const domains = [...(config?.domains.keys() ?? [])];
      output.write(
        `${JSON.stringify({ ok: !failed, files: opened, domains, errors, hints: Object.fromEntries(hints), warnings })}\n`,
      );
    } else {
      for (const warning of warnings) output.error(`warning: ${warning}\n`);
      for (const error of errors) {
        say(`error loading rate limit configs: ${error}`);
        // Not among the lines that are the reference's.
        if (hints.has(error)) output.error(`hint: ${hints.get(error)}\n`);
      }
      if (errors.length === 0) say(failed ? 'rate limit configs have warnings' : 'all rate limit configs ok');
    }
    return Promise.resolve(failed ? exitCodes.failed : exitCodes.ok);
  },
};

const systemTexts: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
};

/** `-config_dir D`, `-merge_domain_configs` and `--...=...` as flags of Go programs are written. */
function respellReference(args: readonly string[]): string[] {
  const respelled: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    const [, name, value] = /^--?(config_dir|merge_domain_configs)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === 'config_dir') {
      const directory = value ?? args[++i];
      if (directory === undefined) throw new UsageError('-config_dir needs a value');
      respelled.push(directory);
    } else if (name === 'merge_domain_configs') {
      if (!/^(0|f|false)$/i.test(value ?? 'true')) respelled.push('--merge-domains');
    } else respelled.push(argument);
  }
  return respelled;
}
