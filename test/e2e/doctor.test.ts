// The doctor on a director and its clients: silent where all is well, and naming just what is wrong, one thing or several at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  addServices,
  destination,
  fairlead,
  type Host,
  ipvsadm,
  type Network,
  openNetwork,
  vip,
  vipOf,
} from './network.ts';

let network: Network;
let six: Network;

beforeAll(async () => {
  [network, six] = await Promise.all([openNetwork('gate'), openNetwork('tunnel', 6)]);
  for (const one of [network, six]) await addServices(one, [{ protocol: 'tcp', port: 80 }]);
});

afterAll(async () => {
  for (const one of [network, six]) await one?.[Symbol.asyncDispose]();
});

interface Told {
  readonly problems: readonly {
    readonly id: string;
    readonly wrong: string;
    readonly mend: { readonly command: string; readonly on?: string };
  }[];
  readonly fixed: readonly string[];
}

test('nothing is wrong, and nothing is printed', async () => {
  expect(await network.director.attempt([fairlead, 'doctor'])).toEqual({ status: 0, stdout: '', stderr: '' });
});

test('nothing is wrong where a switch brings everybody everything', async () => {
  const bridge = (seconds: number): Promise<string> =>
    network.switch.run('ip', 'link', 'set', 'inner', 'type', 'bridge', 'ageing_time', `${seconds * 100}`);
  await bridge(0);
  try {
    expect((await consult()).problems).toEqual([]);
  } finally {
    await bridge(300);
  }
});

test('nothing is wrong with a real server that lets clients in, and not the director', async () => {
  const [, closed] = network.realServers;
  await closed.attempt(['nft', '-f', '-'], {
    input:
      'table ip f {\n chain i {\n type filter hook input priority 0;\n ip saddr { 10.0.0.254, 10.1.0.254, 198.18.0.0/15 } drop\n }\n}\n',
  });
  try {
    for (let count = 0; count < network.realServers.length; count++)
      await network.client.run('curl', '-sS', '-m', '5', `http://${vip}/`);
    expect((await consult()).problems).toEqual([]);
  } finally {
    await closed.run('nft', 'delete', 'table', 'ip', 'f');
  }
});

test("nothing is wrong with a real server's programs, one beside the other", async () => {
  const [one] = network.realServers;
  await one.run(fairlead, 'realserver', 'add', '10.0.0.201', '--method', 'tunnel');
  await one.run(fairlead, 'realserver', 'add', '10.0.0.202', '--method', 'fullnat', '--director', '10.1.0.254');
  try {
    expect((await consult({ on: one })).problems.map(({ id }) => id)).toEqual([]);
  } finally {
    await one.run(fairlead, 'realserver', 'reset');
  }
});

test("several things at once are told apart, and --fix mends what is this machine's", async () => {
  const [talker, bare] = network.realServers;
  await talker.run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=0');
  await bare.run('ip', 'address', 'del', `${vip}/32`, 'dev', 'lo');
  await network.director.run('sysctl', '-q', 'net.ipv4.conf.lo.forwarding=0');
  try {
    const { status, problems } = await consult();
    expect(status).toBe(1);
    expect(problems.map(({ id, mend: { on = 'here' } }) => `${id} ${on}`)).toEqual([
      'forwarding-off here',
      `arp ${talker.rip}`,
      `unanswered ${bare.rip}`,
    ]);
    const { problems: rest, fixed } = await consult({ words: ['--fix'] });
    expect(fixed).toEqual(['sysctl -w net.ipv4.conf.lo.forwarding=1']);
    expect(rest.map(({ id }) => id)).toEqual(['arp', 'unanswered']);
  } finally {
    await talker.run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=1');
    await bare.run('ip', 'address', 'add', `${vip}/32`, 'dev', 'lo');
  }
  expect(await consult()).toMatchObject({ status: 0, problems: [] });
});

test('what answers for the VIP on a real server, and an interface that is down, are told, and nothing else', async () => {
  const [talker] = network.realServers;
  await talker.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
  await talker.run('ip', 'address', 'add', `${vip}/32`, 'dev', 'inner');
  try {
    expect((await consult({ on: talker })).problems.map(({ id }) => id)).toEqual(['arp']);
    expect((await consult()).problems.map(({ id, mend: { on } }) => `${id} ${on}`)).toEqual([`arp ${talker.rip}`]);
  } finally {
    await talker.run('ip', 'address', 'del', `${vip}/32`, 'dev', 'inner');
    await talker.run(fairlead, 'realserver', 'reset');
  }
  await network.director.run('ip', 'link', 'set', 'outer', 'down');
  const { problems, fixed } = await consult({ words: ['--fix'] });
  expect([problems, fixed]).toEqual([[], ['ip link set outer up']]);
});

