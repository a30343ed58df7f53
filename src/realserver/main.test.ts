// Command lines that are wrong in themselves: a clear message, the right exit status, and nothing is looked at.
import { expect, test } from 'vitest';
import { runRealserver } from './main.ts';

test.each<[string, string, number, string]>([
  ['nothing', '', 2, 'Usage: fairlead realserver'],
  ['an unknown command', 'join 10.0.0.1', 2, "unknown command 'join'"],
  ['add without a VIP', 'add --method tunnel', 2, "missing required argument 'vip'"],
  ['add without a method', 'add 10.0.0.1', 2, "required option '--method <method>' not specified"],
  ['a method that is not supported', 'add 10.0.0.1 --method masq', 2, 'Allowed choices are gate, tunnel, fullnat'],
  ['a tunnel of gate', 'add 10.0.0.1 --method gate --tun-type gre', 2, '--tun-type is for --method tunnel'],
  ['an MTU that is too small', 'add ::2 --method tunnel --mtu 1000', 2, 'an MTU from 1280 to 65535'],
  ['another way to be silent', 'add 10.0.0.1 --method gate --arp nft', 2, 'Allowed choices are ignore, arptables'],
  ['two VIPs', 'add 10.0.0.1 10.0.0.2 --method tunnel', 2, 'too many arguments'],
  ['what is no address', 'add 10.0.0 --method tunnel', 2, 'expected the VIP\'s address, got "10.0.0"'],
  ['an address with a port', 'add 10.0.0.1:80 --method tunnel', 2, 'got "10.0.0.1:80"'],
  ['a network', 'remove 10.0.0.1/32', 2, 'got "10.0.0.1/32"'],
  ['a link-local address', 'add fe80::1 --method tunnel', 1, "can't be a VIP"],
  ["IPv6's loopback address", 'add ::1 --method tunnel', 1, "can't be a VIP"],
  ['an unknown tunnel', 'add 10.0.0.1 --method tunnel --tun-type vxlan', 2, 'Allowed choices are ipip, gre, gue'],
  ['gue without a port', 'add 10.0.0.1 --method tunnel --tun-type gue', 2, '--tun-type gue needs --tun-port'],
  ['a port of gre', 'add 10.0.0.1 --method tunnel --tun-type gre --tun-port 5', 2, '--tun-port is for --tun-type gue'],
  ['a port out of range', 'add ::2 --method tunnel --tun-type gue --tun-port 65536', 2, 'a port from 1 to 65535'],
  ['a loopback address', 'add 127.0.0.1 --method tunnel', 1, "can't be a VIP"],
  ['a multicast address', 'add 224.0.0.1 --method tunnel', 1, "can't be a VIP"],
  ['a director of gate', 'add 10.0.0.1 --method gate --director 10.0.0.9', 2, '--director is for --method fullnat'],
  ['what is no director', 'add 10.0.0.1 --method fullnat --director lb1', 2, 'a network as 10.0.0.0/24, got "lb1"'],
  ['silence of fullnat', 'add 10.0.0.1 --method fullnat --arp arptables', 2, '--arp is for gate and tunnel'],
  ['silence of fullnat by settings', 'add 10.0.0.1 --method fullnat --arp ignore', 2, '--arp is for gate and tunnel'],
  [
    'silence by ARP of IPv6',
    'add ::2 --method gate --arp arptables',
    2,
    '--arp arptables is for IPv4: IPv6 has no ARP',
  ],
  [
    'the same of a tunnel',
    'add ::2 --method tunnel --arp arptables',
    2,
    '--arp arptables is for IPv4: IPv6 has no ARP',
  ],
  ['another output format', 'status -o yaml', 2, 'Allowed choices are table, json'],
])('%s is refused', async (_, line, status, message) => {
  const outcome = await run(line);
  expect(outcome).toEqual({ status, stdout: '', stderr: expect.stringContaining(message) });
});

test.each(['--help', 'add --help', 'remove --help', 'reset --help', 'apply --help', 'status --help'])(
  '%s is answered',
  async (line) => {
    const { status, stdout, stderr } = await run(line);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Usage: fairlead realserver');
  },
);

async function run(line: string): Promise<{ status: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const status = await runRealserver(line.split(' ').filter(Boolean), {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { status, stdout, stderr };
}
