import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { loadBootstrap } from '#gateway/config/load/load-message.ts';

// What Envoy 1.40 answered to these texts in its validate mode: taken, or refused.

const CLUSTER = 'static_resources:\n  clusters:\n  - name: a\n    connect_timeout: 1s\n';
const JSON_CLUSTER = (more: string): string =>
  `{"static_resources":{"clusters":[{"name":"a","connect_timeout":"1s"${more}}]}}`;
const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const options = (value: string): string => `${CLUSTER}    typed_extension_protocol_options: {${OPTIONS}: ${value}}\n`;

function problems(text: string, name = 'a.yaml'): readonly string[] {
  const loaded = loadBootstrap(text, name, { checks: { rules: true, support: false } });
  return loaded.diagnostics.errors.map(formatDiagnostic);
}

const yamlTaken: Readonly<Record<string, string>> = {
  'an enum value in lower case': `${CLUSTER}    type: strict_dns\n`,
  'an enum value in mixed case': `${CLUSTER}    type: Strict_Dns\n`,
  'an enum value by its number': `${CLUSTER}    type: 1\n`,
  'an enum value by its number in quotes': `${CLUSTER}    type: "1"\n`,
  'null for a message': `${CLUSTER}    circuit_breakers: null\n`,
  'null for a list': `${CLUSTER}    health_checks: ~\n`,
  'nothing for a scalar': `${CLUSTER}    alt_stat_name:\n`,
  'null for an enum': `${CLUSTER}    type: null\n`,
  'null beside the member of a oneof': `${CLUSTER}    type: STATIC\n    cluster_type: null\n`,
  'one mapping for a list': `${CLUSTER}    health_checks: {timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}\n`,
  'a number in quotes': `${CLUSTER}    per_connection_buffer_limit_bytes: "100"\n`,
  'a whole number with a fraction of nothing': `${CLUSTER}    per_connection_buffer_limit_bytes: 1.0\n`,
  'a whole number with an exponent': `${CLUSTER}    per_connection_buffer_limit_bytes: 1e3\n`,
  'a hexadecimal number': `${CLUSTER}    per_connection_buffer_limit_bytes: 0x10\n`,
  'an octal number': `${CLUSTER}    per_connection_buffer_limit_bytes: 010\n`,
  'a fraction for a string': `${CLUSTER}    alt_stat_name: 1.50\n`,
  'a date for a string': `${CLUSTER}    alt_stat_name: 2020-01-01\n`,
  'a number too large for 32 bits for a string': `${CLUSTER}    alt_stat_name: 99999999999999999999\n`,
  'a boolean in quotes': `${CLUSTER}    respect_dns_ttl: "true"\n`,
  'yes for a boolean': `${CLUSTER}    respect_dns_ttl: yes\n`,
  'a capital boolean': `${CLUSTER}    respect_dns_ttl: True\n`,
  'names in camelCase': CLUSTER.replace('connect_timeout', 'connectTimeout'),
  'a duration as a mapping': CLUSTER.replace('1s', '{seconds: 1}'),
  'a duration with a fraction': CLUSTER.replace('1s', '0.25s'),
  'a wrapper as a mapping': `${CLUSTER}    per_connection_buffer_limit_bytes: {value: 100}\n`,
  'an alias': `${CLUSTER}    metadata: {filter_metadata: {a: &m {x: 1}, b: *m}}\n`,
  'two documents, of which the first counts': `${CLUSTER}---\nnode: {id: x}\n`,
  'a number as the key of a map': 'node: {id: a, cluster: b, metadata: {1: x}}\n',
  'a type URL with another host': options(
    `{"@type": foo/${OPTIONS}, explicit_http_config: {http2_protocol_options: {}}}`,
  ),
  'a TypedStruct': options(
    `{"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/${OPTIONS}, value: {explicit_http_config: {http2_protocol_options: {}}}}`,
  ),
  'a type that differs from the name': `${CLUSTER}    transport_socket: {name: whatever, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}\n`,
};

const jsonTaken: Readonly<Record<string, string>> = {
  'a comma before a closing bracket': JSON_CLUSTER(','),
  'single quotes': JSON_CLUSTER(",'alt_stat_name':'x'"),
  'yes in quotes for a boolean': JSON_CLUSTER(',"respect_dns_ttl":"yes"'),
  'a whole number with a point': JSON_CLUSTER(',"per_connection_buffer_limit_bytes":1.0'),
  'null for a map': JSON_CLUSTER(',"typed_extension_protocol_options":null'),
  'an escaped zero character': JSON_CLUSTER(',"alt_stat_name":"\\u0000"'),
};

