import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { jsonProvider, type Operator, type OperatorTable, textProvider } from './provider.ts';

type Struct = { readonly [key: string]: JsonValue };
type NamespaceOf = (context: FormatterContext, namespace: string) => Struct | undefined;

const dynamic: NamespaceOf = ({ streamInfo }, namespace) => streamInfo.dynamicMetadata?.get(namespace);
const ofCluster: NamespaceOf = ({ streamInfo }, namespace) => streamInfo.cluster?.metadata[namespace];
const ofHost: NamespaceOf = ({ streamInfo }, namespace) => streamInfo.upstreamHost?.metadata[namespace];
const ofRoute: NamespaceOf = ({ streamInfo }, namespace) => streamInfo.route?.metadata[namespace];

/** `namespace:key:key...`: the value at the end of the path, or the whole namespace. */
function metadataOperator(get: NamespaceOf): Operator {
  return {
    params: 'required',
    length: true,
    compile(params, name) {
      const [namespace = '', ...path] = params.split(':');
      if (namespace === '') throw new ConfigError('', `%${name}% needs a namespace`);
      return jsonProvider((context) => descend(get(context, namespace) as JsonValue | undefined, path));
    },
  };
}

function descend(from: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let value = from;
  for (const key of path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value;
}

const sources: { readonly [type: string]: Operator } = {
  DYNAMIC: metadataOperator(dynamic),
  CLUSTER: metadataOperator(ofCluster),
  UPSTREAM_HOST: metadataOperator(ofHost),
  ROUTE: metadataOperator(ofRoute),
};

const metadata: Operator = {
  params: 'required',
  length: true,
  compile(params, name) {
    const colon = params.indexOf(':');
    const type = colon === -1 ? params : params.slice(0, colon);
    const source = sources[type];
    if (source === undefined) {
      throw new ConfigError('', `%METADATA%: '${type}' is not one of ${Object.keys(sources).join(', ')}`);
    }
    return source.compile(colon === -1 ? '' : params.slice(colon + 1), name);
  },
};

/** What filters leave for each other: texts, numbers and plain data are shown. */
const filterState: Operator = {
  params: 'required',
  length: true,
  compile(params, name) {
    const [key = '', form = 'TYPED', field] = params.split(':');
    if (key === '') throw new ConfigError('', `%${name}% needs a key`);
    const get = (context: FormatterContext): JsonValue | undefined =>
      context.streamInfo.filterState?.get(key) as JsonValue | undefined;
    if (form === 'PLAIN') {
      return textProvider((context) => {
        const value = get(context);
        if (value === undefined || value === null) return null;
        return typeof value === 'object' ? JSON.stringify(value) : String(value);
      });
    }
    if (form === 'FIELD') {
      if (field === undefined || field === '') throw new ConfigError('', `%${name}%: FIELD needs the name of a field`);
      return jsonProvider((context) => descend(get(context), [field]));
    }
    if (form !== 'TYPED') throw new ConfigError('', `%${name}%: '${form}' is not one of PLAIN, TYPED, FIELD`);
    return {
      text(context) {
        const value = get(context);
        return value === undefined || value === null ? null : JSON.stringify(value);
      },
      value: (context) => get(context) ?? null,
    };
  },
};

/** Operators about metadata and filter state. */
export const metadataOperators: OperatorTable = {
  DYNAMIC_METADATA: metadataOperator(dynamic),
  CLUSTER_METADATA: metadataOperator(ofCluster),
  UPSTREAM_METADATA: metadataOperator(ofHost),
  METADATA: metadata,
  FILTER_STATE: filterState,
};
