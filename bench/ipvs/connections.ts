// Whole connections in the emulated machine: a client, a real server, and between them everybody in turn who could direct.
import type { Method } from '../../src/model/service.ts';
import { root } from '../../test/root.ts';
import type { Peers } from '../end-to-end/peers.ts';

/** How much is asked. */
export interface Asking {
  readonly rounds: number;
  /** In a round. */
  readonly connections: number;
  readonly requests: number;
}

/** Those between client and real server, each in a namespace of its own; the place in the list is in its addresses. */
const directors = ['bare', 'routing', 'nftables', 'haproxy', 'ipvs', 'fairlead'] as const;
type DirectorName = (typeof directors)[number];

export interface Contender {
  readonly name: string;
  /** What the client asks, port 80. */
  readonly target: string;
}

/** Replies of these go past the director, by the wire between client and real server. */
const replyDirectly: readonly Method[] = ['gate', 'tunnel'];
/** The tunnel's last: what `fairlead realserver` attaches is on all of the real server's interfaces. */
const methodsOf = { ipvs: ['gate', 'masq', 'tunnel'], fairlead: ['gate', 'masq', 'fullnat', 'tunnel'] } as const;
const options: Readonly<Record<Method, string>> = { gate: '-g', masq: '-m', tunnel: '-i', fullnat: '--fullnat' };
const port = 80;
const direct = { client: '10.3.0.1', realServer: '10.3.0.2' } as const;

export const contenders: readonly Contender[] = [
  { name: 'no director', target: direct.realServer },
  { name: 'bare redirect', target: ripBehind('bare') },
  { name: 'plain routing', target: ripBehind('routing') },
  { name: 'nftables DNAT', target: vipOf('nftables') },
  { name: 'HAProxy', target: vipOf('haproxy') },
  ...methodsOf.ipvs.map((method) => ({ name: `IPVS ${method}`, target: vipOf('ipvs', method) })),
  ...methodsOf.fairlead.map((method) => ({ name: `Fairlead ${method}, TC`, target: vipOf('fairlead', method) })),
];

function numberOf(director: DirectorName): number {
  return 10 + directors.indexOf(director);
}

function ripBehind(director: DirectorName): string {
  return `10.1.${numberOf(director)}.2`;
}

function vipOf(director: DirectorName, method: Method = 'masq'): string {
  return `10.2.${numberOf(director)}.${1 + ['gate', 'masq', 'tunnel', 'fullnat'].indexOf(method)}`;
}

/** Prints `= NAME|connection` or `|request` before the rounds of each. `haproxyConfig`: where haproxyText() is found. */
export function askingScript({ rounds, connections, requests }: Asking, peers: Peers, haproxyConfig: string): string {
  return `
    set -e
    in_() { space=$1; shift; nsenter --net=/run/netns/$space "$@"; }
    # tunl0 and others would have the numbers that bare.bpf.c knows.
    echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net
    ${['client', 'rs', ...directors].map(addHost).join('\n')}
    ${layOut()
      .map((words) => `ip ${words}`)
      .join('\n')}
    in_ rs chrt -b 0 /mnt/ask serve 0.0.0.0 ${port} &
    ${setUp(peers, haproxyConfig)}
    until in_ haproxy ss -Htln | grep -q :${port}; do sleep 0.1; done
    # Woken, a batch process waits for its turn: else it interrupts who woke it on some rounds, and on others does not.
    ask() { echo "= $1|$2"; in_ client chrt -b 0 /mnt/ask $2s $3 ${port} $4 ${rounds}; }
    ${contenders
      .map(
        ({ name, target }) => `${name === 'Fairlead tunnel, TC' ? takeTunnel() : ''}
    ask '${name}' connection ${target} ${connections}
    ask '${name}' request ${target} ${requests}`,
      )
      .join('\n')}`;
}

/** HAProxy has one thread, as the machine has one CPU. */
export function haproxyText(): string {
  return [
    'global\n  maxconn 4000\n  nbthread 1',
    'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s',
    `listen ask\n  bind ${vipOf('haproxy')}:${port}\n  server rs ${ripBehind('haproxy')}:${port}\n`,
  ].join('\n');
}

/** None remembers a connection that is over: what is left of earlier ones would make later ones dearer. */
const settings: Readonly<Record<string, string>> = {
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv4/tcp_max_tw_buckets': '0',
  'net/ipv4/ip_local_port_range': '1024 65535',
};

function addHost(name: string): string {
  const written = Object.entries(settings).map(([path, value]) => `echo ${value} >/proc/sys/${path}`);
  return `ip netns add ${name}; ip -n ${name} link set lo up; in_ ${name} sh -ec '${written.join('; ')}'`;
}

