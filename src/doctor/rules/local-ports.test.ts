// When fullnat's local ports are nearly used up: of each address, towards each real server, and what more addresses change.
import { expect, test } from 'vitest';
import type { Status } from '../../dataplane/status.ts';
import { parseAddress } from '../../model/address.ts';
import type { Connection, InstalledService } from '../../model/director.ts';
import type { Ward } from '../ward.ts';
import { localPorts } from './local-ports.ts';

const each = 10;
const endpoint = (address: string, port: number): Connection['client'] => ({ address: parseAddress(address), port });

function service(localAddresses: readonly string[]): InstalledService {
  const identity = { kind: 'address', protocol: 'tcp', vip: parseAddress('192.0.2.10'), port: 80 } as const;
  return {
    identity,
    localAddresses: localAddresses.map(parseAddress),
    destinations: [],
  } as unknown as InstalledService;
}

function connections(count: number, local: string, real = '10.0.0.1'): readonly Connection[] {
  return Array.from({ length: count }, (_, index) => ({
    ...({ protocol: 'tcp', state: 'ESTABLISHED', expiresInS: 1, method: 'fullnat' } as const),
    client: endpoint('198.51.100.1', 4000 + index),
    virtual: endpoint('192.0.2.10', 80),
    local: endpoint(local, 2000 + index),
    destination: endpoint(real, 8080),
  }));
}

function told(services: readonly InstalledService[], open: readonly Connection[]): readonly (readonly string[])[] {
  const status = { localPorts: each } as Status;
  const ward = { director: { status, services, connections: open } } as unknown as Ward;
  return localPorts(ward).map(({ evidence, mend }) => [evidence, mend.command]);
}

test('nine in ten of the ports of the address on the way', () => {
  expect(told([service([])], connections(8, '10.0.0.254'))).toEqual([]);
  expect(told([service([])], connections(9, '10.0.0.254'))).toEqual([
    [
      '9 connections, 10 ports an address',
      'ipvsadm --add-laddr -z 10.0.0.254 -t 192.0.2.10:80 && ipvsadm --add-laddr -z 192.0.2.10 -t 192.0.2.10:80',
    ],
  ]);
});

test('towards one real server: another one has them all', () => {
  const open = [...connections(5, '10.0.0.254'), ...connections(5, '10.0.0.254', '10.0.0.2')];
  expect(told([service([])], open)).toEqual([]);
});

test("of all of the service's own addresses, of which one more is asked for", () => {
  const both = [service(['10.0.0.254', '192.0.2.10'])];
  expect(told(both, connections(10, '10.0.0.254'))).toEqual([]);
  const open = [...connections(9, '10.0.0.254'), ...connections(9, '192.0.2.10')];
  expect(told(both, open)).toEqual([
    ['18 connections, 10 ports an address', 'ipvsadm --add-laddr -z ADDRESS -t 192.0.2.10:80'],
  ]);
});

test('other methods have none', () => {
  const open = connections(10, '10.0.0.254').map((one) => ({ ...one, method: 'masq' as const }));
  expect(told([service([])], open)).toEqual([]);
});
