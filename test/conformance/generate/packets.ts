// Random packets to a service and back: every field that has no meaning for it must pass untouched. What differs on purpose is
// left out: recorded routes, fragments whose datagram never becomes whole.
import type { Random } from '../../random.ts';

const PACKETS = 40;
const options = ['01010101', '94040000', '0101940400000000'];
/** Of IPv6: hop-by-hop options with a router alert, and destination options that are all padding. */
const extensions = [
  'header 0 0000050200000100',
  'header 60 0000010400000000',
  'header 60 00010104000000000106000000000000',
];

interface Scene {
  readonly family: 4 | 6;
  readonly method: string;
  readonly client: string;
  readonly realServer: string;
  readonly vips: readonly string[];
}

export function packets(random: Random): string {
  const family = random.once(2) ? 6 : 4;
  const method = random.pick(['-m', '-g', '-i']);
  const scene: Scene =
    family === 4
      ? { family, method, client: '10.0.0.1', realServer: '10.1.0.1', vips: ['$VIP', '$VIP', '$VIP', '$VIP2'] }
      : { family, method, client: 'fd00:a::1', realServer: 'fd00:b::1', vips: ['$VIP6'] };
  const { client, vips } = scene;
  const lines = ['# Random packets to and from one real server.', ...install(scene)];
  lines.push(`open 3 tcp ${client} 30000 ${vips[0]} 80`, `open 3 udp ${client} 30010 ${vips[0]} 53`);
  for (let packet = 0; packet < PACKETS; packet++) lines.push(packetOf(random, scene));
  return `${[...lines, 'connections', 'list', 'settle', "ipvs '-Ln --stats'"].join('\n')}\n`;
}

function install({ family, method, realServer, vips }: Scene): string[] {
  const inBrackets = (address: string): string => (family === 6 ? `[${address}]` : address);
  return ['-t', '-u'].flatMap((option) => {
    const port = option === '-t' ? 80 : 53;
    const service = `${option} ${inBrackets(vips[0] ?? '')}:${port}`;
    return [`ipvs "-A ${service} -s rr"`, `ipvs "-a ${service} -r ${inBrackets(realServer)}:${port} ${method}"`];
  });
}

function packetOf(random: Random, scene: Scene): string {
  const { family, method, client, realServer, vips } = scene;
  const ip = family === 4 ? 'ip' : 'ip6';
  const isTcp = random.once(2);
  const port = isTcp ? 30000 + random.below(4) : 30010 + random.below(4);
  const [name, service] = isTcp ? ['tcp', 80] : ['udp', 53];
  const rest = `${header(random, scene)} ${name}`;
  if (method === '-m' && random.once(3))
    return `r1 ${ip} ${realServer} ${client}${rest} ${service} ${port}${transport(random, isTcp)}`;
  return `c ${ip} ${client} ${random.pick(vips)}${rest} ${port} ${service}${transport(random, isTcp)}`;
}

function header(random: Random, { family }: Scene): string {
  const lifetime = random.maybe(2, () => ` ${family === 4 ? 'ttl' : 'hlim'} ${random.pick([1, 2, 3, 64, 128, 255])}`);
  const service = random.below(256);
  if (family === 6)
    return [
      lifetime,
      random.maybe(2, () => ` tc ${service}`),
      random.maybe(3, () => ` flow ${random.below(2 ** 20)}`),
      random.maybe(5, () => ` ${random.pick(extensions)}`),
    ].join('');
  return [
    lifetime,
    random.maybe(2, () => ` tos ${service}`),
    random.maybe(2, () => ' df'),
    random.maybe(8, () => ` opt ${random.pick(options)}`),
  ].join('');
}

function transport(random: Random, isTcp: boolean): string {
  const size = random.maybe(2, () => ` size ${random.pick([0, 1, 2, 7, 100, 535, 1001, 1380])}`);
  if (!isTcp) return `${random.maybe(12, () => ' badsum')}${size}`;
  const flags = random.pick(['A', 'A', 'PA', 'PA', 'PAU', 'A', 'none', 'U']);
  const more = random.maybe(3, () => ` opt ${random.pick(['0101080a0000000200000001', '01030307', '020405b4'])}`);
  return ` ${flags} seq ${random.below(2 ** 32)} ack ${random.below(2 ** 32)} win ${random.below(65536)}${more}${size}`;
}
