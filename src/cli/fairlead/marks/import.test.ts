// What iptables 1.8.9 and nft 1.0.6 printed (test/fixtures/marks), imported; and what is refused in it, by name and line.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatRule } from '../../../model/mark.ts';
import { splitWords } from '../../../model/saved-words.ts';
import { readImport } from './import.ts';

function imported(name: string): readonly string[] {
  const text = readFileSync(new URL(`../../../../test/fixtures/marks/${name}.txt`, import.meta.url), 'utf8');
  return readImport(text, name).map(formatRule);
}

const fromIptables = [
  '-p tcp -d 10.0.0.100 --dports 80,443 --set-mark 7',
  '-p udp -s 10.0.0.0/8 ! -d 10.1.0.0/16 -i eth0 --dport 1000:2000 --set-xmark 0x10/0xf0',
  '-4 -p esp -i eth+ --set-xmark 0x4/0x4',
  '-4 ! --mark 0x4/0xf -j ACCEPT',
  '-4 -p sctp ! --sport 80 --set-xmark 0x0/0xfffffff0',
  '-4 -p ah --set-xmark 0xf/0x0',
  '-4 -p tcp ! --sports 1,2:3 -j ACCEPT',
  '-p tcp -d fd00::/64 ! --dports 80,1000:2000 --set-xmark 0x7/0xff',
];

test.each(['iptables-save', 'nft-of-iptables'])('%s tells the rules of iptables and ip6tables', (name) => {
  expect(imported(name)).toEqual(fromIptables);
});

test('nftables’ sets, ranges and chains become rules in the order in which packets meet them', () => {
  expect(imported('nft')).toEqual([
    '-4 -p esp --set-mark 16',
    '-p tcp -s 10.0.0.0/8 -d 10.0.0.100 -i eth0 --dports 80,443 --set-mark 7',
    '-p udp -d 10.0.0.100 -i lo --dport 1000:2000 --set-mark 8',
    '-p esp -d 10.0.0.100 -i eth0 --set-mark 3',
    '-p esp -d 10.0.0.100 -i eth1 --set-mark 3',
    '-p tcp -d fd00:a::100 -i eth+ --dport 53 --set-xmark 0x5/0xff',
    '-p udp -d fd00:a::100 -i eth+ --dport 53 --set-xmark 0x5/0xff',
    '-p tcp ! -s fd00::/8 ! --sport 80 --set-xmark 0x5/0x0 -j ACCEPT',
    '-p tcp -d 10.0.0.1 --dports 80,1000:2000 --set-xmark 0x10/0x10',
    '-p tcp -d 10.0.0.2/31 --dports 80,1000:2000 --set-xmark 0x10/0x10',
    '--mark 0x7/0xff -j ACCEPT',
    '--mark 7 -j ACCEPT',
    '! --mark 0 -j ACCEPT',
    '-p tcp -d 10.9.0.0/16 --set-mark 1',
    '-6 -p udp --dport 4500 --set-mark 2',
  ]);
});

test.each<readonly [string, readonly string[]]>([
  [
    'iptables-save-refused',
    [
      '10: the match "conntrack" is not supported: -A PREROUTING -p tcp -m conntrack --ctstate NEW',
      '11: the option "--tcp-flags" is not supported: -A PREROUTING -p tcp -m tcp --tcp-flags',
      '12: the target X is not supported: -A PREROUTING -p tcp -j X',
      '13: no service schedules the protocol "icmp" by its mark: -A PREROUTING -p icmp',
      '14: ! -i with a name that ends in + is not supported: -A PREROUTING ! -i eth+',
      "15: marks given in the mangle table's INPUT are not supported: -A INPUT",
    ],
  ],
  [
    'nft-refused',
    [
      '13: a verdict is not supported while the chain PREROUTING of the table mangle2 gives marks after it: tcp dport 80',
      '16: the policy drop is not supported: chain PREROUTING {',
      '19: the set @x is not supported: ip daddr @x',
      '20: "ct state new meta mark set 0x00000005" is not supported: ct',
      '21: "jump sub" is not supported: jump sub',
      '22: "tcp flags syn meta mark set 0x00000006" is not supported: tcp',
      '23: != of several is not supported: ip daddr != {',
      '24: a mark from "ct mark" is not supported: meta',
      '25: "drop" is not supported: tcp dport 80 drop',
      '26: "icmp type echo-request meta mark set 0x00000007" is not supported: icmp',
      '27: "ip daddr 10.0.0.1" after the mark is set is not supported: meta',
      '32: marks given at the hook input are not supported: tcp dport 80',
    ],
  ],
])('%s is refused, line by line', (name, expected) => {
  let lines: readonly string[] = [];
  try {
    imported(name);
  } catch (error) {
    lines = error instanceof Error ? error.message.split('\n') : [];
  }
  expect(lines[0]).toBe('nothing was imported');
  expect(lines.slice(1)).toEqual(expected.map((text) => expect.stringContaining(`${name}:${text}`)));
});

test.each([
  ['', []],
  ['*mangle\nCOMMIT\n', []],
  [
    '*mangle\n:PREROUTING DROP [0:0]\nCOMMIT\n',
    'f:2: a policy other than ACCEPT is not supported: :PREROUTING DROP [0:0]',
  ],
  ['*raw\n-A PREROUTING -j MARK --set-mark 1\n', "f:2: marks given in the raw table's PREROUTING are not supported"],
  ['*mangle\n-A PREROUTING -p tcp --set-mark\n', []],
  ['*mangle\n-A PREROUTING -p tcp -j MARK --set-mark\n', 'f:2: --set-mark needs a value'],
  ['*mangle\n-I PREROUTING -p tcp -j MARK --set-mark 1\n', 'f:2: expected a line of iptables-save'],
  ['table ip t {\n}\n', []],
  ['table ip t {\n\tchain c {\n', []],
  [
    'table netdev t {\n\tchain c {\n\t\ttype filter hook ingress device "lo" priority 0;\n\t\tmeta mark set 1\n',
    'at the hook ingress',
  ],
  [
    'table bridge t {\n\tchain c {\n\t\ttype filter hook prerouting priority 0;\n\t\tmeta mark set 1\n',
    'tables of the family bridge',
  ],
  ['-p tcp --set-mark 1\n', 'f: expected what iptables-save, ip6tables-save or nft list ruleset prints'],
])('%j', (text, expected) => {
  if (typeof expected === 'string') expect(() => readImport(text, 'f')).toThrow(expected);
  else expect(readImport(text, 'f')).toEqual(expected);
});

test.each([
  ['a  b', ['a', 'b']],
  ['--comment "the \\"web\\" \\\\ x" c', ['--comment', 'the "web" \\ x', 'c']],
  ['a\\ b', ['a b']],
  ['""', ['']],
])('%s', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});
