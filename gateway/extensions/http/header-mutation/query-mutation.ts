import type { Formatter, FormatterContext } from '#gateway/api/access-log.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import { latin1OfUtf8 } from '#gateway/route/substitution-format.ts';
import type { KeyValueMutation } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { QueryParameters } from './query-parameters.ts';

/** KeyValueAppend.action, by number. */
const Action = { AppendOrAdd: 0, AddIfAbsent: 1, OverwriteOrAdd: 2, Overwrite: 3 } as const;

/** One change of the query parameters. A compiled KeyValueMutation. */
export interface QueryMutation {
  apply(parameters: QueryParameters, context: FormatterContext): void;
}

class RemoveParameter implements QueryMutation {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  apply(parameters: QueryParameters): void {
    parameters.remove(this.#name);
  }
}

class AppendParameter implements QueryMutation {
  readonly #name: string;
  readonly #value: Formatter;
  readonly #action: number;

  constructor(name: string, value: Formatter, action: number) {
    this.#name = name;
    this.#value = value;
    this.#action = action;
  }

  apply(parameters: QueryParameters, context: FormatterContext): void {
    const name = this.#name;
    const value = this.#value.format(context);
    switch (this.#action) {
      case Action.AddIfAbsent:
        if (!parameters.has(name)) parameters.add(name, value);
        break;
      case Action.OverwriteOrAdd:
        parameters.set(name, value);
        break;
      case Action.Overwrite:
        if (parameters.has(name)) parameters.set(name, value);
        break;
      default:
        parameters.add(name, value);
    }
  }
}

/** Compiles a list of mutations; they apply one after the other. Throws ConfigError with a path that begins with `path`. */
export function compileQueryMutations(messages: readonly KeyValueMutation[], path: string): readonly QueryMutation[] {
  return messages.map((message, i) => atPath(`${path}[${i}]`, () => compileOne(message)));
}

function compileOne(message: KeyValueMutation): QueryMutation {
  const { append, remove } = message;
  if (append === undefined) {
    if (remove === '') throw new ConfigError('', 'a mutation must append or remove');
    return new RemoveParameter(latin1OfUtf8(remove));
  }
  if (remove !== '') throw new ConfigError('', 'a mutation cannot append and remove at once');
  const { record } = append;
  if (record === undefined) throw new ConfigError('append.record', 'a record is required');
  const { kind } = record.value ?? { kind: { case: undefined, value: undefined } };
  if (kind.case !== 'stringValue') throw new ConfigError('append.record.value', 'the value must be a string');
  const format = atPath('append.record.value', () => compileFormat(kind.value, true));
  return new AppendParameter(latin1OfUtf8(record.key), format, append.action);
}
