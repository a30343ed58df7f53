// A client, a director and three real servers in network namespaces of their own, with the addresses that a method needs.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Child } from '../../src/lab/child.ts';
import { attempt, type CommandOptions, type Outcome, run } from '../../src/lab/command.ts';
import { parseAddress } from '../../src/model/address.ts';
import type { Method } from '../../src/model/service.ts';
import { root } from '../root.ts';

export type Family = 4 | 6;
/** `outer` and `inner`: how addresses on the two networks begin. */
const places = {
  4: { outer: '10.0.0.', inner: '10.1.0.', prefix: 24, host: 32 },
  6: { outer: 'fd00:a::', inner: 'fd00:b::', prefix: 64, host: 128 },
} as const;

export const vip = vipOf(4);
export const clientAddress = `${places[4].outer}1`;
/** The director's on the real servers' side. */
export const dip = `${places[4].inner}254`;
export const ipvsadm = join(root, 'bin/ipvsadm');
export const fairlead = join(root, 'bin/fairlead');

const methodOptions: Readonly<Record<Method, string>> = { masq: '-m', gate: '-g', tunnel: '-i', fullnat: '--fullnat' };
const serverProgram = join(root, 'test/e2e/programs/server.mjs');
/** Where ports can be mapped, they are: what listens at the VIP's own port is then nothing. */
const portShift = 8000;

/** The two networks; each host's interface to one has its name. */
export type Segment = 'outer' | 'inner';

export interface Host {
  readonly namespace: string;
  /** What it printed; a status other than 0 is an error. */
  run(...command: readonly string[]): Promise<string>;
  /** Any status is a result. */
  attempt(
    command: readonly string[],
    options?: Omit<CommandOptions, 'namespace'>,
    signal?: AbortSignal,
  ): Promise<Outcome>;
  /** A program that runs on; it ends with the network at the latest. */
  start(...command: readonly string[]): Child;
}

export interface RealServer extends Host {
  readonly name: string;
  readonly rip: string;
}

export interface Network extends AsyncDisposable {
  readonly method: Method;
  readonly family: Family;
  readonly vip: string;
  readonly client: Host;
  readonly director: Host;
  readonly realServers: readonly [RealServer, RealServer, RealServer];
  /** Bridges, and a port for each host's interface: `client-outer`. */
  readonly switch: Host;
  /** What a real server's programs listen on. */
  readonly realAddress: (realServer: RealServer) => string;
  readonly realPort: (port: number) => number;
}

