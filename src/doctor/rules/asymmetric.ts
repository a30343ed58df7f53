// Connections that clients begin and never go on with: answers are lost on their way, or what follows comes elsewhere.
import { type Address, formatAddress } from '../../model/address.ts';
import { type Connection, defaultTimeouts, type FlowState, type Timeouts } from '../../model/director.ts';
import { isReached, knockAs } from '../in-name.ts';
import { whoHas } from '../knock.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { ipOf, unknownRouter, type Ward } from '../ward.ts';

/** Seconds that an entry lives after its last packet, by its state: ip_vs_proto_tcp.c. */
const fixed: Partial<Record<FlowState, number>> = {
  SYN_SENT: 120,
  SYN_RECV: 60,
  TIME_WAIT: 120,
  CLOSE: 10,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
};

/** So many attempts without a single success. */
const least = 3;
/** Each is asked in its client's name, and more say nothing new. */
const mostSuspects = 32;

export async function asymmetric(ward: Ward): Promise<readonly Problem[]> {
  const found = await Promise.all(
    findSuspects(ward)
      .slice(0, mostSuspects)
      .map((suspect) =>
        suspect.finding.destination.method === 'masq' ? judgeMasq(suspect, ward) : judge(suspect, ward),
      ),
  );
  // What one command mends is told once, of the first.
  const byMend = new Map(
    found
      .flat()
      .map((problem) => [`${problem.mend.on} ${problem.mend.command}`, problem] as const)
      .toReversed(),
  );
  return [...byMend.values()].toReversed();
}

function findSuspects({ director, system, asked }: Ward): readonly Suspect[] {
  const { connections = [], findings = [], timeouts = defaultTimeouts } = director ?? {};
  const own = new Set(system.addresses.map(({ address }) => address));
  /** Clients and real servers of connections that went on. */
  const [goers, served] = [new Set<string>(), new Set<string>()];
  const groups = new Map<string, Connection[]>();
  for (const one of connections) {
    const client = formatAddress(one.client.address);
    // What this machine itself asks for of its own VIPs has that as its source: real servers can't answer.
    if (one.protocol !== 'tcp' || one.isTemplate || own.has(client)) continue;
    const rip = formatAddress(one.destination.address);
    if (one.state !== 'SYN_RECV') {
      goers.add(client);
      served.add(rip);
    }
    const key = `${rip} ${client}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const byRip = new Map(findings.map((finding) => [finding.rip, finding] as const).toReversed());
  return [...groups].flatMap(([key, group]): readonly Suspect[] => {
    const [{ client } = {}] = group;
    // One that the probe has found out about is told of by another rule.
    const finding = byRip.get(key.split(' ')[0] ?? '');
    const stuck = stuckOf(group, timeouts);
    if (finding === undefined || client === undefined || !isWellOtherwise(finding)) return [];
    const name = formatAddress(client.address);
    const isNamed = asked.clients.includes(name);
    if (stuck < (isNamed ? 1 : least)) return [];
    return [
      { finding, client: client.address, stuck, isAlone: !isNamed && !goers.has(name) && served.has(finding.rip) },
    ];
  });
}

async function judge(suspect: Suspect, ward: Ward): Promise<readonly Problem[]> {
  const { system, wire } = ward;
  const outcome = await knockAs(suspect.finding, suspect.client, wire);
  if (outcome === 'refused') return [];
  // It refuses what this director sends it, and hears nothing of the real server.
  if (suspect.isAlone && !(await isClientReached(suspect, ward))) return [];
  const answered = await knockAs(suspect.finding, suspect.client, wire, { awaited: 'answer' });
  return [answered === 'accepted' ? toGateway(suspect, system) : toProblem(suspect, system)];
}

/** The answer must come here, and go on to the client. */
async function judgeMasq(suspect: Suspect, ward: Ward): Promise<readonly Problem[]> {
  const outcome = await knockAs(suspect.finding, suspect.client, ward.wire);
  if (outcome === 'silent') return [toProblem(suspect, ward.system)];
  if (outcome !== 'accepted') return outcome === 'refused' ? [] : [toRefusal(suspect)];
  return suspect.isAlone || (await isClientReached(suspect, ward)) ? [] : [toUnreached(suspect, ward)];
}

async function isClientReached({ finding, client }: Suspect, { network, wire }: Ward): Promise<boolean> {
  const to = formatAddress(client);
  const next = network.routeTo(to, finding.vip)?.gateway ?? to;
  const way = network.wayTo(next);
  if (way?.interface.linkType !== 'ether') return true; // nobody can be asked there
  const [mac = network.permanentMac(next, way.interface.name)] = await whoHas(next, way, wire, { isOne: true });
  return mac !== undefined && (await isReached(finding, client, way, mac, wire));
}

interface Suspect {
  readonly finding: Finding;
  readonly client: Address;
  /** Connections that were begun and did not go on. */
  readonly stuck: number;
  /** It goes on with nothing anywhere, where others do: it scans, or has a fault of its own. */
  readonly isAlone: boolean;
}

/** Do probes come through? fullnat's come from where clients' packets do. */
function isWellOtherwise({ destination: { method }, direct, dressed, outsider }: Finding): boolean {
  // By masq the answer to whoever is far away must come here, and else another rule tells so.
  if (method === 'masq') return direct === 'accepted' && outsider === 'accepted';
  if (method !== 'gate' && method !== 'tunnel') return false;
  const proven = dressed === 'not-asked' ? direct : dressed;
  return proven === 'accepted' && outsider !== 'accepted' && outsider !== 'refused';
}

/** How many connections were begun since the last one that went on, and did not. */
function stuckOf(group: readonly Connection[], { tcp, tcpFin }: Timeouts): number {
  const lifetimes: Partial<Record<FlowState, number>> = { ESTABLISHED: tcp, FIN_WAIT: tcpFin, ...fixed };
  const age = ({ state, expiresInS }: Connection): number => (lifetimes[state] ?? tcp) - expiresInS;
  const begun = group.filter(({ state }) => state === 'SYN_RECV').map(age);
  const lastSuccess = group
    .filter(({ state }) => state !== 'SYN_RECV')
    .reduce((least, one) => Math.min(least, age(one)), Number.POSITIVE_INFINITY);
  // Of the same second nobody knows which was first: what is asked in the client's name decides.
  return begun.filter((one) => one <= lastSuccess).length;
}

const whys = {
  masq: (rip: string) => `masq: ${rip} answers this director and others, and not this client`,
  other: (rip: string, method: string) =>
    `${method}: the director sees only what clients send. Either ${rip}'s answers do not reach the client, by its route or for its firewall, or the client's next packets do not come here`,
};

/** By masq, of a client whose connections the real server answers, by way of this director. */
function toUnreached({ finding: { rip, vip }, client, stuck }: Suspect, { network }: Ward): Problem {
  const asked = formatAddress(client);
  const gateway = network.routeTo(asked, vip)?.gateway;
  return {
    id: 'asymmetric',
    wrong: `${asked} begins connections to ${vip} and never goes on with them`,
    why: `masq: ${rip} answers it, by way of this director, and what goes from here to the client does not get there, or its next packets do not come here`,
    evidence: `${stuck} connections are in SYN_RECV and none is beyond; by \`ip route get ${asked}\` the way there is ${gateway === undefined ? 'a link of this machine' : `by ${gateway}`}, and ${asked} refused no answer that it had not asked for`,
    mend: { command: `${ipOf(asked)} route replace ${asked} via ${unknownRouter}`, isSafe: false },
  };
}

