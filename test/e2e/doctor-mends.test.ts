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
  startServer,
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
  /** Of the doctor's. */
  readonly options?: readonly string[];
  /** Where the doctor was asked; the director if not given. */
  readonly on?: (network: Network) => Host;
  readonly undo?: (network: Network) => Promise<unknown>;
}

const shell = (host: Host, text: string): Promise<string> => host.run('sh', '-ec', text);
const rip = (number: number): string => `10.1.0.${number}`;
/** What a command is told where the doctor can't know it: who is there to be a router, and the chain that is made below. */
const [router, chain] = [clientAddress, 'ip f i'];

/** Of a client that has an address of its own elsewhere too. */
const [far, farNetwork] = ['198.51.100.7', '198.51.100.0/24'];

const markedVip = '10.0.0.101';
const [farther, fartherNetwork] = ['198.51.101.7', '198.51.101.0/24'];

async function ask(client: Host, times: number, ...options: readonly string[]): Promise<void> {
  const one = ['curl', '-s', '-m', '1', ...options, `http://${vip}/`];
  await Promise.all(Array.from({ length: times }, () => client.attempt(one)));
}

/** Once it is known that nothing is wrong any more, with the firewall as the command has left it. */
async function forget(realServer: Host, clear: string, ...options: readonly string[]): Promise<void> {
  const problems = await consult(realServer, options);
  await shell(realServer, clear);
  await realServer.run(fairlead, 'realserver', 'reset');
  expect(problems).toEqual([]);
}

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
    method: 'gate',
    what: 'a gateway of the real server that is gone',
    apply: async ({ realServers: [one] }) => {
      await one.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await one.run('ip', 'route', 'add', 'default', 'via', '10.0.0.99');
    },
    expected: ['no-route here'],
    on: ({ realServers: [one] }) => one,
    // By a gateway that is there, as the command has left it.
    undo: ({ realServers: [one] }) =>
      shell(one, `test "$(ip route show default)" = 'default via ${router} dev outer '`),
  },
  {
    method: 'gate',
    what: 'a rule that throws away what a real server answers',
    apply: ({ realServers: [one] }) => one.run('ip', 'rule', 'add', 'from', vip, 'prohibit'),
    expected: ['no-route here'],
    on: ({ realServers: [one] }) => one,
    undo: ({ realServers: [one] }) => one.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'gate',
    what: 'a route that throws away what a real server answers to clients that it had',
    apply: async ({ client, realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await ask(client, 9);
      await two.run('ip', 'route', 'add', 'blackhole', '10.0.0.0/28');
    },
    expected: ['no-route here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) => two.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'gate',
    what: 'a firewall that keeps a client out, which somebody asks about',
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await two.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n ip saddr ${clientAddress}/28 drop\n }\n}\n`,
      });
    },
    options: ['--client', clientAddress],
    expected: ['firewall here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) => two.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'gate',
    what: "a rule of iptables' about some ports",
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await shell(two, `iptables -A INPUT -p tcp -m multiport --dports 80 -m comment --comment "it's" -j DROP`);
    },
    expected: ['firewall here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) => forget(two, 'test "$(iptables -S INPUT | wc -l)" = 1'),
  },
  {
    method: 'gate',
    what: "a policy of iptables' that lets known connections in, and those to another port",
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await shell(
        two,
        `iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
        iptables -A INPUT -p tcp --syn -m multiport --dports 7,22 -j ACCEPT
        iptables -P INPUT DROP`,
      );
    },
    expected: ['firewall here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) =>
      forget(two, 'test "$(iptables -S INPUT | grep -c ACCEPT)" = 3; iptables -P INPUT ACCEPT; iptables -F INPUT'),
  },
  {
    method: 'gate',
    what: 'a firewall that rejects the rest, with a port of the rest that somebody asks about',
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      await startServer(two, 'other', '0.0.0.0', 9000);
      await shell(
        two,
        `iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        iptables -A INPUT -p tcp -m multiport --dports 7,80 -j ACCEPT
        iptables -A INPUT -p icmp -j ACCEPT
        iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited`,
      );
      expect(await consult(two, [])).toEqual([]);
    },
    options: ['--port', '9080'],
    expected: ['firewall here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) =>
      forget(two, 'iptables -S INPUT | tail -n 1 | grep REJECT; iptables -F INPUT', '--port', '9080'),
  },
  {
    method: 'gate',
    what: "a firewall of nft's that drops the rest, and lets the service's port in no more",
    apply: async ({ realServers: [, two] }) => {
      await two.run(fairlead, 'realserver', 'add', vip, '--method', 'gate');
      const rules = 'ct state established,related accept\n tcp flags syn / fin,syn,rst,ack tcp dport 7 accept\n drop\n';
      await two.attempt(['nft', '-f', '-'], {
        input: `table inet f {\n chain i {\n type filter hook input priority 0;\n ${rules} }\n}\n`,
      });
    },
    expected: ['firewall here'],
    on: ({ realServers: [, two] }) => two,
    undo: ({ realServers: [, two] }) => forget(two, 'nft list chain inet f i | grep -w drop; nft delete table inet f'),
  },
  {
    method: 'gate',
    what: 'a real server that answers some clients by way of the director',
    apply: async ({ client, realServers: [one, two, three] }) => {
      await client.run('ip', 'address', 'add', `${far}/32`, 'dev', 'lo');
      for (const host of [one, three]) await host.run('ip', 'route', 'add', farNetwork, 'via', clientAddress);
      await two.run('ip', 'route', 'add', farNetwork, 'via', dip);
      await ask(client, 12, '--interface', far);
    },
    expected: [`dr-gateway ${rip(2)}`],
  },
  {
    method: 'gate',
    what: 'clients of one network whom real servers answer by a wrong router, though others are served',
    apply: async ({ client, director, realServers }) => {
      await client.run('ip', 'address', 'add', `${farther}/32`, 'dev', 'lo');
      await director.run('ip', 'route', 'add', fartherNetwork, 'via', clientAddress);
      // Who is there, and forwards nothing.
      const wrong = [rip(2), rip(3), rip(1)];
      for (const [index, host] of realServers.entries())
        await host.run('ip', 'route', 'add', fartherNetwork, 'via', wrong[index] ?? '');
      await ask(client, 15, '--interface', farther);
    },
    expected: [1, 2, 3].map((number) => `asymmetric ${rip(number)}`),
  },
  {
    method: 'gate',
    what: 'no datagrams that a firewall keeps out, which lets them in and refuses all else',
    apply: async ({ director, realServers: [one] }) => {
      await director.run(ipvsadm, '-A', '-u', `${vip}:9001`);
      await director.run(ipvsadm, '-a', '-u', `${vip}:9001`, '-r', `${one.rip}:9001`, '-g');
      await one.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n udp dport 9001 accept\n tcp dport 80 accept\n reject\n }\n}\n`,
      });
    },
    expected: [],
    undo: async ({ director, realServers: [one] }) => {
      await director.run(ipvsadm, '-D', '-u', `${vip}:9001`);
      await one.run('nft', 'delete', 'table', 'ip', 'f');
    },
  },
  {
    method: 'gate',
    what: 'a real server that tells it has the VIPs, of a service by mark too',
    apply: async ({ director, realServers: [, two] }) => {
      await director.run('ip', 'address', 'add', `${markedVip}/32`, 'dev', 'outer');
      await director.run(fairlead, 'mark', 'add', '-d', markedVip, '--set-mark', '7');
      await director.run(ipvsadm, '-A', '-f', '7');
      await director.run(ipvsadm, '-a', '-f', '7', '-r', two.rip, '-g');
      await two.run('ip', 'address', 'add', `${markedVip}/32`, 'dev', 'lo');
      await two.run('sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=0');
    },
    expected: [`arp ${rip(2)}`, `arp ${rip(2)}`],
    undo: async ({ director, realServers: [, two] }) => {
      await director.run(ipvsadm, '-D', '-f', '7');
      await director.run(fairlead, 'mark', 'flush');
      await director.run('ip', 'address', 'del', `${markedVip}/32`, 'dev', 'outer');
      await two.run(fairlead, 'realserver', 'reset');
      await two.run('sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=1');
    },
  },
  {
    method: 'masq',
    what: 'a real server that answers whoever is far away, and not the clients',
    apply: async ({ client, realServers: [, two] }) => {
      await two.run('ip', 'route', 'add', 'blackhole', '10.0.0.0/28');
      await ask(client, 9);
    },
    expected: [`asymmetric ${rip(2)}`],
  },
  {
    method: 'masq',
    what: 'a real server whose firewall rejects the clients',
    apply: async ({ client, realServers: [, , three] }) => {
      await three.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n ip saddr ${clientAddress} reject\n }\n}\n`,
      });
      await ask(client, 9);
    },
    expected: [`firewall ${rip(3)}`],
  },
  {
    method: 'masq',
    what: 'a gateway towards clients that is gone',
    apply: async ({ client, director }) => {
      await client.run('ip', 'address', 'add', `${far}/32`, 'dev', 'lo');
      await director.run('ip', 'route', 'add', '198.51.100.0/24', 'via', '10.0.0.99');
      await client.attempt(['curl', '-s', '-m', '1', '--interface', far, `http://${vip}/`]);
    },
    expected: ['no-route here'],
  },
  {
    method: 'masq',
    what: 'a router towards clients that passes nothing on',
    apply: async ({ client, director }) => {
      await client.run('ip', 'address', 'add', `${farther}/32`, 'dev', 'lo');
      await director.run('ip', 'route', 'add', fartherNetwork, 'via', rip(3));
      await ask(client, 15, '--interface', farther);
    },
    options: ['--client', farther],
    expected: ['asymmetric here'],
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
    what: 'a real server whose program that learns clients is gone',
    apply: async ({ realServers: [one] }) => {
      await one.run(fairlead, 'realserver', 'add', vip, '--method', 'fullnat', '--director', dip);
      await one.run('tc', 'filter', 'del', 'dev', 'inner', 'ingress', 'pref', '62');
    },
    expected: ['not-attached here'],
    on: ({ realServers: [one] }) => one,
    undo: ({ realServers: [one] }) =>
      shell(one, `tc filter show dev inner ingress | grep client_learn; ${fairlead} realserver reset`),
  },
  {
    method: 'fullnat',
    what: 'a rule that drops what the director sends',
    apply: async ({ realServers: [one] }) => {
      await one.run(fairlead, 'realserver', 'add', vip, '--method', 'fullnat', '--director', dip);
      await one.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n tcp dport 8080 drop\n }\n}\n`,
      });
    },
    expected: ['firewall here'],
    on: ({ realServers: [one] }) => one,
    undo: ({ realServers: [one] }) => one.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'fullnat',
    what: 'a firewall that lets nothing of the director in',
    apply: async ({ realServers: [one] }) => {
      await one.run(fairlead, 'realserver', 'add', vip, '--method', 'fullnat', '--director', dip);
      await one.attempt(['nft', '-f', '-'], {
        input: `table ip f {\n chain i {\n type filter hook input priority 0;\n ip saddr ${dip} drop\n }\n}\n`,
      });
    },
    expected: ['firewall here'],
    on: ({ realServers: [one] }) => one,
    undo: ({ realServers: [one] }) => one.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'fullnat',
    what: 'a route that throws away what a real server sends to the director',
    apply: async ({ realServers: [one] }) => {
      await one.run(fairlead, 'realserver', 'add', vip, '--method', 'fullnat', '--director', dip);
      await one.run('ip', 'route', 'add', 'unreachable', dip);
    },
    expected: ['no-route here'],
    on: ({ realServers: [one] }) => one,
    undo: ({ realServers: [one] }) => one.run(fairlead, 'realserver', 'reset'),
  },
  {
    method: 'fullnat',
    what: 'a local address that real servers have no way to',
    apply: async ({ director }) => {
      await director.run('ip', 'address', 'add', `${farther}/32`, 'dev', 'lo');
      await director.run(ipvsadm, '--add-laddr', '-z', farther, '-t', `${vip}:80`);
    },
    expected: [1, 2, 3].map((number) => `unanswered ${rip(number)}`),
    undo: ({ director }) => director.run(ipvsadm, '--del-laddr', '-z', farther, '-t', `${vip}:80`),
  },
  {
    method: 'fullnat',
    what: 'no local address that another director has, for which this one stands by',
    apply: async ({ director, switch: other }) => {
      await other.run('ip', 'address', 'add', `${rip(200)}/24`, 'dev', 'inner');
      await director.run(ipvsadm, '--add-laddr', '-z', rip(200), '-t', `${vip}:80`);
    },
    expected: [],
    undo: async ({ director, switch: other }) => {
      await director.run(ipvsadm, '--del-laddr', '-z', rip(200), '-t', `${vip}:80`);
      await other.run('ip', 'address', 'del', `${rip(200)}/24`, 'dev', 'inner');
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

test.each(breakages)('$method: $what', async (breakage) => {
  const { method, apply, expected, options = [], on = ({ director }) => director, undo } = breakage;
  const network = networks[method];
  if (network === undefined) throw new Error(`there is no network of ${method}`);
  const host = on(network);
  try {
    await apply(network);
    const problems = await consult(host, options);
    expect(
      problems.map(({ id, mend: { on: where = 'here' } }) => `${id} ${where.replace(/ [\da-f:]{17}$/, '')}`).sort(),
    ).toEqual(expected);
    for (const { mend } of problems) {
      const where = network.realServers.find((one) => one.rip === mend.on) ?? host;
      // What is to be done on a machine that is no real server is undone below.
      if (mend.on === undefined || where !== host)
        await shell(
          where,
          `ROUTER=${router} CHAIN='${chain}'\nfairlead() { ${fairlead} "$@"; }\nipvsadm() { ${ipvsadm} "$@"; }\n${mend.command}`,
        );
    }
  } finally {
    await undo?.(network);
  }
  expect(await consult(host, options)).toEqual([]);
});

interface Problem {
  readonly id: string;
  readonly mend: { readonly command: string; readonly on?: string };
}

async function consult(host: Host, options: readonly string[]): Promise<readonly Problem[]> {
  const { stdout, stderr } = await host.attempt([fairlead, 'doctor', '-o', 'json', ...options]);
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { readonly problems: readonly Problem[] }).problems;
}
