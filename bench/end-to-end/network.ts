// A client, a real server, and one director of each kind between them, in network namespaces on two bridges.
import { randomBytes } from 'node:crypto';
import { Child } from '../../src/lab/child.ts';
import { attempt, run } from '../../src/lab/command.ts';

/** Who stands between the client and the real server, each in a namespace of its own. */
export const directors = ['bare', 'routing', 'nftables', 'haproxy', 'nginx', 'tc', 'xdp'] as const;
export type DirectorName = (typeof directors)[number];

export interface Host {
  readonly namespace: string;
  /** What it printed; a status other than 0 is an error. */
  run(command: readonly string[], input?: string): Promise<string>;
  /** A program that runs on; it ends with the network at the latest. */
  start(...command: readonly string[]): Child;
}

export interface Network extends AsyncDisposable {
  readonly client: Host;
  readonly realServer: Host;
  readonly switch: Host;
  readonly directors: Readonly<Record<DirectorName, Host>>;
  readonly children: readonly Child[];
}

/** How addresses on the clients' and on the real server's side begin. */
export const [outer, inner] = ['10.0.0.', '10.1.0.'];
export const clientAddress = `${outer}1`;
/** The real server's own on the clients' side: its way to answer without the director. */
export const directAddress = `${outer}2`;
/** For directors that hide the client, or do without a gateway. */
export const plainRip = `${inner}2`;

/** The last part of a director's addresses on both sides. */
export function hostOf(director: DirectorName): number {
  return 20 + directors.indexOf(director);
}

/** The real server's address whose answers go by this director. */
export function ripBy(director: DirectorName): string {
  return `${inner}${120 + directors.indexOf(director)}`;
}

export async function openNetwork(): Promise<Network> {
  const prefix = `fairlead-bench-${process.pid}-${randomBytes(3).toString('hex')}-`;
  const children: Child[] = [];
  const lost: Error[] = [];
  const host = (name: string): Host => makeHost(prefix + name, children, (error) => lost.push(error));
  const own = Object.fromEntries(directors.map((name) => [name, host(name)])) as Record<DirectorName, Host>;
  const network: Network = {
    ...{ client: host('client'), realServer: host('rs'), switch: host('switch'), directors: own, children },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) await child[Symbol.asyncDispose]();
      const hosts = [network.client, network.realServer, network.switch, ...Object.values(own)];
      const input = hosts.map(({ namespace }) => `netns del ${namespace}\n`).join('');
      await attempt(['ip', '-force', '-batch', '-'], { input });
      if (lost[0] !== undefined) throw lost[0];
    },
  };
  try {
    await layOut(network);
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
  return network;
}

function makeHost(namespace: string, children: Child[], onLost: (error: Error) => void): Host {
  return {
    namespace,
    run: async (command, input = '') => (await run(command, { namespace, timeoutMs: 60_000, input })).stdout,
    start: (...command) => {
      // With a process namespace goes whatever the program started.
      const inOwn = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--fork', '--pid', '--kill-child', ...command];
      const child = new Child(inOwn, {
        namespace,
        title: command.join(' '),
        onLost,
      });
      children.push(child);
      return child;
    },
  };
}

interface Place {
  readonly host: Host;
  readonly number: number;
  readonly outer: boolean;
  readonly inner: boolean;
}

async function layOut(network: Network): Promise<void> {
  const { client, realServer, switch: bridges } = network;
  const places: readonly Place[] = [
    { host: client, number: 1, outer: true, inner: false },
    { host: realServer, number: 2, outer: true, inner: true },
    ...directors.map((name) => ({ host: network.directors[name], number: hostOf(name), outer: true, inner: true })),
  ];
  const lines = [`netns add ${bridges.namespace}`];
  for (const side of ['outer', 'inner']) lines.push(`link add name ${side} netns ${bridges.namespace} type bridge`);
  const ports: string[] = ['link set outer up', 'link set inner up'];
  for (const place of places) {
    lines.push(`netns add ${place.host.namespace}`);
    for (const [index, side] of (['outer', 'inner'] as const).entries()) {
      if (!place[side]) continue;
      const port = `${side}-${place.number}`;
      // bare.bpf.c knows both by heart.
      const own = `index ${2 + index} address 02:00:00:00:0${index}:${String(place.number).padStart(2, '0')}`;
      const ends = `${own} netns ${place.host.namespace} type veth peer name ${port} netns ${bridges.namespace}`;
      lines.push(`link add name ${side} ${ends}`);
      ports.push(`link set ${port} master ${side} up`);
    }
  }
  await run(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  await bridges.run(['ip', '-batch', '-'], `${ports.join('\n')}\n`);
  for (const place of places) await setUp(place);
  const rules = directors.flatMap((name) => [
    `address add ${ripBy(name)}/24 dev inner`,
    `rule add from ${ripBy(name)} table ${hostOf(name)}`,
    `route add default via ${inner}${hostOf(name)} table ${hostOf(name)}`,
  ]);
  await realServer.run(['ip', '-batch', '-'], `${rules.join('\n')}\n`);
}

/** Connections that are over must not stand in the way of new ones: one client asks as many as it has ports for, and again. */
const settings: Readonly<Record<string, string>> = {
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv4/conf/all/arp_ignore': '1',
  'net/ipv4/conf/all/arp_announce': '2',
  'net/ipv4/tcp_max_tw_buckets': '16',
  'net/ipv4/ip_local_port_range': '1024 65535',
  'net/core/somaxconn': '65535',
  'net/ipv4/tcp_max_syn_backlog': '65535',
};

async function setUp({ host, number, outer: onOuter, inner: onInner }: Place): Promise<void> {
  const written = Object.entries(settings).map(([name, value]) => `echo ${value} >/proc/sys/${name}\n`);
  await host.run(['sh', '-e'], written.join(''));
  const lines = ['link set lo up'];
  if (onOuter) lines.push(`address add ${outer}${number}/24 dev outer`, 'link set outer up');
  if (onInner) lines.push(`address add ${inner}${number}/24 dev inner`, 'link set inner up');
  await host.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`);
}