/** Of all its clients another rule asks. */
function toGateway(suspect: Suspect, system: Ward['system']): Problem {
  const {
    finding: { rip, vip, destination },
    client,
  } = suspect;
  const asked = formatAddress(client);
  return {
    ...toProblem(suspect, system),
    id: 'dr-gateway',
    wrong: `the gateway of the real server ${rip} towards ${asked} is this director`,
    why: `${destination.method}: its answers have the source ${vip}, which is this director's own: the kernel drops them`,
    evidence: `its answer to a SYN in ${asked}'s name came here, from ${vip}`,
  };
}

/** An ICMP error in answer to masq's SYN. Which rule sends it only the real server can tell. */
function toRefusal({ finding: { rip }, client, stuck }: Suspect): Problem {
  const asked = formatAddress(client);
  return {
    id: 'firewall',
    wrong: `the firewall of the real server ${rip} rejects what ${asked} sends`,
    why: `masq: ${rip} sees clients' own addresses, and lets this director in, but not this client`,
    evidence: `${stuck} connections are in SYN_RECV and none is beyond, and a SYN in ${asked}'s name was answered by ICMP`,
    mend: {
      command: `nft insert rule "\${CHAIN:?set it to the one that rejects, of: nft list ruleset}" ${asked.includes(':') ? 'ip6' : 'ip'} saddr ${asked} accept`,
      on: rip,
      isSafe: false,
    },
  };
}

function toProblem({ finding, client, stuck }: Suspect, { gateways }: Ward['system']): Problem {
  const {
    rip,
    way,
    destination: { method },
  } = finding;
  const asked = formatAddress(client);
  const isSix = asked.includes(':');
  const known = gateways.find(({ route, address }) => route.startsWith('default ') && address.includes(':') === isSix);
  // The router of a real server in another network is another one.
  const near = way?.gateway === undefined ? known?.address : undefined;
  const router = method === 'masq' ? way?.source : near;
  return {
    id: 'asymmetric',
    wrong: `${asked} begins connections to ${rip} and never goes on with them`,
    why: method === 'masq' ? whys.masq(rip) : whys.other(rip, method),
    evidence: `${stuck} connections are in SYN_RECV and none is beyond, and nothing came of a SYN in ${asked}'s name, though ${rip} answers this director${method === 'masq' ? '' : `; what ${rip} itself knows of it: fairlead doctor --client ${asked}`}`,
    mend: {
      command: `${ipOf(asked)} route replace ${asked} via ${router ?? unknownRouter}`,
      on: rip,
      isSafe: false,
    },
  };
}
