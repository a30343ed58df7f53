// dr-4: LVS-DR's ARP problem, brought about on purpose, and its three cures, each against the same provocation.
import { FairleadError } from '../../model/error.ts';
import { attempt } from '../command.ts';
import { addressOf } from '../plan.ts';
import { httpPort, realServers, routerAddress } from '../plans/addresses.ts';
import type { Exchange, Scene } from '../scene.ts';
import { clientEnds, packets } from '../trip.ts';
import { captureLagMs, macOfHost, portOfProof, proof, whoAnswered, type Proof } from './claim.ts';

/** The router's interface towards director and real servers. */
const routerDevice = 'eth1';
const silent = { 'conf/all/arp_ignore': '1', 'conf/all/arp_announce': '2' } as const;
const talkative = { 'conf/all/arp_ignore': '0', 'conf/all/arp_announce': '0' } as const;
/** A router takes no other answer for a second after the first (units of 10 ms); without that, at once. */
const lockTime = `neigh/${routerDevice}/locktime`;
const requests = 6;

interface Cure {
  readonly name: string;
  readonly apply: (scene: Scene) => Promise<string>;
  readonly undo: (scene: Scene) => Promise<void>;
}

const cures: readonly Cure[] = [
  { name: 'static ARP on the router', apply: pinRouter, undo: unpinRouter },
  { name: 'arptables on the RS', apply: filterArp, undo: unfilterArp },
  {
    name: 'arp_ignore=1 with arp_announce=2 on the RS',
    apply: async (scene) => (await scene.set('rs1', silent), 'sysctl'),
    undo: (scene) => scene.set('rs1', talkative),
  },
];

export async function answersArp(scene: Scene): Promise<Proof> {
  const { stdout: before } = await scene.inside('router', 'cat', `/proc/sys/net/ipv4/${lockTime}`);
  const conditions: (readonly [boolean, string])[] = [];
  await scene.set('router', { [lockTime]: '0' });
  await scene.set('rs1', talkative);
  try {
    const broken = await provoke(scene);
    conditions.push([
      broken.neighbour === macOfHost(scene, 'rs1') && broken.answers > 0 && broken.atDirector === 0 && broken.answeredBy.join() === 'rs1',
      `broken by rs1 with arp_ignore=0: ${tell(broken)}`,
    ]);
    for (const cure of cures) {
      const how = await cure.apply(scene);
      const mended = await provoke(scene);
      await cure.undo(scene);
      conditions.push([
        mended.neighbour === macOfHost(scene, 'director') && mended.atDirector === requests && mended.answeredBy.length === realServers.length,
        `mended by ${cure.name} (${how}): ${tell(mended)}`,
      ]);
    }
    return proof(conditions);
  } finally {
    await scene.set('rs1', silent);
    await scene.set('router', { [lockTime]: before.trim() });
    await forget(scene, 'router', scene.plan.vip, routerDevice);
  }
}

interface Effect {
  /** The MAC that the router has for the VIP. */
  readonly neighbour: string;
  readonly answers: number;
  readonly announcements: number;
  /** How many of the requests passed the director. */
  readonly atDirector: number;
  readonly answeredBy: readonly string[];
}

