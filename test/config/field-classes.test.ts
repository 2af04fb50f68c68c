import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { checkMessage } from '#gateway/config/load/check-message.ts';
import { holdsMessages } from '#gateway/config/load/field-values.ts';
import { NOT_SUPPORTED } from '#gateway/config/support/check-support.ts';
import { compatibilityDoc } from '#gateway/config/support/compatibility-doc.ts';
import { fieldClass, mergeAreas, supportTable } from '#gateway/config/support/field-class.ts';
import { areas } from '#gateway/config/support/index-of-areas.ts';
import { messageSchema, protoRegistry, typeUrlOf } from '#gateway/proto/registry.ts';

const registry = protoRegistry();
const bootstrap = messageSchema('envoy.config.bootstrap.v3.Bootstrap') as unknown as DescMessage;

/** Puts the JSON of a message into a bootstrap that has nothing else. */
type Frame = (inner: JsonObject) => JsonObject;

/** An extension without fields, for `Any` fields that are to be set at all. */
const RAW_BUFFER = { '@type': typeUrlOf('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer') };

function refusals(json: JsonObject): readonly string[] {
  const found = new Diagnostics();
  const message = fromJson(bootstrap, json, { registry });
  checkMessage(bootstrap, message, '', found, { rules: false, support: true });
  return found.all.filter((one) => one.problem.includes(NOT_SUPPORTED)).map((one) => one.problem);
}

/** A value of the field that is not its default; `enumValue` for enum fields. */
function sample(field: DescField, enumValue: string | null): JsonValue {
  const one = singleSample(field, enumValue);
  if (field.fieldKind === 'list') return [one];
  if (field.fieldKind !== 'map') return one;
  return { [keySample(field.mapKey)]: one };
}

function keySample(type: ScalarType): string {
  if (type === ScalarType.STRING) return 'k';
  return type === ScalarType.BOOL ? 'true' : '1';
}

function singleSample(field: DescField, enumValue: string | null): JsonValue {
  if (field.enum !== undefined) return enumValue;
  if (field.message !== undefined) return messageSample(field.message);
  return scalarSample(field.scalar!);
}

function scalarSample(type: ScalarType): JsonValue {
  if (type === ScalarType.STRING) return 'x';
  if (type === ScalarType.BOOL) return true;
  return type === ScalarType.BYTES ? 'eA==' : 1;
}

function messageSample(type: DescMessage): JsonValue {
  if (isWrapperDesc(type)) return scalarSample(type.fields[0]!.scalar!);
  const samples: Readonly<Record<string, JsonValue>> = {
    'google.protobuf.Any': RAW_BUFFER,
    'google.protobuf.Duration': '1s',
    'google.protobuf.Timestamp': '2026-01-01T00:00:00Z',
    'google.protobuf.Struct': { a: 1 },
    'google.protobuf.Value': 1,
    'google.protobuf.ListValue': [1],
  };
  return samples[type.typeName] ?? {};
}

/** What {@link reachable} knows of a message type. */
interface Reached {
  readonly frame: Frame;
  /** Whether the way to it goes through a field that is refused. */
  readonly refused: boolean;
}

/**
 * Every message type that a bootstrap can hold, by a way through implemented fields where there is one. What is below
 * a field without effect has none either and is left out.
 */
function reachable(): ReadonlyMap<DescMessage, Reached> {
  const reached = new Map<DescMessage, Reached>([[bootstrap, { frame: (inner) => inner, refused: false }]]);
  const queue = [bootstrap];
  const refusedWays: [DescMessage, Frame][] = [];
  const extensions = [...supportTable().keys()];
  let anyFrame: Frame | null = null;
  for (;;) {
    const type = queue.shift() ?? nextExtension() ?? nextRefused();
    if (type === undefined) return reached;
    const { frame, refused } = reached.get(type)!;
    for (const field of type.fields) {
      const verdict = fieldClass(field).kind;
      if (!holdsMessages(field) || verdict === 'no effect') continue;
      const child = field.message!;
      const wrap: Frame = (inner) => frame({ [field.name]: within(field, inner) });
      if (refused || verdict !== 'implemented') {
        if (child.typeName !== 'google.protobuf.Any') refusedWays.push([child, wrap]);
      } else if (child.typeName === 'google.protobuf.Any') {
        anyFrame ??= wrap;
      } else if (!reached.has(child)) {
        reached.set(child, { frame: wrap, refused: false });
        queue.push(child);
      }
    }
  }

  function nextExtension(): DescMessage | undefined {
    const put = anyFrame;
    const type = extensions.map((name) => registry.getMessage(name)!).find((one) => !reached.has(one));
    if (type === undefined || put === null) return undefined;
    reached.set(type, { frame: (inner) => put({ '@type': typeUrlOf(type.typeName), ...inner }), refused: false });
    return type;
  }

  function nextRefused(): DescMessage | undefined {
    for (;;) {
      const [type, frame] = refusedWays.shift() ?? [];
      if (type === undefined || frame === undefined) return undefined;
      if (reached.has(type)) continue;
      reached.set(type, { frame, refused: true });
      return type;
    }
  }
}

