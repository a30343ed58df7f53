// Edits of a table: IPVS's identities, order, checks and errors.
import { describe, expect, test } from 'vitest';
import { parseAddress } from './address.ts';
import type { ErrorCode } from './error.ts';
import { type Destination, emptyTable, type ServiceIdentity, type Table } from './service.ts';
import {
  addDestination,
  addLocalAddress,
  addService,
  clearTable,
  deleteDestination,
  deleteLocalAddress,
  deleteService,
  destinationKey,
  type Edit,
  editDestination,
  editService,
  editTable,
  findService,
  requireService,
  serviceKey,
} from './table.ts';

const web = service('10.0.0.100', 80);
const dns = { ...service('10.0.0.100', 53), protocol: 'udp' } as const;
const mark: ServiceIdentity = { kind: 'mark', mark: 7, family: 4 };
const three = [
  addService({ identity: web, scheduler: 'rr' }),
  addDestination(web, destination('10.1.0.1')),
  addDestination(web, destination('10.1.0.2')),
  addDestination(web, destination('10.1.0.3')),
];

describe('a new destination', () => {
  test('comes first', () => {
    expect(keysOf(editTable(emptyTable, three))).toEqual(['10.1.0.3:80', '10.1.0.2:80', '10.1.0.1:80']);
  });

  test('comes first also in a table that was there before', () => {
    const before = editTable(emptyTable, three);
    const after = editTable(before, [addDestination(web, destination('10.1.0.4'))]);
    expect(keysOf(after)).toEqual(['10.1.0.4:80', ...keysOf(before)]);
    expect(keysOf(before)).toHaveLength(3);
  });

  test('keeps its place when it is edited, and is last in line when it is deleted and added again', () => {
    const edited = [...three, editDestination(web, { ...destination('10.1.0.2'), weight: 9, method: 'fullnat' })];
    const table = editTable(emptyTable, edited);
    expect(keysOf(table)).toEqual(['10.1.0.3:80', '10.1.0.2:80', '10.1.0.1:80']);
    expect(table.services[0]?.destinations[1]).toEqual({ ...destination('10.1.0.2'), weight: 9, method: 'fullnat' });
    const again = [deleteDestination(web, destination('10.1.0.1')), addDestination(web, destination('10.1.0.1'))];
    expect(keysOf(editTable(table, again))).toEqual(['10.1.0.1:80', '10.1.0.3:80', '10.1.0.2:80']);
  });

  test('is another one at another port', () => {
    const table = editTable(emptyTable, [...three, addDestination(web, { ...destination('10.1.0.1'), port: 8080 })]);
    expect(keysOf(table)).toHaveLength(4);
  });
});

test('services stand in the order in which they were added, and are told apart by protocol, address, port and mark', () => {
  const identities = [
    web,
    dns,
    service('10.0.0.100', 0),
    service('fd00::1', 80),
    mark,
    { ...mark, family: 6 } as const,
  ];
  const table = editTable(
    emptyTable,
    identities.map((identity) => addService({ identity, scheduler: 'wlc' })),
  );
  expect(table.services.map((one) => serviceKey(one.identity))).toEqual(identities.map(serviceKey));
  expect(findService(table.services, dns)?.identity).toEqual(dns);
});

test('an edited service has another scheduler, the same place, the same destinations and local addresses', () => {
  const local = parseAddress('10.0.0.5');
  const before = editTable(emptyTable, [
    ...three,
    addLocalAddress(web, local),
    addService({ identity: dns, scheduler: 'rr' }),
  ]);
  const after = editTable(before, [editService({ identity: web, scheduler: 'sh' })]);
  expect(after.services[0]).toEqual({ ...before.services[0], scheduler: 'sh' });
  expect(after.services[1]).toEqual(before.services[1]);
});

test('clearing leaves nothing, and what follows in the same edit counts', () => {
  const table = editTable(emptyTable, [...three, clearTable(), addService({ identity: dns, scheduler: 'rr' })]);
  expect(table.services.map((one) => one.identity)).toEqual([dns]);
});

test('local addresses are added in order and deleted by value', () => {
  const [one, other] = [parseAddress('10.0.0.5'), parseAddress('10.0.0.6')];
  const both = editTable(emptyTable, [...three, addLocalAddress(web, one), addLocalAddress(web, other)]);
  expect(both.services[0]?.localAddresses).toEqual([one, other]);
  expect(editTable(both, [deleteLocalAddress(web, one)]).services[0]?.localAddresses).toEqual([other]);
});