/** Makes the router ask for the VIP, and rs1 ask for the router while it answers from the VIP; then asks the service. */
async function provoke(scene: Scene): Promise<Effect> {
  const fromNs = BigInt(Date.now()) * 1_000_000n;
  await forget(scene, 'router', scene.plan.vip, routerDevice);
  await forget(scene, 'rs1', routerAddress.services, 'eth0');
  await scene.ask({ port: portOfProof('rs1') });
  const exchanges: Exchange[] = [];
  for (let count = 0; count < requests; count++) exchanges.push(await scene.ask({ port: httpPort }));
  const { stdout } = await scene.inside('router', 'ip', '-o', 'neigh', 'show', 'to', scene.plan.vip, 'dev', routerDevice);

  const passed = (exchange: Exchange): boolean => packets(scene, 'director', 'in', clientEnds(scene, exchange)).length > 0;
  // The router's frames say whom it took for the VIP; the director's capture must come to the same.
  const captured = (): boolean =>
    exchanges.every((exchange) => {
      const sent = packets(scene, 'router', 'out', clientEnds(scene, exchange));
      const toDirector = sent.some(({ destination }) => destination === macOfHost(scene, 'director'));
      return sent.length > 0 && toDirector === passed(exchange);
    });
  await scene.wire.until(captured, captureLagMs, scene.signal);
  const spoken = scene.wire.seen().filter(({ timeNs, host, direction, body }) => {
    if (timeNs < fromNs || host !== 'router' || direction !== 'in' || body?.kind !== 'arp') return false;
    return body.sender === scene.plan.vip && body.senderMac === macOfHost(scene, 'rs1');
  });
  const replies = spoken.filter(({ body }) => body?.kind === 'arp' && body.operation === 'reply').length;
  return {
    neighbour: /lladdr (\S+)/.exec(stdout)?.[1] ?? 'none',
    answers: replies,
    announcements: spoken.length - replies,
    atDirector: exchanges.filter(passed).length,
    answeredBy: whoAnswered(exchanges),
  };
}

function tell({ neighbour, answers, announcements, atDirector, answeredBy }: Effect): string {
  const said = `rs1 answered ARP for the VIP ${answers} times and announced it ${announcements} times`;
  return `${said}, the router had ${neighbour} for it, ${atDirector} of ${requests} requests passed the director, answers came from ${answeredBy.join(', ') || 'nobody'}`;
}

/** An entry that is not there is as good; one made by hand stays. */
async function forget(scene: Scene, host: string, address: string, device: string): Promise<void> {
  await attempt(['ip', 'neigh', 'flush', 'to', address, 'dev', device], { namespace: scene.namespace(host) }, scene.signal);
}

async function pinRouter(scene: Scene): Promise<string> {
  const mac = macOfHost(scene, 'director');
  await scene.inside('router', 'ip', 'neigh', 'replace', scene.plan.vip, 'lladdr', mac, 'nud', 'permanent', 'dev', routerDevice);
  return `${scene.plan.vip} is ${mac}`;
}

async function unpinRouter(scene: Scene): Promise<void> {
  await scene.inside('router', 'ip', 'neigh', 'del', scene.plan.vip, 'dev', routerDevice);
}

/** The kernel may know arptables by nftables or by its own tables: the first that works is taken, and told. */
const variants = ['arptables', 'arptables-nft', 'arptables-legacy'] as const;

async function filterArp(scene: Scene): Promise<string> {
  const { vip } = scene.plan;
  const rules = [
    ['-A', 'INPUT', '-d', vip, '-j', 'DROP'],
    ['-A', 'OUTPUT', '-s', vip, '-j', 'mangle', '--mangle-ip-s', addressOf(scene.plan, 'rs1')],
  ];
  const said: string[] = [];
  for (const variant of variants) {
    const outcomes = [];
    for (const rule of rules) outcomes.push(await attempt([variant, ...rule], { namespace: scene.namespace('rs1') }, scene.signal).catch(asOutcome));
    if (outcomes.every(({ status }) => status === 0)) return variant;
    said.push(`${variant}: ${outcomes.map(({ stderr }) => stderr.trim()).join(' ')}`);
  }
  throw new FairleadError('kernel', `no arptables works here: ${said.join('; ')}`);
}

async function unfilterArp(scene: Scene): Promise<void> {
  for (const variant of variants) {
    await attempt([variant, '-F'], { namespace: scene.namespace('rs1') }, scene.signal).catch(asOutcome);
  }
}

function asOutcome(error: unknown): { status: number; stdout: string; stderr: string } {
  return { status: 127, stdout: '', stderr: String(error) };
}
