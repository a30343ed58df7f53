// nat-4 and fullnat-5: a real server of any operating system will do. It is shown untouched, then dressed as a stranger.
import { realServers } from '../plans/addresses.ts';
import type { Scene } from '../scene.ts';
import { at, synAckTrip } from '../trip.ts';
import { appears, type Condition, outcome, type Proof, portOfProof, proof } from './claim.ts';

/** What another system's TCP may look like: another TTL, and no options but the segment size. */
const stranger = { ip_default_ttl: '128', tcp_timestamps: '0', tcp_sack: '0', tcp_window_scaling: '0' } as const;
const strangerTtl = 128;
const segmentSizeOption = 4;

/** By their paths below /proc/sys/net/ipv4. */
type Settings = ReadonlyMap<string, string>;

export async function anySystemWillDo(scene: Scene): Promise<Proof> {
  const ordinary = await settingsOf(scene, 'client');
  const conditions: Condition[] = [];
  for (const server of realServers) conditions.push(await isUntouched(scene, server, ordinary));
  conditions.push(await asStranger(scene));
  return proof(conditions);
}

async function isUntouched(scene: Scene, server: string, ordinary: Settings): Promise<Condition> {
  const { stdout: addresses } = await scene.inside(server, 'ip -o addr show up');
  const { stdout: queues } = await scene.inside(server, 'tc qdisc show dev eth0');
  const devices = [...new Set(addresses.split('\n').flatMap((line) => line.split(/\s+/)[1] ?? []))];
  const differing = differences(ordinary, await settingsOf(scene, server));
  const hasVip = addresses.includes(scene.plan.vip);
  const hasPrograms = queues.includes('clsact');
  const exchange = await scene.ask({ port: portOfProof(server) });
  return [
    !hasVip && !hasPrograms && differing.length === 0 && devices.join() === 'lo,eth0' && exchange.answer !== undefined,
    [
      `${server} has ${devices.join(' and ')}`,
      hasVip ? 'the VIP' : 'no VIP',
      hasPrograms ? 'programs on eth0' : 'no program on eth0',
      `${differing.length} of ${ordinary.size} IPv4 settings unlike the client's ${differing.slice(0, 3).join(' ')}`.trimEnd(),
      `and the request was ${outcome(exchange)}`,
    ].join(', '),
  ];
}

async function asStranger(scene: Scene): Promise<Condition> {
  const before = await settingsOf(scene, 'rs3');
  await scene.set('rs3', stranger);
  try {
    const exchange = await scene.ask({ port: portOfProof('rs3') });
    const synAck = (await appears(scene, () => at(synAckTrip(scene, exchange), 'rs3', 'out')))?.body;
    const optionBytes = synAck?.body?.kind === 'tcp' ? synAck.body.header.length - 20 : undefined;
    return [
      exchange.answer !== undefined && synAck?.ttl === strangerTtl && optionBytes === segmentSizeOption,
      `with rs3 dressed as another system (its SYN-ACK: TTL ${synAck?.ttl}, ${optionBytes} bytes of TCP options) the request was ${outcome(exchange)}`,
    ];
  } finally {
    await scene.set('rs3', Object.fromEntries(Object.keys(stranger).map((name) => [name, before.get(name) ?? ''])));
  }
}

async function settingsOf(scene: Scene, host: string): Promise<Settings> {
  // Some can only be written, and so grep complains.
  const { stdout } = await scene.inside(host, 'sh', 'cd /proc/sys/net/ipv4\ngrep -r . . 2>/dev/null || true\n');
  return new Map(
    stdout.split('\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(2, colon), line.slice(colon + 1)]];
    }),
  );
}

function differences(expected: Settings, got: Settings): string[] {
  return [...new Set([...expected.keys(), ...got.keys()])].filter((name) => expected.get(name) !== got.get(name));
}
