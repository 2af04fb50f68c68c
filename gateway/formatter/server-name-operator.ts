import type { FormatterContext } from '#gateway/api/access-log.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { type Operator, textProvider } from './provider.ts';

type NameOf = (context: FormatterContext) => string | null;

const sni: NameOf = ({ streamInfo }) => orNull(octetText(streamInfo.connection.requestedServerName));
const authority: NameOf = ({ request }) => orNull(request?.authority);
const originalHost: NameOf = ({ request }) => orNull(request?.headers.get('x-envoy-original-host'));

const hosts: { readonly [option: string]: NameOf } = {
  HOST: authority,
  ORIG: originalHost,
  ORIG_OR_HOST: (context) => originalHost(context) ?? authority(context),
};

/** `%REQUESTED_SERVER_NAME(X:Y)%`: X says whether the host may stand in for the SNI or the other way round, Y which host. */
export const requestedServerName: Operator = {
  params: 'optional',
  length: false,
  compile(params, name) {
    const [order = '', which = ''] = params.split(':'); // what follows a second colon is let pass, as in Envoy
    const host = hosts[which === '' ? 'ORIG_OR_HOST' : which];
    if (host === undefined) {
      throw new ConfigError('', `%${name}%: option '${which}' is not one of ORIG, HOST and ORIG_OR_HOST`);
    }
    switch (order) {
      case '':
      case 'SNI_ONLY':
        return textProvider(sni);
      case 'SNI_FIRST':
        return textProvider((context) => sni(context) ?? host(context));
      case 'HOST_FIRST':
        return textProvider((context) => host(context) ?? sni(context));
      default:
        throw new ConfigError('', `%${name}%: option '${order}' is not one of SNI_ONLY, SNI_FIRST and HOST_FIRST`);
    }
  },
};

function orNull(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}
