// Every way in which a laboratory can be broken for the doctor to find: one thing each, as it happens to people.
import type { Status } from '../dataplane/status.ts';
import { machineItself, type ProblemId } from '../doctor/problem.ts';
import type { Outcome } from './command.ts';
import { ipvsadm, packageRoot } from './director.ts';
import type { LabType, Plan } from './plan.ts';
import { addressOf, hostNamed } from './plan.ts';
import {
  clientAddress,
  httpPort,
  mappedPort,
  realHttpPort,
  realServers,
  realUdpPort,
  routerAddress,
  udpPort,
  vip,
} from './plans/addresses.ts';

/** Runs a command on one host, or on the machine itself. */
export type OnHost = (host: string, command: readonly string[]) => Promise<Outcome>;

export interface Breakage {
  readonly name: ProblemId;
  readonly type: LabType;
  /** What follows from it, which the doctor of another machine rightly tells of. */
  readonly consequences?: readonly ProblemId[];
  readonly apply: (on: OnHost, plan: Plan) => Promise<unknown>;
  /** What the doctor can't know, and whatever must not stay for the next one. */
  readonly undo?: (on: OnHost, plan: Plan) => Promise<unknown>;
}

const service = `${vip}:${httpPort}`;
const sysctl = (setting: string): readonly string[] => ['sysctl', '-qw', setting];
const ip = (words: string): readonly string[] => ['ip', ...words.split(' ')];
const runTimes = 'kernel.bpf_stats_enabled';
/** For a shell, with the commands of this package. */
const script = (text: string): readonly string[] => ['sh', '-ec', `PATH=${packageRoot}bin:$PATH\n${text}`];
/** So many clients at once, each with a datagram to the address, of which the first ones are the first port's. */
const datagrams = (address: string, port: number, count: number): readonly string[] => [
  ...[process.execPath, `${packageRoot}dist/lab/datagrams.js`],
  ...[address, `${port}`, `${count}`],
];

