// Who stands between client and real server: each has an address that the client asks, and what makes it lead to the real server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Method, methods } from '../../src/model/service.ts';
import { root } from '../../test/root.ts';
import { type DirectorName, directAddress, hostOf, inner, type Network, outer, plainRip, ripBy } from './network.ts';
import type { Peers } from './peers.ts';

export interface Contender {
  readonly name: string;
  /** What the client asks, port 80 and port 5201. */
  readonly target: string;
  /** What the real server listens on for it. */
  readonly rip: string;
  readonly hook?: 'tc' | 'xdp';
  readonly hasUdp: boolean;
}

export const fairlead = join(root, 'bin/fairlead');
const ipvsadm = join(root, 'bin/ipvsadm');
const ports = [80, 5201] as const;
const methodOptions: Readonly<Record<Method, string>> = { masq: '-m', gate: '-g', tunnel: '-i', fullnat: '--fullnat' };

/** The real server's behind a router: it answers by the same. */
const routed = { bare: '10.2.0.1', routing: '10.2.0.2' } as const;

export function contenders(): readonly Contender[] {
  const ofHook = (hook: 'tc' | 'xdp'): readonly Contender[] =>
    methods.map((method) => ({
      ...{ name: `Fairlead ${method}, ${hook.toUpperCase()}`, target: vipOf(hook, method), hook, hasUdp: true },
      rip: ripOf(hook, method),
    }));
  return [
    { name: 'no director', target: directAddress, rip: directAddress, hasUdp: true },
    { name: 'bare redirect', target: routed.bare, rip: routed.bare, hasUdp: true },
    { name: 'plain routing', target: routed.routing, rip: routed.routing, hasUdp: true },
    { name: 'nftables DNAT', target: `${outer}${60}`, rip: ripBy('nftables'), hasUdp: true },
    { name: 'HAProxy', target: `${outer}${61}`, rip: plainRip, hasUdp: false },
    { name: 'nginx stream', target: `${outer}${62}`, rip: plainRip, hasUdp: true },
    ...ofHook('tc'),
    ...ofHook('xdp'),
  ];
}

function vipOf(hook: 'tc' | 'xdp', method: Method): string {
  return `${outer}${(hook === 'tc' ? 70 : 80) + methods.indexOf(method)}`;
}

/** Where the real server's programs take connections: gate's and tunnel's come for the VIP. */
function ripOf(hook: 'tc' | 'xdp', method: Method): string {
  if (method === 'gate' || method === 'tunnel') return vipOf(hook, method);
  return method === 'masq' ? ripBy(hook) : plainRip;
}

