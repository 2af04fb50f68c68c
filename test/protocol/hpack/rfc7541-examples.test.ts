import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder } from '#gateway/protocol/hpack/decoder.ts';

/** The worked examples of RFC 7541 appendix C: block by block on one connection, and the table size after each. */
interface Example {
  readonly name: string;
  readonly tableOctets: number;
  readonly blocks: readonly { readonly hex: string; readonly fields: readonly string[]; readonly octets: number }[];
}

const request1 = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const request2 = [...request1, 'cache-control: no-cache'];
const request3 = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const date1 = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const date2 = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const location = 'location: https://www.example.com';
const response1 = [':status: 302', 'cache-control: private', date1, location];
const response2 = [':status: 307', 'cache-control: private', date1, location];
const response3 = [
  ':status: 200',
  'cache-control: private',
  date2,
  location,
  'content-encoding: gzip',
  'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
];

const examples: readonly Example[] = [
  {
    name: 'C.2.1 literal with indexing',
    tableOctets: 4096,
    blocks: [
      {
        hex: '400a637573746f6d2d6b65790d637573746f6d2d686561646572',
        fields: ['custom-key: custom-header'],
        octets: 55,
      },
    ],
  },
  {
    name: 'C.2.2 literal without indexing',
    tableOctets: 4096,
    blocks: [{ hex: '040c2f73616d706c652f70617468', fields: [':path: /sample/path'], octets: 0 }],
  },
  {
    name: 'C.2.3 literal never indexed',
    tableOctets: 4096,
    blocks: [{ hex: '100870617373776f726406736563726574', fields: ['password: secret'], octets: 0 }],
  },
  { name: 'C.2.4 indexed', tableOctets: 4096, blocks: [{ hex: '82', fields: [':method: GET'], octets: 0 }] },
  {
    name: 'C.3 requests without Huffman code',
    tableOctets: 4096,
    blocks: [
      { hex: '828684410f7777772e6578616d706c652e636f6d', fields: request1, octets: 57 },
      { hex: '828684be58086e6f2d6361636865', fields: request2, octets: 110 },
      {
        hex: '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
        fields: request3,
        octets: 164,
      },
    ],
  },
  {
    name: 'C.4 requests with Huffman code',
    tableOctets: 4096,
    blocks: [
      { hex: '828684418cf1e3c2e5f23a6ba0ab90f4ff', fields: request1, octets: 57 },
      { hex: '828684be5886a8eb10649cbf', fields: request2, octets: 110 },
      { hex: '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', fields: request3, octets: 164 },
    ],
  },
  {
    name: 'C.5 responses without Huffman code, with eviction',
    tableOctets: 256,
    blocks: [
      {
        hex:
          '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54' +
          '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
        fields: response1,
        octets: 222,
      },
      { hex: '4803333037c1c0bf', fields: response2, octets: 222 },
      {
        hex:
          '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d41' +
          '53444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b207665727369' +
          '6f6e3d31',
        fields: response3,
        octets: 215,
      },
    ],
  },
  {
    name: 'C.6 responses with Huffman code, with eviction',
    tableOctets: 256,
    blocks: [
      {
        hex:
          '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff' +
          '6e919d29ad171863c78f0b97c8e9ae82ae43d3',
        fields: response1,
        octets: 222,
      },
      { hex: '4883640effc1c0bf', fields: response2, octets: 222 },
      {
        hex:
          '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b' +
          '3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
        fields: response3,
        octets: 215,
      },
    ],
  },
];

for (const { name, tableOctets, blocks } of examples) {
  test(`RFC 7541 ${name}, whole`, () => {
    const decoder = new HpackDecoder(tableOctets);
    for (const { hex, fields, octets } of blocks) {
      const bytes = Buffer.from(hex, 'hex');
      const seen: string[] = [];
      decoder.beginBlock();
      const sink = { onField: (name: string, value: string) => void seen.push(`${name}: ${value}`) };
      assert.equal(decoder.decode(bytes, 0, bytes.length, sink), 0);
      assert.deepEqual(seen, fields);
      assert.equal(decoder.tableOctets, octets);
    }
  });

  test(`RFC 7541 ${name}, octet by octet`, () => {
    const decoder = new HpackDecoder(tableOctets);
    for (const { hex, fields, octets } of blocks) {
      const bytes = Buffer.from(hex, 'hex');
      const seen: string[] = [];
      decoder.beginBlock();
      const sink = { onField: (name: string, value: string) => void seen.push(`${name}: ${value}`) };
      let done = 0;
      for (let end = 1; end <= bytes.length; end++) {
        const status = decoder.decode(bytes, done, end, sink);
        assert.ok(status === 0 || status === 1);
        done = decoder.at;
      }
      assert.equal(done, bytes.length);
      assert.deepEqual(seen, fields);
      assert.equal(decoder.tableOctets, octets);
    }
  });
}