/** Neighbours are known for good: nobody asks for one while it is counted. */
function layOut(): readonly string[] {
  const wire = [
    'link add name direct address 02:00:00:00:02:01 netns client type veth peer name direct address 02:00:00:00:02:02 netns rs',
    ...end('client', 'direct', direct.client, [direct.realServer, '02:00:00:00:02:02']),
    ...end('rs', 'direct', direct.realServer, [direct.client, '02:00:00:00:02:01']),
  ];
  return [...wire, ...directors.flatMap(layOutDirector)];
}

/** bare.bpf.c knows the MACs of client and real server, and the director's interfaces, by heart. */
function layOutDirector(name: DirectorName): readonly string[] {
  const number = numberOf(name);
  const macs = { client: '02:00:00:00:00:01', outer: `02:00:00:00:00:${number}` };
  const inside = { realServer: '02:00:00:00:01:02', inner: `02:00:00:00:01:${number}` };
  const [outer, inner] = [`10.0.${number}.`, `10.1.${number}.`];
  return [
    `-n ${name} link add name outer index 2 address ${macs.outer} type veth peer name ${name} address ${macs.client} netns client`,
    `-n ${name} link add name inner index 3 address ${inside.inner} type veth peer name ${name} address ${inside.realServer} netns rs`,
    ...end('client', name, `${outer}1`, [`${outer}254`, macs.outer]),
    ...end(name, 'outer', `${outer}254`, [`${outer}1`, macs.client]),
    ...end(name, 'inner', `${inner}254`, [`${inner}2`, inside.realServer]),
    ...end('rs', name, `${inner}2`, [`${inner}254`, inside.inner]),
    `-n ${name} route add ${direct.client} via ${outer}1`,
    `-n client route add 10.2.${number}.0/24 via ${outer}254`,
    `-n client route add ${inner}2 via ${outer}254`,
    `-n rs route add ${outer}0/24 via ${inner}254`,
  ];
}

function end(
  host: string,
  device: string,
  address: string,
  [neighbour, mac]: readonly [string, string],
): readonly string[] {
  return [
    `-n ${host} address add ${address}/24 dev ${device}`,
    `-n ${host} link set ${device} up`,
    `-n ${host} neighbour replace ${neighbour} lladdr ${mac} nud permanent dev ${device}`,
  ];
}

function setUp(peers: Peers, haproxyConfig: string): string {
  const balancers = Object.entries(methodsOf) as [keyof typeof methodsOf, readonly Method[]][];
  const vips = balancers.flatMap(([director, methods]) => methods.map((method) => ({ director, method })));
  return [
    ...['outer', 'inner'].map(
      (device) =>
        `in_ bare tc qdisc add dev ${device} clsact; in_ bare tc filter add dev ${device} ingress bpf da obj ${root}/build/bpf/bare.bpf.o sec tc`,
    ),
    ...directors.map((name) => `in_ ${name} sh -ec 'echo 1 >/proc/sys/net/ipv4/ip_forward'`),
    ...(['nftables', 'haproxy'] as const).map((name) => `ip -n ${name} address add ${vipOf(name)}/32 dev outer`),
    `in_ nftables nft 'table ip nat { chain prerouting { type nat hook prerouting priority dstnat; ip daddr ${vipOf('nftables')} tcp dport ${port} dnat to ${ripBehind('nftables')}; }; }'`,
    `in_ haproxy env LD_LIBRARY_PATH=${peers.libraries} ${peers.haproxy} -db -f ${haproxyConfig} &`,
    ...vips.map(({ director, method }) => `ip -n ${director} address add ${vipOf(director, method)}/32 dev outer`),
    ...vips
      .filter(({ method }) => replyDirectly.includes(method))
      .map(({ director, method }) => {
        const vip = vipOf(director, method);
        // The client's address is the wire's, so the real server answers by it.
        return `ip -n client route add ${vip} via 10.0.${numberOf(director)}.254 src ${direct.client}`;
      }),
    ...[vipOf('ipvs', 'gate'), vipOf('ipvs', 'tunnel'), vipOf('fairlead', 'gate')].map(
      (vip) => `ip -n rs address add ${vip}/32 dev lo`,
    ),
    'ip -n rs link add name ipip type ipip; ip -n rs link set ipip up',
    `in_ fairlead ${root}/bin/fairlead attach outer inner --hook tc`,
    `printf '%s\\n' ${services('fairlead')} | in_ fairlead ${root}/bin/ipvsadm -R`,
    `printf '%s\\n' ${services('ipvs')} | in_ ipvs /usr/sbin/ipvsadm -R`,
  ].join('\n');
}

function services(director: keyof typeof methodsOf): string {
  return methodsOf[director]
    .flatMap((method) => {
      const service = `-t ${vipOf(director, method)}:${port}`;
      return [`'-A ${service} -s wlc'`, `'-a ${service} -r ${ripBehind(director)}:${port} ${options[method]}'`];
    })
    .join(' ');
}

function takeTunnel(): string {
  return `in_ rs ${root}/bin/fairlead realserver add ${vipOf('fairlead', 'tunnel')} --method tunnel >/dev/null`;
}