/** All at once: none costs another anything. Returns once each leads to the real server. */
export async function setUp(network: Network, peers: Peers): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  try {
    await serve(network, peers, folder);
    await route(network);
    await translate(network);
    await proxy(network, peers, folder);
    for (const hook of ['tc', 'xdp'] as const) await direct(network, hook);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const nginxCommon =
  'user root; daemon off; master_process on; worker_processes 2; worker_rlimit_nofile 16384; error_log stderr emerg;';

async function serve({ realServer }: Network, peers: Peers, folder: string): Promise<void> {
  for (const by of ['bare', 'routing'] as const) {
    await realServer.run(['ip', 'address', 'add', `${routed[by]}/32`, 'dev', 'lo']);
    await realServer.run(['ip', 'rule', 'add', 'from', routed[by], 'table', String(hostOf(by))]);
  }
  for (const hook of ['tc', 'xdp'] as const) {
    await realServer.run(['ip', 'address', 'add', `${vipOf(hook, 'gate')}/32`, 'dev', 'lo']);
    await realServer.run([fairlead, 'realserver', 'add', vipOf(hook, 'tunnel'), '--method', 'tunnel']);
  }
  const body = 'x'.repeat(128);
  // Debian's has other places compiled in, which are there only where it is installed.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const http = `${temporary.join(' ')} access_log off; keepalive_requests 1000000000; server { listen 80 reuseport backlog=65535; return 200 "${body}"; }`;
  await start(realServer, peers, folder, { name: 'real-server', text: `${nginxCommon} events {} http { ${http} }` });
  for (const rip of new Set(contenders().map((one) => one.rip))) realServer.start('iperf3', '--server', '--bind', rip);
}

async function route({ client, directors: { bare, routing } }: Network): Promise<void> {
  await forward(routing);
  await routing.run(['ip', 'route', 'add', routed.routing, 'via', plainRip]);
  const object = join(root, 'build/bpf/bare.bpf.o');
  for (const side of ['outer', 'inner']) {
    await bare.run(['tc', 'qdisc', 'add', 'dev', side, 'clsact']);
    await bare.run(['tc', 'filter', 'add', 'dev', side, 'ingress', 'bpf', 'da', 'obj', object, 'sec', 'tc']);
  }
  for (const by of ['bare', 'routing'] as const) {
    await client.run(['ip', 'route', 'add', routed[by], 'via', `${outer}${hostOf(by)}`]);
  }
}

async function translate({ directors: { nftables } }: Network): Promise<void> {
  const vip = `${outer}60`;
  await forward(nftables);
  await nftables.run(['ip', 'address', 'add', `${vip}/32`, 'dev', 'outer']);
  const rule = (protocol: string): string =>
    `ip daddr ${vip} ${protocol} dport { ${ports.join(', ')} } dnat to ${ripBy('nftables')}`;
  const chain = `type nat hook prerouting priority dstnat; ${rule('tcp')}; ${rule('udp')};`;
  await nftables.run(['nft', '-f', '-'], `table ip nat {\nchain prerouting {\n${chain}\n}\n}\n`);
}

async function proxy({ directors }: Network, peers: Peers, folder: string): Promise<void> {
  const { haproxy, nginx } = directors;
  await haproxy.run(['ip', 'address', 'add', `${outer}61/32`, 'dev', 'outer']);
  await nginx.run(['ip', 'address', 'add', `${outer}62/32`, 'dev', 'outer']);
  const listen = (port: number): string =>
    `listen port${port}\n  bind ${outer}61:${port} backlog 65535\n  server rs ${plainRip}:${port}\n`;
  const timeouts = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n';
  const path = join(folder, 'haproxy.cfg');
  const limits = 'global\n  maxconn 4000\n  nbthread 2\n';
  writeFileSync(path, `${limits}${timeouts}${ports.map(listen).join('')}`);
  haproxy.start('env', `LD_LIBRARY_PATH=${peers.libraries}`, peers.haproxy, '-db', '-f', path);
  await listening(haproxy, ports);
  const server = (port: number): string =>
    `server { listen ${port} reuseport backlog=65535; proxy_pass ${plainRip}:${port}; }` +
    ` server { listen ${port} udp reuseport; proxy_pass ${plainRip}:${port}; }`;
  const stream = `load_module ${peers.stream}; ${nginxCommon} events { worker_connections 4000; } stream { ${ports.map(server).join(' ')} }`;
  await start(nginx, peers, folder, { name: 'stream', text: stream });
  await listening(nginx, ports);
}

async function start(
  host: Network['client'],
  peers: Peers,
  folder: string,
  { name, text }: { readonly name: string; readonly text: string },
): Promise<void> {
  const path = join(folder, `${name}.conf`);
  writeFileSync(path, `pid ${join(folder, `${name}.pid`)}; ${text}\n`);
  host.start('env', `LD_LIBRARY_PATH=${peers.libraries}`, peers.nginx, '-e', 'stderr', '-p', folder, '-c', path);
  await listening(host, [80]);
}

/** Told by the kernel, not by how long it takes. */
async function listening(host: Network['client'], wanted: readonly number[]): Promise<void> {
  const filter = wanted.map((port) => `sport = ${port}`).join(' or ');
  const all = `until [ "$(ss -Htln '${filter}' | awk '{ print $4 }' | sed 's/.*://' | sort -u | wc -l)" = ${wanted.length} ]; do sleep 0.02; done`;
  await host.run(['timeout', '10', 'sh', '-c', all]);
}

async function forward(host: Network['client']): Promise<void> {
  await host.run(['sh', '-ec', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
}

async function direct(network: Network, hook: 'tc' | 'xdp'): Promise<void> {
  const director = network.directors[hook];
  const lines = methods.flatMap((method) =>
    (['-t', '-u'] as const).flatMap((protocol) =>
      ports.flatMap((port) => {
        const service = `${protocol} ${vipOf(hook, method)}:${port}`;
        const rip = method === 'masq' ? ripBy(hook) : `${inner}2`;
        return [`-A ${service} -s wlc`, `-a ${service} -r ${rip}:${port} ${methodOptions[method]}`];
      }),
    ),
  );
  for (const method of methods) {
    await director.run(['ip', 'address', 'add', `${vipOf(hook, method)}/32`, 'dev', 'outer']);
  }
  if (hook === 'xdp') await takeFrames(network, 'xdp');
  await director.run([fairlead, 'attach', 'outer', 'inner', '--hook', hook]);
  await director.run([ipvsadm, '-R'], `${lines.join('\n')}\n`);
}

/** A veth takes what XDP sends to it when its other end has a program. */
async function takeFrames({ switch: bridges }: Network, name: DirectorName): Promise<void> {
  const object = join(root, 'build/bpf/pass.bpf.o');
  for (const side of ['outer', 'inner']) {
    await bridges.run(['ip', 'link', 'set', `${side}-${hostOf(name)}`, 'xdp', 'obj', object, 'sec', 'xdp']);
  }
}

/** A frame that XDP sends has no device left to finish its checksum: then senders do so themselves, and segment themselves. */
export async function offload({ client, realServer }: Network, isOn: boolean): Promise<void> {
  const word = isOn ? 'on' : 'off';
  // Turning checksums on or off takes segmentation with it: the second time each is as asked for.
  const each = `for i in outer inner; do test ! -e /proc/sys/net/ipv4/conf/$i || ethtool -K $i tx ${word} tso ${word}; done`;
  for (const host of [client, realServer]) await host.run(['sh', '-c', `${each}; ${each}`]);
}

/** What Fairlead's directors pinned goes with them. */
export async function tearDown({ directors, realServer }: Network): Promise<void> {
  for (const hook of ['tc', 'xdp'] as const) await directors[hook].run([fairlead, 'detach']);
  await realServer.run([fairlead, 'realserver', 'reset']);
}
