// Names of ports and addresses, as services(5) and hosts(5) give them, and this host's own.
import { expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../model/address.ts';
import { openHost, parseHosts, parseServices } from './host.ts';

test('a port has the first name that is given for it, a name the first port, aliases included', () => {
  const { ports, names } = parseServices(
    '# comment\nhttp 80/tcp www # web\nhttp\t80/udp\nwww 81/tcp\nweb 80/tcp\nbroken\n\n',
  );
  expect(Object.fromEntries(names)).toEqual({ '80/tcp': 'http', '80/udp': 'http', '81/tcp': 'www' });
  expect(Object.fromEntries(ports)).toEqual({ 'http/tcp': 80, 'www/tcp': 80, 'http/udp': 80, 'web/tcp': 80 });
});

test('an address has the first name that is given for it', () => {
  const names = parseHosts(
    '127.0.0.1\tlocalhost\n127.0.0.1 other\n# 10.0.0.1 no\n::1 ip6-localhost ip6-loopback\nbroken line\n',
  );
  expect(Object.fromEntries(names)).toEqual({ '127.0.0.1': 'localhost', '::1': 'ip6-localhost' });
});

test('names of this host are found without a name server', async () => {
  const host = openHost();
  expect(await host.addressOf('localhost')).toEqual(parseAddress('127.0.0.1'));
  expect((await host.namesOf([parseAddress('127.0.0.1')])).get('127.0.0.1')).toBeTruthy();
});

test('the last address of a subnet of this host is a broadcast address, a loopback network included', async () => {
  expect((await openHost().broadcasts()).map(formatAddress)).toContain('127.255.255.255');
});

test("this host's addresses are known, those of loopback included", async () => {
  expect((await openHost().addresses()).map(formatAddress)).toContain('127.0.0.1');
});