export const breakages: readonly Breakage[] = [
  {
    name: 'nat-gateway',
    type: 'nat',
    apply: (on, plan) => on('rs1', ip(`route replace default via ${addressOf(plan, 'rs2')}`)),
  },
  { name: 'forwarding-off', type: 'nat', apply: (on) => on('director', sysctl('net.ipv4.ip_forward=0')) },
  {
    name: 'quiesced',
    type: 'nat',
    apply: async (on, plan) => {
      for (const name of realServers)
        await on('director', [
          ...[ipvsadm, '-e', '-t', service, '-r', `${addressOf(plan, name)}:${realHttpPort}`, '-m', '-w', '0'],
        ]);
    },
  },
  {
    name: 'two-directors',
    type: 'nat',
    apply: (on) => on('switch', ip(`address add ${vip}/32 dev services`)),
    undo: (on) => on('switch', ip(`address del ${vip}/32 dev services`)),
  },
  {
    name: 'address-taken',
    type: 'nat',
    apply: (on, plan) => on('switch', ip(`address add ${addressOf(plan, 'director')}/32 dev services`)),
    undo: (on, plan) => on('switch', ip(`address del ${addressOf(plan, 'director')}/32 dev services`)),
  },
  {
    name: 'no-route',
    type: 'nat',
    apply: (on, plan) => on('director', ip(`route add blackhole ${addressOf(plan, 'rs2')}`)),
    undo: (on, plan) => on('director', ip(`route del blackhole ${addressOf(plan, 'rs2')}`)),
  },
  {
    name: 'not-attached',
    type: 'nat',
    apply: (on) => on('director', ['tc', 'filter', 'del', 'dev', 'eth0', 'ingress', 'pref', '64']),
  },
  {
    name: 'foreign-program',
    type: 'nat',
    apply: (on) =>
      on('director', [
        ...'tc filter add dev eth0 ingress pref 1 protocol ip bpf bytecode'.split(' '),
        ...['1,6 0 0 2', 'direct-action'], // one instruction: it drops
      ]),
  },
  {
    name: 'kernel',
    type: 'nat',
    apply: (on) => on('director', sysctl(`${runTimes}=1`)),
    // It is the machine's.
    undo: (on) => on(machineItself, sysctl(`${runTimes}=0`)),
  },
  {
    name: 'table-full',
    type: 'nat',
    apply: async (on) => {
      await on(
        'director',
        script(
          'f=$(mktemp); ipvsadm-save -n >$f; fairlead detach; fairlead attach --connections 1024; ipvsadm-restore <$f; rm $f',
        ),
      );
      await on('client', datagrams(vip, udpPort, 1000));
    },
  },
  {
    name: 'unanswered',
    type: 'nat',
    apply: (on) => on('switch', ip('link set rs3-0 down')),
    undo: async (on, plan) => {
      await on('switch', ip('link set rs3-0 up'));
      for (const [option, port, realPort] of [
        ['-t', httpPort, realHttpPort],
        ['-u', udpPort, realUdpPort],
      ] as const)
        await on('director', [
          ...[ipvsadm, '-e', option, `${vip}:${port}`, '-r', `${addressOf(plan, 'rs3')}:${realPort}`, '-m', '-w', '1'],
        ]);
    },
  },
  // What it has filled stays full as long as the laboratory: nothing of this type comes after it.
  fullConntrack(),
  {
    name: 'vip-not-on-director',
    type: 'dr',
    apply: (on) => on('director', ip(`address del ${vip}/32 dev eth0`)),
  },
  {
    name: 'vip-as-source',
    type: 'dr',
    apply: async (on, plan) => {
      const own = `${addressOf(plan, 'director')}/24`;
      await on('director', ip('address flush dev eth0 scope global'));
      await on('director', ip(`address add ${vip}/24 dev eth0`));
      await on('director', ip(`address add ${own} dev eth0`));
      await on('director', ip(`route replace default via ${routerAddress.services}`));
    },
  },
  {
    name: 'wrong-neighbour',
    type: 'dr',
    apply: (on, plan) =>
      on('director', ip(`neigh replace ${addressOf(plan, 'rs2')} lladdr 02:00:00:00:00:99 dev eth0 nud permanent`)),
  },
  {
    name: 'vip-prefix',
    type: 'dr',
    consequences: ['unanswered'],
    apply: async (on) => {
      await on('rs2', ip(`address del ${vip}/32 dev lo`));
      await on('rs2', ip(`address add ${vip}/24 dev lo`));
    },
  },
  {
    name: 'arp',
    type: 'dr',
    apply: (on) => on('rs1', sysctl('net.ipv4.conf.all.arp_ignore=0')),
  },
  {
    name: 'vip-missing',
    type: 'dr',
    consequences: ['unanswered'],
    apply: (on) => on('rs1', ip(`address del ${vip}/32 dev lo`)),
  },
  {
    name: 'dr-gateway',
    type: 'dr',
    apply: (on, plan) => on('rs2', ip(`route replace default via ${addressOf(plan, 'director')}`)),
    undo: (on, plan) => on('rs2', ip(`route replace default via ${hostNamed(plan, 'rs2').gateway}`)),
  },
  {
    name: 'other-network',
    type: 'dr',
    apply: (on, plan) =>
      on('director', [ipvsadm, '-a', '-t', service, '-r', `${addressOf(plan, 'rs4')}:${httpPort}`, '-g']),
    undo: (on, plan) => on('director', [ipvsadm, '-d', '-t', service, '-r', `${addressOf(plan, 'rs4')}:${httpPort}`]),
  },
  {
    name: 'port-mapping',
    type: 'dr',
    apply: async (on, plan) => {
      const mapped = `${vip}:${mappedPort}`;
      await on('director', [ipvsadm, '-A', '-t', mapped, '-s', 'rr']);
      await on('director', [ipvsadm, '-a', '-t', mapped, '-r', `${addressOf(plan, 'rs2')}:${realHttpPort}`, '-g']);
      // Which shows how ports are mapped, and stays.
      await on('director', [
        ipvsadm,
        '-a',
        '-t',
        mapped,
        '-r',
        `${addressOf(plan, 'rs1')}:${realHttpPort}`,
        '--fullnat',
      ]);
    },
    undo: (on) => on('director', [ipvsadm, '-D', '-t', `${vip}:${mappedPort}`]),
  },
  {
    name: 'firewall',
    type: 'dr',
    consequences: ['unanswered'],
    apply: async (on) => {
      await on('rs3', 'nft add table ip lab'.split(' '));
      await on('rs3', ['nft', 'add chain ip lab input { type filter hook input priority 0; policy accept; }']);
      await on('rs3', ['nft', `add rule ip lab input ip daddr ${vip} tcp dport ${httpPort} drop`]);
    },
    undo: (on) => on('rs3', 'nft delete table ip lab'.split(' ')),
  },
  {
    name: 'asymmetric',
    type: 'dr',
    // The real server itself tells so, once it had clients from there.
    consequences: ['no-route'],
    apply: async (on) => {
      await on('rs1', ip('route add blackhole 198.51.100.0/24'));
      // Of each three one goes to rs1, and hangs.
      const begin = `timeout 2 bash -c ': <>/dev/tcp/${vip}/${httpPort}'`;
      await on('client', ['sh', '-c', `for each in 1 2 3 4 5 6 7 8 9 10 11 12; do ${begin} & done; wait`]);
    },
    undo: async (on) => {
      await on('rs1', ip('route del blackhole 198.51.100.0/24'));
      await on('rs1', ip(`route del ${clientAddress}`));
    },
  },
  {
    name: 'no-decapsulator',
    type: 'tun',
    apply: (on) => on('rs2', 'tc qdisc del dev eth0 clsact'.split(' ')),
  },
  {
    name: 'tunnel-mtu',
    type: 'tun',
    apply: (on) => on('switch', ip('link set rs2-0 mtu 1400')),
    undo: async (on, plan) => {
      await on('switch', ip('link set rs2-0 mtu 1500'));
      await on('director', ip(`route del ${addressOf(plan, 'rs2')}`));
    },
  },
  {
    name: 'rp-filter',
    type: 'tun',
    consequences: ['unanswered'],
    apply: async (on) => {
      await on('switch', ip('link add name rs2-1 type veth peer name rs2-9'));
      await on('switch', ip('link set rs2-1 master services up'));
      await on('switch', ip('link set rs2-9 netns RS2 name eth1'));
      await on('rs2', ip('address add 203.0.113.12/24 dev eth1'));
      await on('rs2', ip('link set eth1 up'));
      await on('rs2', ip(`route replace default via ${routerAddress.services} dev eth1`));
      await on('rs2', ['fairlead', 'realserver', 'add', vip, '--method', 'tunnel']);
      await on('rs2', sysctl('net.ipv4.conf.eth0.rp_filter=1'));
    },
    undo: async (on) => {
      await on('switch', ip('link del rs2-1'));
      await on('rs2', ip(`route replace default via ${routerAddress.far}`));
      await on('rs2', sysctl('net.ipv4.conf.eth0.rp_filter=0'));
    },
  },
  {
    name: 'local-ports',
    type: 'fullnat',
    apply: async (on, plan) => {
      const one = `${vip}:${mappedPort}`;
      await on('director', [ipvsadm, '-A', '-u', one, '-s', 'rr']);
      await on('director', [ipvsadm, '-a', '-u', one, '-r', `${addressOf(plan, 'rs1')}:${realUdpPort}`, '--fullnat']);
      const { localPorts } = JSON.parse((await on('director', ['fairlead', 'status', '-o', 'json'])).stdout) as Status;
      await on('client', datagrams(vip, mappedPort, localPorts));
    },
    undo: (on) => on('director', [ipvsadm, '-D', '-u', `${vip}:${mappedPort}`]),
  },
  {
    name: 'xdp-on-veth',
    type: 'fullnat',
    apply: (on) => on('director', ['fairlead', 'attach', 'eth0', '--hook', 'xdp']),
    undo: (on) => on('director', ['fairlead', 'attach']),
  },
];

/** Where nothing listens. */
const unusedPort = 9;

function fullConntrack(): Breakage {
  const setting = (name: string): string => `net.netfilter.nf_conntrack_${name}`;
  let most: number | undefined;
  return {
    name: 'conntrack-full',
    type: 'nat',
    apply: async (on) => {
      await on('rs2', 'nft add table ip lab'.split(' '));
      await on('rs2', ['nft', 'add chain ip lab input { type filter hook input priority 0; }']);
      await on('rs2', 'nft add rule ip lab input ct state new accept'.split(' '));
      await on('rs2', sysctl(`${setting('udp_timeout')}=600`));
      const { stdout } = await on('rs2', ['sysctl', '-n', setting('max'), setting('count')]);
      const [limit = 0, count = 0] = stdout.split('\n').map(Number);
      most = limit;
      await on('rs2', datagrams('127.0.0.1', unusedPort, limit - count));
    },
    undo: async (on) => {
      // First, for it is the machine's.
      if (most !== undefined) await on(machineItself, sysctl(`${setting('max')}=${most}`));
      return on('rs2', 'nft delete table ip lab'.split(' '));
    },
  };
}
