// dr-4: LVS-DR's ARP problem, brought about on purpose, and its three cures, each against the same provocation.
import { FairleadError } from '../../model/error.ts';
import { attempt } from '../command.ts';
import { addressOf } from '../plan.ts';
import { httpPort, realServers, routerAddress } from '../plans/addresses.ts';
import type { Exchange, Scene } from '../scene.ts';
import { clientEnds, packets } from '../trip.ts';
import { type Condition, captureLagMs, macOfHost, type Proof, portOfProof, proof, whoAnswered } from './claim.ts';

/** The router's interface towards director and real servers. */
const routerDevice = 'eth1';
const silent = { 'conf/all/arp_ignore': '1', 'conf/all/arp_announce': '2' } as const;
const talkative = { 'conf/all/arp_ignore': '0', 'conf/all/arp_announce': '0' } as const;
/** For a second after an answer (100, in units of 10 ms) a router takes no other; with 0 it takes each at once. */
const lockTime = `neigh/${routerDevice}/locktime`;
const requests = 6;

interface Cure {
  readonly name: string;
  /** Tells how it was done. */
  readonly apply: (scene: Scene) => Promise<string>;
  readonly undo: (scene: Scene) => Promise<void>;
}

const cures: readonly Cure[] = [
  { name: 'static ARP on the router', apply: pinRouter, undo: unpinRouter },
  { name: 'arptables on the RS', apply: filterArp, undo: unfilterArp },
  { name: 'arp_ignore with arp_announce on the RS', apply: silence, undo: unsilence },
];

export async function answersArp(scene: Scene): Promise<Proof> {
  const { stdout: before } = await scene.inside('router', `cat /proc/sys/net/ipv4/${lockTime}`);
  await scene.set('router', { [lockTime]: '0' });
  await unsilence(scene);
  try {
    const conditions: Condition[] = [breaks(scene, await provoke(scene))];
    for (const cure of cures) {
      const how = await cure.apply(scene);
      conditions.push(mends(scene, await provoke(scene), `${cure.name} (${how})`));
      await cure.undo(scene);
    }
    return proof(conditions);
  } finally {
    await silence(scene);
    await scene.set('router', { [lockTime]: before.trim() });
    await forget(scene, 'router', scene.plan.vip, routerDevice);
  }
}

function breaks(scene: Scene, effect: Effect): Condition {
  const { neighbour, answers, atDirector, answeredBy } = effect;
  const isBroken = neighbour === macOfHost(scene, 'rs1') && answers > 0 && atDirector === 0;
  return [isBroken && answeredBy.join() === 'rs1', `broken by rs1 with arp_ignore=0: ${tell(effect)}`];
}

function mends(scene: Scene, effect: Effect, cure: string): Condition {
  const { neighbour, atDirector, answeredBy } = effect;
  const isMended = neighbour === macOfHost(scene, 'director') && atDirector === requests;
  return [isMended && answeredBy.length === realServers.length, `mended by ${cure}: ${tell(effect)}`];
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
  const { stdout } = await scene.inside('router', `ip neigh show to ${scene.plan.vip} dev ${routerDevice}`);

  await scene.wire.until(() => exchanges.every((exchange) => isCaptured(scene, exchange)), captureLagMs, scene.signal);
  const spoken = scene.wire.seen().filter(({ timeNs, host, direction, body }) => {
    if (timeNs < fromNs || host !== 'router' || direction !== 'in' || body?.kind !== 'arp') return false;
    return body.sender === scene.plan.vip && body.senderMac === macOfHost(scene, 'rs1');
  });
  const answers = spoken.filter(({ body }) => body?.kind === 'arp' && body.operation === 'reply').length;
  return {
    neighbour: /lladdr (\S+)/.exec(stdout)?.[1] ?? 'none',
    answers,
    announcements: spoken.length - answers,
    atDirector: exchanges.filter((exchange) => passedDirector(scene, exchange)).length,
    answeredBy: whoAnswered(exchanges),
  };
}

/** The router's frames say whom it took for the VIP; the director's capture must come to the same. */
function isCaptured(scene: Scene, exchange: Exchange): boolean {
  const sent = packets(scene, 'router', 'out', clientEnds(scene, exchange));
  const toDirector = sent.some(({ destination }) => destination === macOfHost(scene, 'director'));
  return sent.length > 0 && toDirector === passedDirector(scene, exchange);
}

function passedDirector(scene: Scene, exchange: Exchange): boolean {
  return packets(scene, 'director', 'in', clientEnds(scene, exchange)).length > 0;
}

function tell({ neighbour, answers, announcements, atDirector, answeredBy }: Effect): string {
  return [
    `rs1 answered ARP for the VIP ${answers} times and announced it ${announcements} times`,
    `the router had ${neighbour} for it`,
    `${atDirector} of ${requests} requests passed the director`,
    `answers came from ${answeredBy.join(', ') || 'nobody'}`,
  ].join(', ');
}

/** An entry that is not there is as good; one made by hand stays. */
async function forget(scene: Scene, host: string, address: string, device: string): Promise<void> {
  const command = ['ip', 'neigh', 'flush', 'to', address, 'dev', device];
  await attempt(command, { namespace: scene.namespace(host) }, scene.signal);
}

async function silence(scene: Scene): Promise<string> {
  await scene.set('rs1', silent);
  return 'arp_ignore=1, arp_announce=2';
}

function unsilence(scene: Scene): Promise<void> {
  return scene.set('rs1', talkative);
}

async function pinRouter(scene: Scene): Promise<string> {
  const entry = `${scene.plan.vip} lladdr ${macOfHost(scene, 'director')} nud permanent`;
  await scene.inside('router', `ip neigh replace ${entry} dev ${routerDevice}`);
  return entry;
}

async function unpinRouter(scene: Scene): Promise<void> {
  await scene.inside('router', `ip neigh del ${scene.plan.vip} dev ${routerDevice}`);
}

/** A kernel may know arptables by nftables or by tables of its own: what works is taken, and told. */
const arptables = ['arptables', 'arptables-legacy'] as const;

async function filterArp(scene: Scene): Promise<string> {
  const { vip } = scene.plan;
  const rules = [
    `-A INPUT -d ${vip} -j DROP`,
    `-A OUTPUT -s ${vip} -j mangle --mangle-ip-s ${addressOf(scene.plan, 'rs1')}`,
  ];
  const said: string[] = [];
  for (const program of arptables) {
    const { status, stderr } = await script(
      scene,
      rules.map((rule) => `${program} ${rule}`),
    );
    if (status === 0) return rules.map((rule) => `${program} ${rule}`).join(', ');
    said.push(stderr.trim());
  }
  throw new FairleadError('kernel', `no arptables works on this kernel: ${said.join(' ')}`);
}

async function unfilterArp(scene: Scene): Promise<void> {
  for (const program of arptables) await script(scene, [`${program} -F`]);
}

function script(scene: Scene, lines: readonly string[]): ReturnType<typeof attempt> {
  return attempt(['sh', '-e'], { namespace: scene.namespace('rs1'), input: `${lines.join('\n')}\n` }, scene.signal);
}
