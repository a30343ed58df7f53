// Mark rules in iptables' words: what they say, what is refused, and that what is printed is read as it was.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatRule, type MarkRule, markProtocols, prefixMask } from './mark.ts';
import { readRule } from './mark-words.ts';

const read = (text: string): string => formatRule(readRule(text.split(' ')));

test.each([
  [
    '-p tcp -d 192.0.2.10 --dports 80,443 -i eth0 -s 10.0.0.0/8 --set-mark 7',
    '-p tcp -s 10.0.0.0/8 -d 192.0.2.10 -i eth0 --dports 80,443 --set-mark 7',
  ],
  ['--protocol udp --destination-port 1000:2000 -j MARK --set-mark 0x10', '-p udp --dport 1000:2000 --set-mark 16'],
  ['-p 6 -m tcp --sport :1023 -j MARK --set-xmark 0x7/0xffffffff', '-p tcp --sport 0:1023 --set-mark 7'],
  ['-p sctp --dport 1024: --set-mark 010', '-p sctp --dport 1024:65535 --set-mark 8'],
  ['-p ESP --set-mark 1/0xf0', '-p esp --set-xmark 0x1/0xf1'],
  ['-p ipv6-auth -6 --set-xmark 1/0xf0', '-6 -p ah --set-xmark 0x1/0xf0'],
  ['-p all --and-mark 0xf', '--set-xmark 0x0/0xfffffff0'],
  ['--or-mark 4', '--set-xmark 0x4/0x4'],
  ['--xor-mark 4', '--set-xmark 0x4/0x0'],
  ['! -s 10.1.2.3/255.255.0.0 ! -d fd00::1 --set-mark 1', 'a packet has addresses of one family'],
  ['! -s 10.1.2.3/255.255.0.0 --set-mark 1', '! -s 10.1.0.0/16 --set-mark 1'],
  ['-s 10.1.2.3/255.0.255.0 --set-mark 1', '-s 10.0.2.0/255.0.255.0 --set-mark 1'],
  ['-d fd00:a::100/64 --set-mark 1', '-d fd00:a::/64 --set-mark 1'],
  ['-s 0.0.0.0/0 --set-mark 1', '-4 --set-mark 1'],
  ['-s ::/0 -i eth+ --set-mark 1', '-6 -i eth+ --set-mark 1'],
  ['-m mark ! --mark 0x4/0xf -j RETURN', '! --mark 0x4/0xf -j ACCEPT'],
  ['--mark=7 --set-mark=9 -j ACCEPT', '--mark 7 --set-mark 9 -j ACCEPT'],
  ['-p icmp --set-mark 1', 'no service schedules the protocol "icmp" by its mark'],
  ['--dport 80 --set-mark 1', 'ports need -p tcp, udp or sctp'],
  ['! -p tcp --dport 80 --set-mark 1', 'ports need -p tcp, udp or sctp'],
  ['-p esp --dport 80 --set-mark 1', 'ports need -p tcp, udp or sctp'],
  ['-p tcp --dport 80:79 --set-mark 1', 'expected ports from low to high, got "80:79"'],
  ['-p tcp --dport http --set-mark 1', 'expected a port from 0 to 65535, or FIRST:LAST, got "http"'],
  ['-p tcp --dport 65536 --set-mark 1', 'expected a port from 0 to 65535, or FIRST:LAST, got "65536"'],
  [
    '-p tcp --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 --set-mark 1',
    'a rule takes up to 15 ports or ranges of ports',
  ],
  ['-p tcp --dport 1 --dports 2 --set-mark 1', 'a rule has one --dports'],
  ['-s 10.0.0.1,10.0.0.2 --set-mark 1', 'expected an address or ADDRESS/PREFIX, got "10.0.0.1,10.0.0.2"'],
  ['-s 10.0.0.1/33 --set-mark 1', 'expected a prefix from 0 to 32 or a mask, got "10.0.0.1/33"'],
  ['-4 -s fd00::1 --set-mark 1', 'a packet has addresses of one family'],
  ['! -i eth+ --set-mark 1', '! -i with a name that ends in + is not supported'],
  ['-i sixteencharacter --set-mark 1', 'expected the name of an interface, got "sixteencharacter"'],
  ['-o eth0 --set-mark 1', 'the option "-o" is not supported'],
  ['-m conntrack --ctstate NEW --set-mark 1', 'the match "conntrack" is not supported'],
  ['-p tcp -j DROP', 'the target DROP is not supported'],
  ['-p tcp', 'the rule does nothing: --set-mark or -j ACCEPT is missing'],
  ['--set-mark 1 --set-mark 2', 'a rule has one change of the mark'],
  ['--set-mark 4294967296', 'expected a mark from 0 to 4294967295, got "4294967296"'],
  ['--set-mark -1', 'expected a mark from 0 to 4294967295, got "-1"'],
  ['--set-mark 1/2/3', 'expected VALUE or VALUE/MASK, got "1/2/3"'],
  ['! --set-mark 1', '--set-mark may not come after !'],
  ['-p', '-p needs a value'],
  ['-s ! 10.0.0.1 --set-mark 1', '-s needs a value: ! comes before it'],
  ['tcp --set-mark 1', 'the option "tcp" is not supported'],
])('%s', (words, expected) => {
  let said: string;
  try {
    said = read(words);
  } catch (error) {
    said = error instanceof Error ? error.message : String(error);
  }
  expect(said).toBe(expected);
});

test('what is printed is read as it was', () => {
  fc.assert(
    fc.property(anyRule(), (rule) => {
      expect(readRule(formatRule(rule).split(' '))).toEqual(rule);
    }),
  );
});

function anyRule(): fc.Arbitrary<MarkRule> {
  return fc.constantFrom(4 as const, 6 as const).chain((family) => {
    const count = family === 4 ? 4 : 16;
    const isNot = fc.boolean();
    const range = fc
      .record({
        bytes: fc.array(fc.nat(255), { minLength: count, maxLength: count }),
        length: fc.integer({ min: 1, max: count * 8 }),
        isNot,
      })
      .map(({ bytes, length, isNot: not }) => {
        const mask = prefixMask(family, length);
        return { address: { family, bytes: bytes.map((byte, at) => byte & (mask.bytes[at] ?? 0)) }, mask, isNot: not };
      });
    const port = fc.nat(65535);
    const ports = fc.record({
      ranges: fc.array(
        fc.tuple(port, port).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
        { minLength: 1, maxLength: 15 },
      ),
      isNot,
    });
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const change = fc.record({ value: word, mask: word });
    return fc
      .record(
        {
          family: fc.constant(family),
          protocol: fc.record({ name: fc.constantFrom(...markProtocols), isNot }),
          source: range,
          target: range,
          interface: fc.record({ name: fc.constantFrom('eth0', 'bond0.100'), isNot }),
          sourcePorts: ports,
          targetPorts: ports,
          mark: change.chain((one) => isNot.map((not) => ({ ...one, isNot: not }))),
          set: change,
          isLast: fc.boolean(),
        },
        { requiredKeys: ['family', 'isLast'] },
      )
      .filter(({ set, isLast }) => set !== undefined || isLast)
      .map(({ sourcePorts, targetPorts, ...rule }): MarkRule => {
        const hasPorts = rule.protocol !== undefined && !rule.protocol.isNot && !/esp|ah/.test(rule.protocol.name);
        return {
          ...rule,
          ...(hasPorts && sourcePorts && { sourcePorts }),
          ...(hasPorts && targetPorts && { targetPorts }),
        } as MarkRule;
      });
  });
}
