import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import grpc from '@grpc/grpc-js';
import { startService } from '../support/start-service.ts';

/** Octets of a field with a length. */
function field(number: number, value: Uint8Array | string): Uint8Array {
  const octets = Buffer.from(value);
  assert.ok(octets.length < 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, octets.length]), octets]);
}

/** Fields with a length of a message, by number. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = message[at++]!;
      value |= (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  };
  let at = 0;
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), Buffer.from([varint()])]);
      continue;
    }
    assert.equal(tag & 7, 2);
    const length = varint();
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), message.subarray(at, at + length)]);
    at += length;
  }
  return fields;
}

const text = (octets: Uint8Array | undefined): string => Buffer.from(octets ?? []).toString();

/** A client that knows the messages from their octets only. */
class ReflectionClient {
  readonly #client: grpc.Client;
  constructor(port: number) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  /** Asks all on one stream; answers the response messages, or the error. */
  async ask(version: string, ...questions: readonly Uint8Array[]): Promise<Map<number, Uint8Array[]>[]> {
    const pass = (octets: Buffer): Buffer => octets;
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const call = this.#client.makeBidiStreamRequest(path, pass, pass);
    const answers: Map<number, Uint8Array[]>[] = [];
    return await new Promise((resolve, reject) => {
      call.on('data', (message: Buffer) => answers.push(fieldsOf(message)));
      call.on('error', reject);
      call.on('end', () => resolve(answers));
      for (const question of questions) call.write(Buffer.from(question));
      call.end();
    });
  }

  close(): void {
    this.#client.close();
  }
}

function files(answer: Map<number, Uint8Array[]>): FileDescriptorProto[] {
  return fieldsOf(answer.get(4)![0]!)
    .get(1)!
    .map((octets) => fromBinary(FileDescriptorProtoSchema, octets));
}

async function withService(
  env: Readonly<Record<string, string>>,
  work: (client: ReflectionClient) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-reflection-'));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(join(directory, 'rl', 'config', 'a.yaml'), 'domain: d\n');
  const { service } = await startService({ RUNTIME_ROOT: directory, RUNTIME_SUBDIRECTORY: 'rl', ...env });
  const client = new ReflectionClient(service.grpcPort);
  try {
    await work(client);
  } finally {
    client.close();
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const version of ['v1', 'v1alpha']) {
  test(`grpc.reflection.${version}: services, files by name, symbol and extension`, async () => {
    await withService({}, async (client) => {
      const [list] = await client.ask(version, field(7, '*'));
      assert.deepEqual(
        fieldsOf(list!.get(6)![0]!)
          .get(1)!
          .map((service) => text(fieldsOf(service).get(1)![0])),
        [
          'envoy.service.rate_limit_quota.v3.RateLimitQuotaService',
          'envoy.service.ratelimit.v3.RateLimitService',
          'grpc.health.v1.Health',
          'grpc.reflection.v1.ServerReflection',
          'grpc.reflection.v1alpha.ServerReflection',
        ],
      );

      const symbols: readonly (readonly [symbol: string, file: string])[] = [
        ['envoy.service.ratelimit.v3.RateLimitService', 'envoy/service/ratelimit/v3/rls.proto'],
        ['envoy.service.ratelimit.v3.RateLimitService.ShouldRateLimit', 'envoy/service/ratelimit/v3/rls.proto'],
        ['envoy.service.ratelimit.v3.RateLimitResponse.RateLimit.Unit', 'envoy/service/ratelimit/v3/rls.proto'],
        ['envoy.service.ratelimit.v3.RateLimitRequest.domain', 'envoy/service/ratelimit/v3/rls.proto'],
        ['google.protobuf.Duration', 'google/protobuf/duration.proto'],
        [`grpc.reflection.${version}.ErrorResponse`, `grpc/reflection/${version}/reflection.proto`],
      ];
      const answers = await client.ask(version, ...symbols.map(([symbol]) => field(4, symbol)));
      const got = new Map<string, FileDescriptorProto>();
      answers.forEach((answer, i) => {
        const [first, ...imports] = files(answer);
        assert.equal(first!.name, symbols[i]![1]);
        // What this stream was told already does not come again.
        for (const { name } of imports) assert.ok(!got.has(name), name);
        for (const file of [first!, ...imports]) got.set(file.name, file);
      });
      // The files go together: a client can link them.
      const registry = createFileRegistry(
        fromBinary(
          FileDescriptorSetSchema,
          toBinary(FileDescriptorSetSchema, {
            $typeName: 'google.protobuf.FileDescriptorSet',
            file: sorted([...got.values()]),
          }),
        ),
      );
      assert.equal(registry.getService('envoy.service.ratelimit.v3.RateLimitService')!.methods.length, 1);

      const [byName, byExtension, numbers] = await client.ask(
        version,
        field(3, 'grpc/health/v1/health.proto'),
        field(5, Buffer.concat([field(1, 'google.protobuf.FieldOptions'), Buffer.from([0x10, 0xaf, 0x08])])),
        field(6, 'google.protobuf.FieldOptions'),
      );
      assert.deepEqual(
        files(byName!).map(({ name }) => name),
        ['grpc/health/v1/health.proto'],
      );
      assert.equal(files(byExtension!)[0]!.name, 'validate/validate.proto'); // validate.rules is 1071
      assert.equal(text(fieldsOf(numbers!.get(5)![0]!).get(1)![0]), 'google.protobuf.FieldOptions');
    });
  });
}

test('what there is not is told as an error, and the stream goes on', async () => {
  await withService({}, async (client) => {
    const answers = await client.ask(
      'v1',
      field(3, 'no/such.proto'),
      field(4, 'envoy.service.ratelimit.v3.NoSuch'),
      field(6, 'no.Such'),
      Buffer.concat([field(1, 'a-host'), field(7, '')]),
    );
    for (const answer of answers.slice(0, 3)) {
      const error = fieldsOf(answer.get(7)![0]!);
      assert.equal(error.get(1)![0]![0], 5);
      assert.match(text(error.get(2)![0]), /^there is no /);
    }
    assert.equal(text(answers[3]!.get(1)![0]), 'a-host');
    assert.equal(text(fieldsOf(answers[3]!.get(2)![0]!).get(1)![0]), 'a-host');
    await assert.rejects(client.ask('v1', Buffer.from([0xff])), /13 INTERNAL: malformed/);
    await assert.rejects(client.ask('v1', field(1, 'only a host')), /3 INVALID_ARGUMENT/);
  });
});

test('GRPC_REFLECTION=false: there is no such service', async () => {
  await withService({ GRPC_REFLECTION: 'false' }, async (client) => {
    await assert.rejects(client.ask('v1', field(7, '*')), /12 UNIMPLEMENTED/);
  });
});

/** Imports before those that import them. */
function sorted(all: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const done = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto): void => {
    if (done.has(file)) return;
    for (const name of file.dependency) add(all.find((each) => each.name === name)!);
    done.add(file);
  };
  for (const file of all) add(file);
  return [...done];
}