export async function openNetwork(method: Method, family: Family = 4): Promise<Network> {
  const prefix = `fairlead-e2e-${process.pid}-${randomBytes(3).toString('hex')}-`;
  const children: Child[] = [];
  const lost: Error[] = [];
  const host = (name: string): Host => makeHost(prefix + name, children, (error) => lost.push(error));
  const realServer = (number: number): RealServer => ({
    ...host(`rs${number}`),
    name: `rs${number}`,
    rip: `${places[family].inner}${number}`,
  });
  const isMapped = method === 'masq' || method === 'fullnat';
  const network: Network = {
    method,
    family,
    vip: vipOf(family),
    client: host('client'),
    director: host('director'),
    realServers: [realServer(1), realServer(2), realServer(3)],
    switch: host('switch'),
    realAddress: ({ rip }) => (isMapped ? rip : vipOf(family)),
    realPort: (port) => (isMapped ? port + portShift : port),
    [Symbol.asyncDispose]: async () => {
      for (const child of children) await child[Symbol.asyncDispose]();
      await network.director.attempt([fairlead, 'detach']);
      if (method === 'tunnel') {
        for (const one of network.realServers) await one.attempt([fairlead, 'realserver', 'remove', network.vip]);
      }
      const hosts = [network.client, network.director, ...network.realServers, network.switch];
      const input = hosts.map(({ namespace }) => `netns del ${namespace}\n`).join('');
      await attempt(['ip', '-force', '-batch', '-'], { input });
      if (lost[0] !== undefined) throw lost[0];
    },
  };
  try {
    await layOut(network);
    await Promise.all(network.realServers.map((one) => setUp(one, network)));
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
  return network;
}

export interface Service {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** All of them if not given. */
  readonly realServers?: readonly RealServer[];
  readonly scheduler?: string;
}

/** Lines for `ipvsadm -R`. */
export function serviceLines(network: Network, { protocol, port, ...rest }: Service): string[] {
  const { realServers = network.realServers, scheduler = 'rr' } = rest;
  const service = `${protocol === 'tcp' ? '-t' : '-u'} ${inUrl(network.vip)}:${port}`;
  return [
    `-A ${service} -s ${scheduler}`,
    ...realServers.map((one) => `-a ${service} -r ${destination(network, one, port)} ${methodOption(network)}`),
  ];
}

export async function addServices(network: Network, services: readonly Service[]): Promise<void> {
  await restore(
    network,
    services.flatMap((service) => serviceLines(network, service)),
  );
}

export async function restore(network: Network, lines: readonly string[]): Promise<void> {
  const { status, stderr } = await network.director.attempt([ipvsadm, '-R'], { input: `${lines.join('\n')}\n` });
  if (status !== 0) throw new Error(`ipvsadm -R: status ${status}: ${stderr}`);
}

export function destination(network: Network, { rip }: RealServer, port: number): string {
  return `${inUrl(rip)}:${network.realPort(port)}`;
}

/** Where a port may follow. */
export function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

export function methodOption({ method }: Network): string {
  return methodOptions[method];
}

function makeHost(namespace: string, children: Child[], onLost: (error: Error) => void): Host {
  return {
    namespace,
    run: async (...command) => (await run(command, { namespace, timeoutMs: 60_000 })).stdout,
    attempt: (command, options, signal) => attempt(command, { timeoutMs: 60_000, ...options, namespace }, signal),
    start: (...command) => {
      const child = new Child(['setpriv', '--pdeathsig', 'KILL', ...command], {
        namespace,
        title: command.join(' '),
        onLost,
      });
      children.push(child);
      return child;
    },
  };
}

async function layOut(network: Network): Promise<void> {
  const place = network.switch.namespace;
  const lines = [`netns add ${place}`];
  for (const segment of ['outer', 'inner']) lines.push(`link add name ${segment} netns ${place} type bridge`);
  for (const { host, name, legs } of plan(network)) {
    lines.push(`netns add ${host.namespace}`);
    for (const [segment, address] of Object.entries(legs)) {
      const port = `${name}-${segment}`;
      const ends = `address ${macOf(address)} type veth peer name ${port} netns ${place}`;
      lines.push(`link add name ${segment} netns ${host.namespace} ${ends}`);
    }
  }
  await run(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  // A new namespace has the settings of the one it is made in: these are an untouched machine's.
  const untouched = ['ip_forward', 'conf/all/rp_filter', 'conf/default/rp_filter'];
  const reset = untouched.map((name) => `echo 0 > /proc/sys/net/ipv4/${name}\n`).join('');
  const ports: string[] = ['link set outer up', 'link set inner up'];
  const { prefix } = places[network.family];
  const once = network.family === 6 ? ' nodad' : ''; // or they could not be used for a second
  for (const { host, name, legs, addresses = [], gateway } of plan(network)) {
    await host.attempt(['sh', '-e'], { input: reset });
    const own = ['link set lo up'];
    for (const [segment, address] of Object.entries(legs)) {
      own.push(`addr add ${address}/${prefix} dev ${segment}${once}`, `link set ${segment} up`);
      ports.push(`link set ${name}-${segment} master ${segment} up`);
    }
    own.push(...addresses.map((each) => `addr add ${each}${once}`));
    if (gateway !== undefined) own.push(`route add default via ${gateway}`);
    await run(['ip', '-n', host.namespace, '-batch', '-'], { input: `${own.join('\n')}\n` });
  }
  await run(['ip', '-n', place, '-batch', '-'], { input: `${ports.join('\n')}\n` });
}

interface Leg {
  readonly host: Host;
  readonly name: string;
  readonly legs: Partial<Readonly<Record<Segment, string>>>;
  readonly addresses?: readonly string[];
  readonly gateway?: string;
}

/** A real server of masq answers by the director, one of fullnat has no other way, those of gate and tunnel go past it. */
function plan({ method, family, client, director, realServers }: Network): readonly Leg[] {
  const { outer, inner, host: length } = places[family];
  return [
    { host: client, name: 'client', legs: { outer: `${outer}1` } },
    {
      host: director,
      name: 'director',
      legs: { outer: `${outer}254`, inner: `${inner}254` },
      addresses: [`${vipOf(family)}/${length} dev outer`],
    },
    ...realServers.map((host, index) => ({
      host,
      name: host.name,
      legs: {
        inner: host.rip,
        ...(method === 'gate' || method === 'tunnel' ? { outer: `${outer}${11 + index}` } : {}),
      },
      ...(method === 'masq' ? { gateway: `${inner}254` } : {}),
    })),
  ];
}

async function setUp(realServer: RealServer, network: Network): Promise<void> {
  if (network.method === 'gate') await holdVip(realServer, network);
  if (network.method === 'tunnel')
    await realServer.run(fairlead, 'realserver', 'add', network.vip, '--method', 'tunnel');
  await startServer(realServer, realServer.name, network.realAddress(realServer), network.realPort(0));
}

/** A real server's programs on any host; they answer with the name. */
export async function startServer(host: Host, name: string, address: string, shift = 0): Promise<void> {
  const child = host.start(process.execPath, serverProgram, name, address, String(shift));
  await child.saying('ready', 'stdout', AbortSignal.timeout(10_000));
}

/** It has the VIP and keeps silent about it. */
async function holdVip(realServer: RealServer, { family, vip: own }: Network): Promise<void> {
  if (family === 4)
    await realServer.run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_announce=2');
  await realServer.run('ip', 'addr', 'add', `${own}/${places[family].host}`, 'dev', 'lo');
}

/** Readable in a capture: 02:00 and the last four bytes of the address, or of IPv6's network and host two each. */
function macOf(address: string): string {
  const { bytes } = parseAddress(address);
  const shown = bytes.length === 4 ? bytes : [...bytes.slice(2, 4), ...bytes.slice(14)];
  return ['02', '00', ...shown.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

export function vipOf(family: Family): string {
  return `${places[family].outer}100`;
}
