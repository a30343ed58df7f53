// Destinations that can't work are told of before they are there, and none that can.
import { expect, test } from 'vitest';
import { parseAddress } from '../model/address.ts';
import type { Method } from '../model/service.ts';
import { advise } from './advice.ts';

const near = '10.0.0.11';
const far = '192.0.2.14';
const lost = '198.18.0.1';
const routes = new Map([
  [near, {}],
  [far, { gateway: '10.0.0.1' }],
]);

test.each<[Method, string, number | undefined, number, readonly string[]]>([
  ['gate', near, undefined, 80, []],
  ['gate', near, 80, 80, []],
  ['gate', near, 8080, 80, ["gate can't map ports: packets come to 10.0.0.11 for port 80, not 8080"]],
  ['tunnel', far, 8080, 80, ["tunnel can't map ports"]],
  ['gate', near, 8080, 0, []],
  ['masq', near, 8080, 80, []],
  ['gate', far, 80, 80, ['192.0.2.14 is not in a network of this director: gate would give']],
  ['masq', far, 80, 80, ['192.0.2.14 is not in a network of this director: masq needs']],
  ['tunnel', far, 80, 80, []],
  ['fullnat', far, 8080, 80, []],
  ['fullnat', lost, 8080, 80, ['there is no route from here to 198.18.0.1']],
  ['gate', lost, 80, 80, ['there is no route from here to 198.18.0.1']],
])('%s to %s, port %s, for a service at %i', (method, rip, port, servicePort, expected) => {
  const told = advise({ method, rip: parseAddress(rip), port, servicePort }, (address) => routes.get(address));
  expect(told).toEqual(expected.map((text) => expect.stringContaining(text)));
});