describe('is refused:', () => {
  const refusals: [what: string, code: ErrorCode, ...edits: Edit[]][] = [
    ['a service that is there', 'service-exists', addService({ identity: web, scheduler: 'nosuch' })],
    ['a scheduler that there is not', 'scheduler-unknown', addService({ identity: dns, scheduler: 'nosuch' })],
    ['a port above 65535', 'out-of-range', addService({ identity: service('10.0.0.1', 65536), scheduler: 'rr' })],
    ['editing no service', 'service-missing', editService({ identity: dns, scheduler: 'nosuch' })],
    ['editing to no scheduler', 'scheduler-unknown', editService({ identity: web, scheduler: 'nosuch' })],
    ['deleting no service', 'service-missing', deleteService(dns)],
    ['deleting a service twice', 'service-missing', deleteService(web), deleteService(web)],
    ['requiring no service', 'service-missing', requireService(dns)],
    ['a destination of no service', 'service-undefined', addDestination(dns, destination('10.1.0.1'))],
    ['editing a destination of no service', 'service-undefined', editDestination(dns, destination('10.1.0.1'))],
    ['deleting a destination of no service', 'service-undefined', deleteDestination(dns, destination('10.1.0.1'))],
    ['a destination that is there', 'destination-exists', addDestination(web, destination('10.1.0.1'))],
    ['editing no destination', 'destination-missing', editDestination(web, destination('10.1.0.9'))],
    ['deleting no destination', 'destination-missing', deleteDestination(web, destination('10.1.0.9'))],
    ['a negative weight', 'out-of-range', addDestination(web, { ...destination('10.1.0.9'), weight: -1 })],
    [
      'a weight above 2147483647',
      'out-of-range',
      editDestination(web, { ...destination('10.1.0.1'), weight: 2 ** 31 }),
    ],
    ['a real server 0.0.0.0', 'address-unusable', addDestination(web, destination('0.0.0.0'))],
    ['a multicast real server', 'address-unusable', addDestination(web, destination('224.0.0.5'))],
    ['a real server at a broadcast address', 'address-unusable', addDestination(web, destination('10.1.0.255'))],
    ['another family without a tunnel', 'address-unusable', addDestination(web, destination('fd00::1'))],
    ['a local address of no service', 'service-undefined', addLocalAddress(dns, parseAddress('10.0.0.5'))],
    ['a multicast local address', 'address-unusable', addLocalAddress(web, parseAddress('224.0.0.1'))],
    ['deleting no local address', 'local-address-missing', deleteLocalAddress(web, parseAddress('10.0.0.5'))],
    [
      'a local address twice',
      'local-address-exists',
      addLocalAddress(web, parseAddress('10.0.0.5')),
      addLocalAddress(web, parseAddress('10.0.0.5')),
    ],
  ];

  test.each(refusals)('%s (%s)', (...[_what, code, ...edits]) => {
    const broadcasts = [parseAddress('10.1.0.255')];
    expect(() => editTable(emptyTable, [...three, ...edits], broadcasts)).toThrow(expect.objectContaining({ code }));
  });
});

test.each(['tunnel', 'fullnat'] as const)('%s takes a real server of the other family', (method) => {
  const table = editTable(emptyTable, [...three, addDestination(web, { ...destination('fd00::1'), method })]);
  expect(keysOf(table)[0]).toBe('[fd00::1]:80');
});

test('100,000 edits take a moment, not minutes', () => {
  const edits = Array.from({ length: 1000 }, (_, at) => service('10.0.0.1', at + 1)).flatMap((identity) => [
    addService({ identity, scheduler: 'rr' }),
    ...Array.from({ length: 99 }, (_, at) => addDestination(identity, destination(`10.1.0.${at + 1}`))),
  ]);
  const begin = performance.now();
  expect(editTable(emptyTable, edits).services).toHaveLength(1000);
  expect(performance.now() - begin).toBeLessThan(5000);
});

function service(vip: string, port: number) {
  return { kind: 'address', protocol: 'tcp', vip: parseAddress(vip), port } as const;
}

function destination(rip: string): Destination {
  return { rip: parseAddress(rip), port: 80, method: 'masq', weight: 1 };
}

function keysOf(table: Table): readonly string[] {
  return table.services[0]?.destinations.map(destinationKey) ?? [];
}
