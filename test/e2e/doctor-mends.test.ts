// What the doctor finds in a network that was broken on purpose, and that its own command mends it: one thing at a time.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  addServices,
  clientAddress,
  destination,
  dip,
  fairlead,
  type Host,
  ipvsadm,
  type Network,
  openNetwork,
  vip,
} from './network.ts';

const networks: Partial<Record<Network['method'], Network>> = {};

beforeAll(async () => {
  await Promise.all(
    (['gate', 'masq', 'tunnel', 'fullnat'] as const).map(async (method) => {
      const network = await openNetwork(method);
      networks[method] = network;
      await addServices(network, [{ protocol: 'tcp', port: 80 }]);
    }),
  );
});

afterAll(async () => {
  for (const network of Object.values(networks)) await network[Symbol.asyncDispose]();
});

interface Breakage {
  readonly method: Network['method'];
  readonly what: string;
  readonly apply: (network: Network) => Promise<unknown>;
  /** With the machine that is to be mended. */
  readonly expected: readonly string[];
  /** Where the doctor was asked; the director if not given. */
  readonly on?: (network: Network) => Host;
  readonly undo?: (network: Network) => Promise<unknown>;
}

const shell = (host: Host, text: string): Promise<string> => host.run('sh', '-ec', text);
const rip = (number: number): string => `10.1.0.${number}`;