function within(field: DescField, inner: JsonObject): JsonValue {
  if (field.fieldKind === 'list') return [inner];
  return field.fieldKind === 'map' ? { [keySample(field.mapKey)]: inner } : inner;
}

describe('field classes', () => {
  test('areas describe messages, fields and enum values that exist, each message once', () => {
    for (const [typeName, support] of mergeAreas(areas)) {
      const type = registry.getMessage(typeName);
      assert.ok(type !== undefined, `${typeName} does not exist`);
      const names = [
        ...(support.implemented === 'all' ? [] : support.implemented),
        ...Object.keys(support.noEffect ?? {}),
        ...Object.keys(support.rewritten ?? {}),
      ];
      assert.equal(new Set(names).size, names.length, `${typeName}: a field is in two classes`);
      for (const name of [...names, ...Object.keys(support.values ?? {})]) {
        const field = type.fields.find((one) => one.name === name);
        assert.ok(field !== undefined, `${typeName} has no field ${name}`);
        const known = field.enum?.values.map((value) => value.name) ?? [];
        for (const value of support.values?.[name] ?? []) {
          assert.ok(known.includes(value), `${typeName}.${name} has no value ${value}`);
        }
      }
    }
  });

  test('two areas cannot describe one message', () => {
    const area = { 'envoy.config.core.v3.Address': { implemented: [] } };
    assert.throws(() => mergeAreas([area, area]), /two support areas describe envoy\.config\.core\.v3\.Address/);
  });

  test('every field reachable from Bootstrap, set alone, is in exactly its class', () => {
    let fields = 0;
    for (const [type, { frame, refused }] of reachable()) {
      for (const field of type.fields) {
        for (const enumValue of enumSamples(field.enum)) {
          fields++;
          const problems = refusals(frame({ [field.name]: sample(field, enumValue) }));
          const verdict = fieldClass(field);
          const label = `${type.typeName}.${field.name}${enumValue === null ? '' : ` = ${enumValue}`}`;
          const works =
            (!refused && verdict.kind === 'no effect') ||
            (!refused &&
              verdict.kind === 'implemented' &&
              (verdict.values === null || verdict.values.includes(enumValue!)));
          if (works) {
            assert.deepEqual(problems, [], label);
          } else {
            const named = problems.some((one) => one.includes(field.name)) || (refused && problems.length > 0);
            assert.ok(named, `${label} must be refused by name, found ${JSON.stringify(problems)}`);
          }
        }
      }
    }
    assert.ok(fields > 1500, `${fields} fields were set`);
  });

  test('a default value is not refused', () => {
    const json = {
      static_resources: { clusters: [{ connection_pool_per_downstream_connection: false, filters: [] }] },
    };
    assert.deepEqual(refusals(json), []);
  });

  test('an extension type without an entry is refused by its name', () => {
    let refused = 0;
    for (const typeName of registry.typeNames()) {
      const type = registry.getMessage(typeName);
      if (type === undefined || !typeName.startsWith('envoy.extensions.') || supportTable().has(typeName)) continue;
      const json = {
        static_resources: { clusters: [{ transport_socket: { typed_config: { '@type': typeUrlOf(typeName) } } }] },
      };
      assert.ok(
        refusals(json).some((one) => one.includes(typeName)),
        typeName,
      );
      refused++;
    }
    assert.ok(refused > 100, `${refused} extension types`);
  });

  test('docs/compatibility.md is what the registry says', () => {
    const file = new URL('../../docs/compatibility.md', import.meta.url);
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    assert.ok(text === compatibilityDoc(), 'run gateway/config/compatibility-doc.ts --write');
  });
});

/** Names of the enum's values but its default; one null for fields that are no enum. */
function enumSamples(type: DescEnum | undefined): readonly (string | null)[] {
  return type === undefined ? [null] : type.values.filter((value) => value.number !== 0).map((value) => value.name);
}
