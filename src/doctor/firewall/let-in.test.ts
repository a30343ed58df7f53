// What lets traffic in says whose it is, and stands before what drops it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { letIn, letQuestionsIn } from './let-in.ts';

const web = { address: '203.0.113.100', ports: [80], isReply: false };

test.each([
  [
    { place: 'inet f in', before: 7 },
    web,
    "nft 'insert rule inet f in position 7 ip daddr 203.0.113.100 tcp dport { 80 } accept'",
  ],
  [
    { place: 'inet f in', before: undefined },
    { ...web, ports: [80, 443], client: '10.0.0.1' },
    "nft 'add rule inet f in ip saddr 10.0.0.1 ip daddr 203.0.113.100 tcp dport { 80, 443 } accept'",
  ],
  [
    { place: 'ip6 f out', before: 3 },
    { address: '2001:db8::1', ports: [80], isReply: true },
    "nft 'insert rule ip6 f out position 3 ip6 saddr 2001:db8::1 tcp sport { 80 } accept'",
  ],
  [
    { place: 'iptables filter INPUT', before: 4 },
    web,
    'iptables -t filter -I INPUT 4 -d 203.0.113.100 -p tcp --dport 80 -j ACCEPT',
  ],
  [
    { place: 'iptables filter OUTPUT', before: undefined },
    { ...web, ports: [80, 443], client: '10.0.0.1', isReply: true },
    'iptables -t filter -A OUTPUT -d 10.0.0.1 -s 203.0.113.100 -p tcp -m multiport --sports 80,443 -j ACCEPT',
  ],
])('%j: %j', (spot, traffic, command) => {
  expect(letIn(spot, traffic)).toBe(command);
});

test('iptables takes no more than fifteen ports at once, and each of them is let in once', () => {
  const place = 'ip6tables-legacy filter INPUT';
  const many = fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(many, (ports) => {
      const commands = letIn({ place, before: 2 }, { address: '2001:db8::1', ports, isReply: false }).split(' && ');
      const named = commands.map((one) => (/--dports? (\S+)/.exec(one)?.[1] ?? '').split(',').map(Number));
      expect(commands.every((one) => one.startsWith('ip6tables-legacy -t filter -I INPUT 2 '))).toBe(true);
      expect(named.every(({ length }) => length <= 15)).toBe(true);
      expect(named.flat()).toEqual(ports);
    }),
  );
});

test('who asks for a VIP is let in', () => {
  expect(letQuestionsIn({ place: 'arp f in', before: 2 }, '203.0.113.100')).toBe(
    "nft 'insert rule arp f in position 2 arp operation request accept'",
  );
  expect(letQuestionsIn({ place: 'ip6tables filter INPUT', before: undefined }, '2001:db8::1')).toBe(
    [
      'ip6tables -t filter -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT',
      'ip6tables -t filter -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT',
    ].join(' && '),
  );
});
