// Random packets of a few connections from both of their ends, in any order, and what each makes of its connection.
import type { Random } from '../../random.ts';

const CONNECTIONS = 6;
const PACKETS = 5;
const PORT = 80;

const segments = ['S', 'S', 'SA', 'A', 'A', 'PA', 'FA', 'FA', 'F', 'R', 'RA', 'SF', 'SR', 'none', 'U', 'FSRPAU'];
const chunks = [
  ...['data', 'init', 'init', 'init-ack', 'sack', 'heartbeat', 'heartbeat-ack', 'abort', 'shutdown', 'shutdown-ack'],
  ...['error', 'cookie-echo', 'cookie-ack', 'ecne', 'cwr', 'shutdown-complete'],
];
/** How most connections begin, so that what comes later means something. */
const beginnings: Readonly<Record<Scene['protocol'], readonly (readonly string[])[]>> = {
  tcp: [['cS'], ['cS', 'sSA'], ['cS', 'sSA', 'cA'], ['cS', 'sSA', 'cA', 'cFA'], ['cS', 'sSA', 'cA', 'sFA'], []],
  sctp: [
    ['cinit'],
    ['cinit', 'sinit-ack'],
    ['cinit', 'sinit-ack', 'ccookie-echo'],
    ['cinit', 'sinit-ack', 'ccookie-echo', 'scookie-ack'],
    [],
  ],
};
const settings: Readonly<Record<Scene['protocol'], readonly string[]>> = {
  tcp: ['sloppy_tcp 1', 'secure_tcp 3', 'conn_reuse_mode 0', 'conn_reuse_mode 2'],
  sctp: ['sloppy_sctp 1', 'conn_reuse_mode 0'],
};

interface Scene {
  readonly protocol: 'tcp' | 'sctp';
  readonly ip: 'ip' | 'ip6';
  readonly vip: string;
  readonly client: string;
  readonly realServer: string;
  readonly isTranslated: boolean;
}

export function states(random: Random): string {
  const [method, protocol] = [random.pick(['-m', '-m', '-g', '-i']), random.pick(['tcp', 'tcp', 'sctp'] as const)];
  const isTranslated = method === '-m';
  const scene: Scene = random.once(3)
    ? { protocol, ip: 'ip6', vip: '$VIP6', client: 'fd00:a::1', realServer: 'fd00:b::1', isTranslated }
    : { protocol, ip: 'ip', vip: '$VIP', client: '10.0.0.1', realServer: '10.1.0.1', isTranslated };
  const inBrackets = (address: string): string => (scene.ip === 'ip6' ? `[${address}]` : address);
  const service = `${protocol === 'tcp' ? '-t' : '--sctp-service'} ${inBrackets(scene.vip)}:${PORT}`;
  const lines = ['# Random packets of few connections, from both ends.'];
  lines.push(`ipvs "-A ${service} -s rr"`, `ipvs "-a ${service} -r ${inBrackets(scene.realServer)}:${PORT} ${method}"`);
  if (random.once(2)) lines.push(`setting ${random.pick(settings[protocol])}`);
  for (let number = 0; number < CONNECTIONS; number++) lines.push(...connection(random, scene, 30001 + number));
  return `${[...lines, 'settle', "ipvs '-Ln --stats'"].join('\n')}\n`;
}

function connection(random: Random, scene: Scene, port: number): string[] {
  const beginning = random.pick(beginnings[scene.protocol]);
  const rest = Array.from({ length: PACKETS }, () => `${random.pick(['c', 'c', 's'])}${said(random, scene)}`);
  return [...beginning, ...rest].flatMap((word) =>
    word.startsWith('s') && !scene.isTranslated ? [] : [packet(scene, port, word), `t 'ipvsadm -Lnc | grep :${port}'`],
  );
}

function said(random: Random, { protocol }: Scene): string {
  if (protocol === 'tcp') return random.pick(segments);
  return `${random.pick(chunks)}${random.maybe(4, () => ` ${random.pick(chunks)}`)}`;
}

/** `cS`: the client says SYN; `s`: the real server. */
function packet({ protocol, ip, vip, client, realServer }: Scene, port: number, word: string): string {
  const text = `${protocol === 'sctp' ? '1 ' : ''}${word.slice(1)}`;
  return word.startsWith('c')
    ? `c ${ip} ${client} ${vip} ${protocol} ${port} ${PORT} ${text}`
    : `r1 ${ip} ${realServer} ${client} ${protocol} ${PORT} ${port} ${text}`;
}
