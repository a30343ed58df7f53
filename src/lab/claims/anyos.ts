// nat-4 and fullnat-5: a real server of any operating system will do. It is shown untouched, then dressed as a stranger.
import type { Scene } from '../scene.ts';
import { realServers } from '../plans/addresses.ts';
import { at, synAckTrip } from '../trip.ts';
import { captureLagMs, outcome, portOfProof, proof, type Proof } from './claim.ts';

/** What another system's TCP may look like: another TTL, and no options but the segment size. */
const stranger = { ip_default_ttl: '128', tcp_timestamps: '0', tcp_sack: '0', tcp_window_scaling: '0' } as const;
const strangerTtl = 128;

export async function anySystemWillDo(scene: Scene): Promise<Proof> {
  const ordinary = await settingsOf(scene, 'client');
  const conditions: [boolean, string][] = [];
  for (const server of realServers) {
    const { stdout: addresses } = await scene.inside(server, 'ip', '-o', 'addr', 'show', 'up');
    const devices = [...new Set(addresses.split('\n').flatMap((line) => line.split(/\s+/)[1] ?? []))];
    const { stdout: filters } = await scene.inside(server, 'tc', 'qdisc', 'show', 'dev', 'eth0');
    const differing = differences(ordinary, await settingsOf(scene, server));
    const exchange = await scene.ask({ port: portOfProof(server) });
    conditions.push([
      !addresses.includes(scene.plan.vip) && devices.every((device) => device === 'lo' || device === 'eth0') &&
        !filters.includes('clsact') && differing.length === 0 && exchange.answer !== undefined,
      `${server} has ${devices.join(' and ')}, ${addresses.includes(scene.plan.vip) ? 'the' : 'no'} VIP, ${differing.length} of ${ordinary.size} IPv4 settings other than the client's${differing.length > 0 ? ` (${differing.slice(0, 3).join(', ')})` : ''}, and ${exchange.answer ? 'answered' : outcome(exchange)}`,
    ]);
  }
  conditions.push(await asStranger(scene));
  return proof(conditions);
}

async function asStranger(scene: Scene): Promise<[boolean, string]> {
  const before = await settingsOf(scene, 'rs3');
  await scene.set('rs3', stranger);
  try {
    const exchange = await scene.ask({ port: portOfProof('rs3') });
    const sent = (): ReturnType<typeof at> => at(synAckTrip(scene, exchange), 'rs3', 'out');
    await scene.wire.until(() => sent().length > 0, captureLagMs, scene.signal);
    const synAck = sent()[0]?.body;
    const optionBytes = synAck?.body?.kind === 'tcp' ? synAck.body.header.length - 20 : undefined;
    return [
      exchange.answer !== undefined && synAck?.ttl === strangerTtl && optionBytes === 4,
      `rs3 dressed as another system (its SYN-ACK: TTL ${synAck?.ttl}, ${optionBytes} bytes of TCP options) was ${exchange.answer ? 'answered for' : outcome(exchange)}`,
    ];
  } finally {
    await scene.set('rs3', Object.fromEntries(Object.keys(stranger).map((name) => [name, before.get(name) ?? ''])));
  }
}

/** Every readable IPv4 setting of the namespace, by its path below /proc/sys/net/ipv4. */
async function settingsOf(scene: Scene, host: string): Promise<Map<string, string>> {
  const script = 'cd /proc/sys/net/ipv4 && grep -r . . 2>/dev/null || true';
  const { stdout } = await scene.inside(host, 'sh', '-c', script);
  return new Map(
    stdout.split('\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(2, colon), line.slice(colon + 1)]];
    }),
  );
}

function differences(expected: ReadonlyMap<string, string>, got: ReadonlyMap<string, string>): string[] {
  return [...new Set([...expected.keys(), ...got.keys()])].filter((name) => expected.get(name) !== got.get(name));
}
