// What apply says of that which is declared and not done.
import { expect, test } from 'vitest';
import { parseConfig } from '../../../config/load.ts';
import { notHeeded } from './apply.ts';

test('connections of destinations that go are kept, whatever is declared', () => {
  const declared = parseConfig(
    Buffer.from("services: [{tcp: '192.0.2.10:80', on_remove: reset}, {udp: '192.0.2.10:53'}]"),
    'web.yaml',
  );
  expect(notHeeded(declared)).toEqual([
    'tcp 192.0.2.10:80: on_remove: reset is not done by this version: connections are kept, as by IPVS',
  ]);
});
