import { type Command, jsonFlag } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import type { CommandContext } from './command.ts';
import { requireLocal } from './serve-options.ts';

/** `rotate`: asks a running service to issue anew, now. */
export const rotateCommand: Command<CommandContext> = {
  name: 'rotate',
  words: '--control ADDRESS [--name NAME]',
  summary: 'have a running service issue anew, now',
  flags: [
    { name: 'control', value: 'ADDRESS', help: "the service's control interface" },
    { name: 'name', value: 'NAME', help: 'only this certificate' },
    jsonFlag,
  ],
  async run(given, context) {
    const control = requireLocal('control', given.required('control'));
    const name = given.text('name');
    const query = name === null ? '' : `?name=${encodeURIComponent(name)}`;
    let response: Response;
    try {
      response = await fetch(`http://${control}/rotate${query}`, { method: 'POST' });
    } catch (error) {
      throw new CertificateError(`${control}: ${(error as Error).message}`);
    }
    const text = (await response.text()).trim();
    if (!response.ok) throw new CertificateError(text);
    context.output.write(`${text}\n`);
    return exitCodes.ok;
  },
};
