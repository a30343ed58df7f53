// Random packets to a service and back: every field that has no meaning for it must pass untouched.
import { has } from './features.ts';
import type { Random } from '../../random.ts';

const PACKETS = 40;
const options = ['01010101', '94040000', ...(has('recorded routes') ? ['0707040000000000'] : [])];

export function packets(random: Random): string {
  const method = random.pick(['-m', '-g', '-i']);
  const lines = ['# Random packets to and from one real server.'];
  lines.push(`serve "-t $VIP:80 -s rr" ${method} 1`, `serve "-u $VIP:53 -s rr" ${method} 1`);
  lines.push('open 3 tcp 10.0.0.1 30000 $VIP 80', 'open 3 udp 10.0.0.1 30010 $VIP 53');
  for (let packet = 0; packet < PACKETS; packet++) lines.push(packetOf(random, method));
  return `${[...lines, 'connections', 'list', 'settle', "ipvs '-Ln --stats'"].join('\n')}\n`;
}

function packetOf(random: Random, method: string): string {
  const isTcp = random.once(2);
  const client = isTcp ? 30000 + random.below(4) : 30010 + random.below(4);
  if (method === '-m' && random.once(3))
    return `r1 ip 10.1.0.1 10.0.0.1${header(random)} ${isTcp ? 'tcp' : 'udp'} 80 ${client}${transport(random, isTcp)}`;
  const vip = random.pick(['$VIP', '$VIP', '$VIP', '$VIP2']);
  return `c ip 10.0.0.1 ${vip}${header(random)} ${isTcp ? 'tcp' : 'udp'} ${client} ${isTcp ? 80 : 53}${transport(random, isTcp)}`;
}

function header(random: Random): string {
  return [
    random.maybe(2, () => ` ttl ${random.pick([has('own errors counted') ? 1 : 2, 2, 3, 64, 128, 255])}`),
    random.maybe(2, () => ` tos ${random.below(256) & (has('congestion in tunnels') ? 255 : 254)}`),
    random.maybe(2, () => ' df'),
    random.maybe(8, () => ` opt ${random.pick(options)}`),
    has('fragments') ? random.maybe(20, () => ' mf') : '',
  ].join('');
}

function transport(random: Random, isTcp: boolean): string {
  const size = random.maybe(2, () => ` size ${random.pick([0, 1, 2, 7, 100, 535, 1001, 1380])}`);
  if (!isTcp) return `${random.maybe(12, () => ' badsum')}${size}`;
  const flags = random.pick(['A', 'A', 'PA', 'PA', 'PAU', 'A', 'none', 'U']);
  const options = random.maybe(3, () => ` opt ${random.pick(['0101080a0000000200000001', '01030307', '020405b4'])}`);
  return ` ${flags} seq ${random.below(2 ** 32)} ack ${random.below(2 ** 32)} win ${random.below(65536)}${options}${size}`;
}