const breakages: readonly Breakage[] = [
  {
    method: 'gate',
    what: 'a VIP on lo, for which arp_ignore lets nobody be told',
    apply: ({ director }) =>
      shell(
        director,
        `ip address del ${vip}/32 dev outer; ip address add ${vip}/32 dev lo; sysctl -qw net.ipv4.conf.all.arp_ignore=1`,
      ),
    expected: ['vip-not-on-director here'],
    undo: ({ director }) =>
      shell(director, `sysctl -qw net.ipv4.conf.all.arp_ignore=0; ip address del ${vip}/32 dev lo`),
  },
  {
    method: 'gate',
    what: "a rule of nft's about ARP",
    apply: ({ director }) =>
      director.attempt(['nft', '-f', '-'], {
        input: `table arp f {\n chain i {\n type filter hook input priority 0;\n arp daddr ip ${vip} drop\n }\n}\n`,
      }),
    expected: ['vip-not-on-director here'],
  },
  {
    method: 'gate',
    what: 'the director without ARP on the link',
    apply: ({ director }) => shell(director, 'ip link set outer arp off'),
    expected: ['vip-not-on-director here'],
  },
  {
    method: 'gate',
    what: 'a server that has stopped, which is no port mapping',
    apply: ({ realServers: [one] }) =>
      one.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n tcp dport 80 reject with tcp reset\n }\n}\n`,
      }),
    expected: ['unanswered here'],
    undo: async ({ director, realServers: [one] }) => {
      await one.run('nft', 'delete', 'table', 'ip', 'f');
      await director.run(ipvsadm, '-e', '-t', `${vip}:80`, '-r', `${rip(1)}:80`, '-g', '-w', '1');
    },
  },
  {
    method: 'gate',
    what: 'another port asked of gate',
    apply: async ({ director, realServers: [one] }) => {
      await director.run(ipvsadm, '-A', '-t', `${vip}:81`);
      await director.run(ipvsadm, '-a', '-t', `${vip}:81`, '-r', `${one.rip}:80`, '-g');
      await director.run(ipvsadm, '-a', '-t', `${vip}:81`, '-r', '127.0.0.1:81', '-m'); // or nothing would be left
    },
    expected: ['port-mapping here'],
    undo: ({ director }) => director.run(ipvsadm, '-D', '-t', `${vip}:81`),
  },
  {
    method: 'gate',
    what: 'the whole network of the VIP on lo',
    apply: ({ realServers: [one] }) => shell(one, `ip address del ${vip}/32 dev lo; ip address add ${vip}/24 dev lo`),
    expected: ['vip-prefix here'],
    on: ({ realServers: [one] }) => one,
  },
  {
    method: 'masq',
    what: 'a route that throws away what is for a client',
    apply: async ({ client, director }) => {
      await director.run('ip', 'route', 'add', 'prohibit', clientAddress);
      await client.attempt(['curl', '-s', '-m', '1', `http://${vip}/`]);
    },
    expected: ['no-route here'],
  },
  {
    method: 'masq',
    what: 'a route that throws away what is for a real server',
    apply: ({ director }) => director.run('ip', 'route', 'add', 'blackhole', rip(2)),
    expected: ['no-route here'],
  },
  {
    method: 'masq',
    what: 'a neighbour that is another one by now',
    apply: ({ director }) =>
      director.run('ip', 'neigh', 'replace', rip(2), 'lladdr', '02:00:00:00:00:77', 'nud', 'permanent', 'dev', 'inner'),
    expected: ['wrong-neighbour here'],
  },
  {
    method: 'masq',
    what: "another machine with the director's own address",
    apply: ({ switch: other }) => other.run('ip', 'address', 'add', `${dip}/32`, 'dev', 'inner'),
    expected: ['address-taken the machine with the MAC'],
    undo: ({ switch: other }) => other.run('ip', 'address', 'del', `${dip}/32`, 'dev', 'inner'),
  },
  {
    method: 'tunnel',
    what: 'a tunnel of a kind that the real server was not told of',
    apply: async ({ director }) => {
      await director.run(ipvsadm, '-A', '-t', `${vip}:8080`);
      await director.run(
        ipvsadm,
        '-a',
        '-t',
        `${vip}:8080`,
        '-r',
        rip(2),
        '-i',
        '--tun-type',
        'gue',
        '--tun-port',
        '7777',
      );
    },
    expected: [`no-decapsulator ${rip(2)}`],
    undo: ({ director }) => director.run(ipvsadm, '-D', '-t', `${vip}:8080`),
  },
  {
    method: 'tunnel',
    what: 'a real server that was added by gate',
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'remove', vip);
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
    },
    expected: [`no-decapsulator ${rip(2)}`],
  },
  {
    method: 'tunnel',
    what: 'a path that takes less, to one that answers no echo',
    apply: async (network) => {
      await shell(network.switch, 'ip link set rs2-inner mtu 1400');
      await network.realServers[1].attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n ip protocol icmp drop\n }\n}\n`,
      });
    },
    expected: ['tunnel-mtu here'],
    undo: async (network) => {
      await shell(network.switch, 'ip link set rs2-inner mtu 1500');
      await network.realServers[1].run('nft', 'delete', 'table', 'ip', 'f');
    },
  },
  {
    method: 'fullnat',
    what: 'a header that the real server has no use for',
    apply: async (network) => {
      const service = ['-u', `${vip}:9001`];
      await network.director.run(ipvsadm, '-A', ...service, '--uoa', 'opp');
      await network.director.run(
        ipvsadm,
        '-a',
        ...service,
        '-r',
        destination(network, network.realServers[0], 9001),
        '--fullnat',
      );
    },
    expected: [`no-decapsulator ${rip(1)}`],
    undo: async ({ director, realServers: [one] }) => {
      await director.run(ipvsadm, '-D', '-u', `${vip}:9001`);
      await one.run(fairlead, 'realserver', 'reset');
    },
  },
];

test.each(breakages)('$method: $what', async ({ method, apply, expected, on = ({ director }) => director, undo }) => {
  const network = networks[method];
  if (network === undefined) throw new Error(`there is no network of ${method}`);
  const host = on(network);
  try {
    await apply(network);
    const problems = await consult(host);
    expect(
      problems.map(({ id, mend: { on: where = 'here' } }) => `${id} ${where.replace(/ [\da-f:]{17}$/, '')}`),
    ).toEqual(expected);
    const [problem] = problems;
    const where = network.realServers.find((one) => one.rip === problem?.mend.on) ?? host;
    // What is to be done on a machine that is no real server is undone below.
    if (problem?.mend.on === undefined || where !== host)
      await shell(where, `fairlead() { ${fairlead} "$@"; }\nipvsadm() { ${ipvsadm} "$@"; }\n${problem?.mend.command}`);
  } finally {
    await undo?.(network);
  }
  expect(await consult(host)).toEqual([]);
});

interface Problem {
  readonly id: string;
  readonly mend: { readonly command: string; readonly on?: string };
}

async function consult(host: Host): Promise<readonly Problem[]> {
  const { stdout, stderr } = await host.attempt([fairlead, 'doctor', '-o', 'json']);
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { readonly problems: readonly Problem[] }).problems;
}
