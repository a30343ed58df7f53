// Connections that clients begin and never go on with: answers are lost on their way, or what follows comes elsewhere.
import { formatAddress } from '../../model/address.ts';
import { type Connection, defaultTimeouts, type FlowState, type Timeouts } from '../../model/director.ts';
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

export function asymmetric({ director, system }: Ward): readonly Problem[] {
  const { connections = [], findings = [], timeouts = defaultTimeouts } = director ?? {};
  const own = new Set(system.addresses.map(({ address }) => address));
  const groups = new Map<string, Connection[]>();
  for (const one of connections) {
    const client = formatAddress(one.client.address);
    // What this machine itself asks for of its own VIPs has that as its source: real servers can't answer.
    if (one.protocol !== 'tcp' || one.isTemplate || own.has(client)) continue;
    const key = `${formatAddress(one.destination.address)} ${client}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].flatMap(([key, group]) => {
    const [rip = '', client = ''] = key.split(' ');
    // One that the probe has found out about is told of by another rule.
    const finding = findings.find((one) => one.rip === rip);
    const proven = finding?.dressed === 'not-asked' ? finding.direct : finding?.dressed;
    if (finding === undefined || (proven !== 'accepted' && proven !== 'refused')) return [];
    if (finding.destination.method !== 'gate' && finding.destination.method !== 'tunnel') return [];
    if (finding.outsider === 'accepted' || finding.outsider === 'refused' || proven === 'refused') return [];
    const stuck = stuckOf(group, timeouts);
    return stuck < least ? [] : [toProblem(rip, client, stuck, finding.destination.method, system)];
  });
}

/** How many connections were begun since the last one that went on, and did not. */
function stuckOf(group: readonly Connection[], { tcp, tcpFin }: Timeouts): number {
  const lifetimes: Partial<Record<FlowState, number>> = { ESTABLISHED: tcp, FIN_WAIT: tcpFin, ...fixed };
  const age = ({ state, expiresInS }: Connection): number => (lifetimes[state] ?? tcp) - expiresInS;
  const begun = group.filter(({ state }) => state === 'SYN_RECV').map(age);
  const lastSuccess = Math.min(...group.filter(({ state }) => state !== 'SYN_RECV').map(age));
  return begun.filter((one) => one < lastSuccess).length;
}

function toProblem(rip: string, client: string, count: number, method: string, { gateways }: Ward['system']): Problem {
  const isSix = rip.includes(':');
  const known = gateways.find(({ route, address }) => route.startsWith('default ') && address.includes(':') === isSix);
  return {
    id: 'asymmetric',
    wrong: `${client} begins connections to ${rip} and never goes on with them`,
    why: `${method}: the director sees only what clients send. Either ${rip}'s answers do not reach the client, or the client's next packets do not come here`,
    evidence: `${count} connections are in SYN_RECV and none is beyond, though ${rip} answers this director`,
    mend: {
      command: `${ipOf(client)} route replace ${client} via ${known?.address ?? unknownRouter}`,
      on: rip,
      isSafe: false,
    },
  };
}