test('a director that stands by for another one that has the VIP has nothing wrong, and takes nothing away', async () => {
  const { director, switch: other } = network;
  await director.run('ip', 'address', 'del', `${vip}/32`, 'dev', 'outer');
  await other.run('ip', 'address', 'add', `${vip}/32`, 'dev', 'outer');
  try {
    expect(await consult({ words: ['--fix'] })).toMatchObject({ status: 0, problems: [], fixed: [] });
  } finally {
    await other.run('ip', 'address', 'del', `${vip}/32`, 'dev', 'outer');
    await director.run('ip', 'address', 'add', `${vip}/32`, 'dev', 'outer');
  }
  expect(await consult()).toMatchObject({ status: 0, problems: [] });
});

test('probes are not scheduled where the director is a client or a real server itself', async () => {
  const { director } = network;
  const self = ['-t', `${vip}:80`, '-r', '127.0.0.1:80', '-g'];
  director.start('python3', '-m', 'http.server', '80');
  await director.run(ipvsadm, '-a', ...self);
  await director.run(
    'tc',
    'filter',
    'add',
    'dev',
    'inner',
    'egress',
    'pref',
    '1',
    'bpf',
    'bytecode',
    '1,6 0 0 2',
    'da',
  );
  try {
    expect(await consult()).toMatchObject({ status: 0, problems: [] });
  } finally {
    await director.run('tc', 'filter', 'del', 'dev', 'inner', 'egress', 'pref', '1');
    await director.run(ipvsadm, '-d', ...self.slice(0, 4));
  }
});

test('services of all ports, of datagrams behind firewalls, and many at once make no false alarm', async () => {
  const { director, realServers } = network;
  const save = await director.run(ipvsadm, '-S', '-n');
  const rules = 'policy drop; udp dport 9000 accept; tcp dport 80 accept; icmp type echo-request accept;';
  const chain = `table ip f {\n chain i {\n type filter hook input priority 0; ${rules}\n }\n}\n`;
  const services = ['-A -t VIP:0 -s rr -p 300', '-A -u VIP:9000 -s rr'];
  const lines = realServers.flatMap((one) => [
    `-a -t VIP:0 -r ${destination(network, one, 0)} -g`,
    `-a -u VIP:9000 -r ${destination(network, one, 9000)} -g`,
  ]);
  const many = Array.from({ length: 150 }, (_, index) => [
    `-A -u VIP:${10_000 + index} -s rr`,
    ...realServers.map((one) => `-a -u VIP:${10_000 + index} -r ${destination(network, one, 10_000 + index)} -g`),
  ]).flat();
  try {
    const input = `${[...services, ...lines, ...many].join('\n').replaceAll('VIP', vip)}\n`;
    expect(await director.attempt([ipvsadm, '-R'], { input })).toMatchObject({ status: 0, stderr: '' });
    for (const one of realServers)
      expect(await one.attempt(['nft', '-f', '-'], { input: chain })).toMatchObject({ status: 0 });
    expect(await consult()).toMatchObject({ status: 0, problems: [] });
    for (const one of realServers) expect(await consult({ on: one })).toMatchObject({ status: 0, problems: [] });
  } finally {
    for (const one of realServers) await one.attempt(['nft', 'delete', 'table', 'ip', 'f']);
    await director.run(ipvsadm, '-C');
    await director.attempt([ipvsadm, '-R'], { input: save });
  }
});

test('a service whose real servers are all quiesced is told of, and its command mends it', async () => {
  for (const one of network.realServers) {
    const server = ['-t', `${vip}:80`, '-r', destination(network, one, 80), '-g'];
    await network.director.run(ipvsadm, '-e', ...server, '-w', '0');
  }
  const { problems } = await consult();
  expect(problems.map(({ id }) => id)).toEqual(['quiesced']);
  await network.director.run('sh', '-ec', `ipvsadm() { ${ipvsadm} "$@"; }; ${problems[0]?.mend.command}`);
  expect(await consult()).toMatchObject({ status: 0, problems: [] });
});