const yamlRefused: Readonly<Record<string, readonly [text: string, problem: RegExp]>> = {
  'an unknown enum value': [`${CLUSTER}    type: STRICTDNS\n`, /clusters\[0\]\.type: "STRICTDNS" is not a value/],
  'an unknown enum number': [`${CLUSTER}    lb_policy: 77\n`, /lb_policy: 77 is not a value/],
  'null in a list of messages that require fields': [`${CLUSTER}    health_checks: [null]\n`, /timeout: is required/],
  'a number for a string': [`${CLUSTER}    alt_stat_name: 5\n`, /expected a string/],
  'a number for a boolean': [`${CLUSTER}    respect_dns_ttl: 1\n`, /expected true or false/],
  'a duration without unit': [CLUSTER.replace('1s', '1'), /expected a duration/],
  'a duration without whole seconds': [CLUSTER.replace('1s', '.5s'), /expected a duration/],
  'a duration with ten decimals': [CLUSTER.replace('1s', '0.1234567891s'), /expected a duration/],
  'a duration that must be positive': [CLUSTER.replace('1s', '0s'), /must be greater than 0s/],
  'a fraction for a whole number': [`${CLUSTER}    per_connection_buffer_limit_bytes: 1.5\n`, /whole number/],
  'a negative number': [`${CLUSTER}    per_connection_buffer_limit_bytes: -1\n`, /out of range/],
  'a number over 32 bits': [`${CLUSTER}    per_connection_buffer_limit_bytes: 5000000000\n`, /out of range/],
  'an underscore in a number': [
    `${CLUSTER}    per_connection_buffer_limit_bytes: 1_000\n`,
    /expected a number.*mean 1000/,
  ],
  'a space in a number': [`${CLUSTER}    per_connection_buffer_limit_bytes: " 1"\n`, /expected a number/],
  'an unknown field': [`${CLUSTER}    conect_timeout: 1s\n`, /no field "conect_timeout".*mean connect_timeout/],
  'an unknown type': [options('{"@type": type.googleapis.com/foo.Bar}'), /unknown type/],
  'a type URL without host': [options(`{"@type": ${OPTIONS}}`), /lacks its host/],
  'a field that the type lacks': [
    options(`{"@type": type.googleapis.com/${OPTIONS}, explicit: {}}`),
    /no field "explicit"/,
  ],
  'a field that the type in a TypedStruct lacks': [
    options(
      `{"@type": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/${OPTIONS}, value: {x_y: 1}}`,
    ),
    /no field "x_y"/,
  ],
  'fields without a type': [options('{foo: 1}'), /"@type" is missing/],
  'two members of a oneof': [
    `${CLUSTER}    type: STATIC\n    cluster_type: {name: x}\n`,
    /cannot be set together with type/,
  ],
  'a required name missing': [`${CLUSTER}    transport_socket: {}\n`, /transport_socket\.name: must not be empty/],
  'an empty file': ['', /the file is empty/],
  'a file of comments': ['# x\n', /the file is empty/],
  'a list at the top': ['- a\n', /expected a mapping \(Bootstrap\), found a list/],
  'a list for a message': [`${CLUSTER}    circuit_breakers: [{}]\n`, /expected a mapping \(CircuitBreakers\)/],
  'a number for a message': [`${CLUSTER}    circuit_breakers: 5\n`, /expected a mapping/],
  'a mapping for a string': [`${CLUSTER}    alt_stat_name: {}\n`, /expected a string, found a mapping/],
  'a list for a string': [`${CLUSTER}    alt_stat_name: [x]\n`, /expected a string, found a list/],
  'a tab in the indentation': [`${CLUSTER}\talt_stat_name: x\n`, /cannot be read as YAML: .*tab/i],
  'an alias inside its own anchor': ['node: &n {id: x, metadata: {a: *n}}\n', /stands inside the value it names/],
};

const jsonRefused: Readonly<Record<string, readonly [text: string, problem: RegExp]>> = {
  'a comment': [JSON_CLUSTER('/*x*/'), /cannot be read as JSON: expected , or \}/],
  'an empty number': [JSON_CLUSTER(',"per_connection_buffer_limit_bytes":""'), /expected a number/],
  'a boolean for an enum': [JSON_CLUSTER(',"type":true'), /expected one of STATIC/],
  'a space before an enum value': [JSON_CLUSTER(',"type":" STATIC"'), /not a value/],
  'a sign before a duration': [JSON_CLUSTER(',"cleanup_interval":"+1s"'), /expected a duration/],
  'a duration that is too long': [JSON_CLUSTER(',"cleanup_interval":"400000000000s"'), /out of range/],
  'an unclosed string': ['{"node', /closing quote/],
};

describe('what Envoy takes is taken', () => {
  for (const [name, text] of Object.entries(yamlTaken)) test(name, () => assert.deepEqual(problems(text), []));
  for (const [name, text] of Object.entries(jsonTaken)) {
    test(`${name} (JSON)`, () => assert.deepEqual(problems(text, 'a.json'), []));
  }
});

describe('what Envoy refuses is refused', () => {
  for (const [name, [text, problem]] of Object.entries(yamlRefused)) {
    test(name, () => assert.match(problems(text).join('\n'), problem));
  }
  for (const [name, [text, problem]] of Object.entries(jsonRefused)) {
    test(`${name} (JSON)`, () => assert.match(problems(text, 'a.json').join('\n'), problem));
  }
});
