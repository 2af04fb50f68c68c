import type { FormatterContext } from '#gateway/api/access-log.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { grpcStatusNames, grpcStatusOf } from './grpc-status.ts';
import { numberProvider, type Operator, type OperatorTable, plainNumber, plainText, textProvider } from './provider.ts';

type Lookup = (context: FormatterContext, name: string) => string | null;

function requestHeader(context: FormatterContext, name: string): string | null {
  const head = context.request;
  if (head === null) return null;
  return name.charCodeAt(0) === 0x3a || name === 'host' ? head.get(name) : head.headers.get(name);
}

function responseHeader(context: FormatterContext, name: string): string | null {
  const head = context.response;
  if (head === null) return null;
  return name === ':status' ? String(head.status) : head.headers.get(name);
}

function trailer(context: FormatterContext, name: string): string | null {
  return (context.trailers ?? context.streamInfo.responseTrailers)?.get(name) ?? null;
}

/** `X?Y`: the first of two headers that occurs. */
function headerOperator(lookup: Lookup, change: (value: string) => string = (value) => value): Operator {
  return {
    params: 'required',
    length: true,
    compile(params, operator) {
      const names = params.split('?').map((name) => name.toLowerCase());
      if (names.length > 2) throw new ConfigError('', `%${operator}% takes one alternative header, not more`);
      const main = names[0]!;
      const alternative = names[1] ?? '';
      if (main === '') throw new ConfigError('', `%${operator}% needs the name of a header`);
      return textProvider((context) => {
        let value = lookup(context, main);
        if (value === null && alternative !== '') value = lookup(context, alternative);
        return value === null ? null : change(value);
      });
    },
  };
}

function withoutQuery(path: string): string {
  const at = path.indexOf('?');
  return at === -1 ? path : path.slice(0, at);
}

function originalPath(context: FormatterContext): string | null {
  return requestHeader(context, 'x-envoy-original-path') ?? requestHeader(context, ':path');
}

const queryUse: { readonly [option: string]: boolean } = { WQ: true, NQ: false };
const pathSource: { readonly [option: string]: (context: FormatterContext) => string | null } = {
  ORIG: (context) => requestHeader(context, 'x-envoy-original-path'),
  PATH: (context) => requestHeader(context, ':path'),
  ORIG_OR_PATH: originalPath,
};

const pathOperator: Operator = {
  params: 'optional',
  length: true,
  compile(params) {
    const [query = '', source = ''] = params.split(':');
    const keepQuery = query === '' ? true : queryUse[query];
    const get = source === '' ? originalPath : pathSource[source];
    if (keepQuery === undefined) throw new ConfigError('', `%PATH%: '${query}' is not one of WQ, NQ`);
    if (get === undefined) throw new ConfigError('', `%PATH%: '${source}' is not one of ORIG, PATH, ORIG_OR_PATH`);
    return textProvider((context) => {
      const path = get(context);
      return path === null || keepQuery ? path : withoutQuery(path);
    });
  },
};

/** The query of the path as it came, decoded; null when there is none. */
function query(context: FormatterContext): URLSearchParams | null {
  const path = requestHeader(context, ':path');
  const at = path === null ? -1 : path.indexOf('?');
  return path === null || at === -1 ? null : new URLSearchParams(path.slice(at + 1));
}

const queryParamOperator: Operator = {
  params: 'required',
  length: true,
  compile: (name) => textProvider((context) => query(context)?.get(name) ?? null),
};

const queryParamsOperator: Operator = {
  params: 'optional',
  length: true,
  compile(params) {
    if (params !== '' && params !== 'ORIG' && params !== 'DECODED') {
      throw new ConfigError('', `%QUERY_PARAMS%: '${params}' is not one of ORIG, DECODED`);
    }
    return textProvider((context) => {
      const path = requestHeader(context, ':path');
      const at = path === null ? -1 : path.indexOf('?');
      if (path === null || at === -1) return null;
      const text = path.slice(at + 1);
      if (params !== 'DECODED') return text;
      return [...new URLSearchParams(text)].map(([name, value]) => `${name}=${value}`).join('&');
    });
  },
};

/** Status of a gRPC call; null for other requests. */
function grpcStatus(context: FormatterContext): number | null {
  const type = requestHeader(context, 'content-type');
  return type !== null && /^application\/grpc(?:[+;]|$)/.test(type) ? grpcStatusOf(context) : null;
}

const grpcStatusOperator: Operator = {
  params: 'optional',
  length: false,
  compile(params) {
    if (params === 'NUMBER') return numberProvider(grpcStatus);
    if (params !== '' && params !== 'CAMEL_STRING' && params !== 'SNAKE_STRING') {
      throw new ConfigError('', `%GRPC_STATUS%: '${params}' is not one of CAMEL_STRING, SNAKE_STRING, NUMBER`);
    }
    const form = params === 'SNAKE_STRING' ? 1 : 0;
    return textProvider((context) => {
      const status = grpcStatus(context);
      return status === null ? null : (grpcStatusNames[status]?.[form] ?? String(status));
    });
  },
};

/** Operators about request and response headers, trailers and paths. */
export const headerOperators: OperatorTable = {
  REQ: headerOperator(requestHeader),
  RESP: headerOperator(responseHeader),
  TRAILER: headerOperator(trailer),
  REQ_WITHOUT_QUERY: headerOperator(requestHeader, withoutQuery),
  PATH: pathOperator,
  QUERY_PARAM: queryParamOperator,
  QUERY_PARAMS: queryParamsOperator,
  GRPC_STATUS: grpcStatusOperator,
  GRPC_STATUS_NUMBER: plainNumber(grpcStatus),
  LOCAL_REPLY_BODY: {
    ...plainText(() => null),
    compile: () => textProvider((context) => context.localReplyBody), // an empty body is a body
  },
  REQUEST_HEADERS_BYTES: plainNumber(({ request }) => {
    if (request === null) return 0;
    const { method, path, authority, scheme, headers } = request;
    const pseudo = (name: string, value: string): number => (value === '' ? 0 : name.length + value.length);
    const line = pseudo(':method', method) + pseudo(':path', path) + pseudo(':authority', authority);
    return line + pseudo(':scheme', scheme) + headers.byteSize();
  }),
  RESPONSE_HEADERS_BYTES: plainNumber(({ response }) =>
    response === null ? 0 : ':status'.length + 3 + response.headers.byteSize(),
  ),
  RESPONSE_TRAILERS_BYTES: plainNumber(
    ({ trailers, streamInfo }) => (trailers ?? streamInfo.responseTrailers)?.byteSize() ?? 0,
  ),
};