test('by IPv6 as well: nothing is wrong, and then two things are', async () => {
  expect(await consult({ of: six })).toMatchObject({ status: 0, problems: [] });
  const [talker, bare] = six.realServers;
  await talker.run('ip', 'address', 'add', `${vipOf(6)}/128`, 'dev', 'inner', 'nodad');
  await bare.run('ip', 'address', 'del', `${vipOf(6)}/128`, 'dev', 'lo');
  try {
    const { problems } = await consult({ of: six });
    expect(problems.map(({ id, mend: { on = 'here' } }) => `${id} ${on}`)).toEqual([
      `arp ${talker.rip}`,
      `unanswered ${bare.rip}`,
    ]);
    expect(problems[0]?.wrong).toContain('neighbour discovery');
    await bare.run(fairlead, 'doctor', '--fix');
    expect((await consult({ of: six })).problems.map(({ id }) => id)).toEqual(['arp']);
    await talker.run('sh', '-ec', `fairlead() { ${fairlead} "$@"; }; ${problems[0]?.mend.command}`);
    expect(await consult({ of: six })).toMatchObject({ status: 0, problems: [] });
  } finally {
    await talker.attempt(['ip', 'address', 'del', `${vipOf(6)}/128`, 'dev', 'inner']);
  }
});

test('a client tries a VIP, and tells a real server that is dead from one that is there, and a VIP that nobody has', async () => {
  const { client, realServers } = network;
  const look = (target: string): Promise<Told & { readonly status: number }> =>
    consult({ on: client, words: [target] });
  expect(await look(`${vip}:80`)).toMatchObject({ status: 0, problems: [] });
  await realServers[2].run('ip', 'link', 'set', 'inner', 'down');
  try {
    const { status, problems } = await look(`${vip}:80`);
    expect([status, problems.map(({ id, mend: { on } }) => `${id} ${on}`)]).toEqual([1, ['unanswered the director']]);
    expect(problems[0]?.wrong).toContain('not take every connection');
  } finally {
    await realServers[2].run('ip', 'link', 'set', 'inner', 'up');
  }
  expect((await look('10.0.0.77:80')).problems.map(({ id }) => id)).toEqual(['vip-not-on-director']);
  expect((await look('192.0.2.1:80')).problems.map(({ wrong }) => wrong)).toEqual([
    'there is no way from here to 192.0.2.1',
  ]);
  await realServers[0].run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=0');
  try {
    expect((await look(`${vip}:80`)).problems.map(({ id }) => id)).toContain('two-directors');
  } finally {
    await realServers[0].run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=1');
  }
});

test('a client tells how far packets come: to the director, or no further than a router', async () => {
  const { client, realServers, switch: router } = network;
  const seen = async (target: string): Promise<string> =>
    JSON.stringify((await consult({ on: client, words: [target] })).problems);
  for (const one of realServers) await one.run('ip', 'link', 'set', 'inner', 'down');
  try {
    expect(await seen(`${vip}:80`)).toContain(`${vip} told last`);
  } finally {
    for (const one of realServers) await one.run('ip', 'link', 'set', 'inner', 'up');
  }
  const lines = [
    ...['address add 10.0.0.250/24 dev outer', 'address add 10.1.0.250/24 dev inner'],
    'route add 192.0.2.0/24 via 10.1.0.251', // where nobody is
  ];
  await router.run('sh', '-ec', ['sysctl -qw net.ipv4.ip_forward=1', ...lines.map((line) => `ip ${line}`)].join('; '));
  await client.run('ip', 'route', 'add', '192.0.2.0/24', 'via', '10.0.0.250');
  try {
    expect(await seen('192.0.2.10:80')).toContain('packets to 192.0.2.10:80 come as far as 10.0.0.250');
  } finally {
    await client.run('ip', 'route', 'del', '192.0.2.0/24');
    await router.run('sh', '-c', 'ip address del 10.0.0.250/24 dev outer; ip address del 10.1.0.250/24 dev inner');
  }
});

test.each([
  [['--frob'], 2, "unknown option '--frob'"],
  [['eth0'], 2, 'expected an address and a port from 1 to 65535, as in 10.0.0.1:40000'],
  [['192.0.2.1:80', 'eth0'], 2, 'too many arguments'],
])('%s is refused', async (words, status, message) => {
  const outcome = await network.director.attempt([fairlead, 'doctor', ...words]);
  expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
});

interface Consultation {
  readonly of?: Network;
  /** The director if not given. */
  readonly on?: Host;
  readonly words?: readonly string[];
}

async function consult({
  of = network,
  on = of.director,
  words = [],
}: Consultation = {}): Promise<Told & { readonly status: number }> {
  const { status, stdout } = await on.attempt([fairlead, 'doctor', '-o', 'json', ...words]);
  return { status, ...JSON.parse(stdout) };
}
