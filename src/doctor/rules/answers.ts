// What clients' packets become must be answered by each real server: asked by a packet that is made the same way.

import { formatTunnel, ipip } from '../../realserver/tunnel.ts';
import { whoHas } from '../knock.ts';
import type { Finding } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { servesClients } from '../served.ts';
import {
  destinationOption,
  ipOf,
  methodWords,
  question,
  removeAddress,
  serviceOption,
  type Ward,
  weightCommand,
} from '../ward.ts';
import { isElsewhere } from './other-network.ts';

export async function answers(ward: Ward): Promise<readonly Problem[]> {
  const told = new Map<string, Problem>();
  const judged = await Promise.all(
    (ward.director?.findings ?? []).map(async (finding) => {
      const problem = judge(finding);
      if (problem === undefined || (isQuiet(finding) && (await servesClients(finding, ward)))) return undefined;
      return (await twoHaveIt(finding, ward)) ?? problem;
    }),
  );
  for (const problem of judged) {
    if (problem === undefined) continue;
    const known = told.get(problem.wrong);
    told.set(problem.wrong, known === undefined ? problem : joined(known, problem.mend));
  }
  return [...told.values()];
}

/** Nothing came of the director's own question, or a firewall's refusal: it may be that clients alone are let in. */
function isQuiet({ mac, destination: { method }, direct, dressed }: Finding): boolean {
  const outcome = method === 'gate' || method === 'tunnel' ? dressed : direct;
  return mac !== undefined && (outcome === 'silent' || outcome === 'prohibited' || outcome === 'unreachable');
}

/** Whoever the probe went to may be another machine than the real server, or than the gateway towards it. */
async function twoHaveIt({ rip, way, destination }: Finding, { wire }: Ward): Promise<Problem | undefined> {
  if (way === undefined) return undefined;
  const [next, whose] = way.gateway === undefined ? [rip, 'real server'] : [way.gateway, 'gateway'];
  const macs = await whoHas(next, way, wire);
  if (macs.length < 2) return undefined;
  const all = macs.join(' and ');
  return {
    id: 'address-taken',
    wrong: `${macs.length} machines have the address ${next} of a ${whose}: ${all}`,
    why: `${destination.method}: packets go to whichever answered last`,
    evidence: `asked by ${question(next)} on ${way.interface.name}, each of them answered`,
    mend: { command: removeAddress(next), on: `the one of ${all} that is not the ${whose}`, isSafe: false },
  };
}

/** What is wrong in several services is one problem, which each of their commands mends a part of. */
function joined(problem: Problem, { command, on }: Problem['mend']): Problem {
  const { mend } = problem;
  if (on !== undefined || mend.command.split(' && ').includes(command)) return problem;
  return { ...problem, mend: { ...mend, command: `${mend.command} && ${command}` } };
}

function judge(finding: Finding): Problem | undefined {
  const { rip, mac, answeredMac, way, destination, direct } = finding;
  if (way === undefined || isElsewhere(finding)) return undefined;
  if (answeredMac !== undefined && answeredMac !== mac) return undefined; // its packets go to another machine: wrong-neighbour
  // That its gateway is gone is a problem of the way.
  if (mac === undefined && way.gateway !== undefined) return undefined;
  if (mac === undefined)
    return unanswered(
      finding,
      `the real server ${rip} does not answer ${question(rip)} on ${way.interface.name}`,
      'it is down, or not on this link',
    );
  if (destination.method === 'gate' || destination.method === 'tunnel') return judgeDressed(finding);
  if (finding.lostLocal !== undefined) return lostLocal(finding, finding.lostLocal, way.source);
  if (!isTcp(finding)) return undefined; // a firewall may well let datagrams alone in
  if (direct === 'silent' || direct === 'unreachable' || direct === 'prohibited')
    return unanswered(
      finding,
      `${rip} does not answer at port ${destination.port}`,
      `a SYN to it was ${direct}${hint(finding)}`,
    );
  if (direct === 'refused')
    return unanswered(finding, `${rip} refuses connections to port ${destination.port}`, 'nothing listens there');
  return undefined;
}

function judgeDressed(finding: Finding): Problem | undefined {
  const { rip, vip, destination, service, dressed, direct } = finding;
  if (dressed === 'unreachable' && destination.method === 'tunnel')
    return {
      id: 'no-decapsulator',
      wrong: `the real server ${rip} takes nothing out of its tunnel (${formatTunnel(destination.tunnel ?? ipip)})`,
      why: 'the kernel there has no use for the tunnel packet',
      evidence: `a SYN for ${vip} in such a tunnel was answered by ICMP: protocol or port unreachable`,
      mend: { command: anewCommand(finding), on: rip, isSafe: false },
    };
  // A firewall may well let datagrams alone in: then what TCP comes to says nothing, but where the real server's own address answers it.
  if (!isTcp(finding) && direct !== 'accepted' && direct !== 'refused') return undefined;
  if (dressed === 'prohibited' && isTcp(finding))
    return unanswered(
      finding,
      `a firewall lets nothing through to ${vip} on the real server ${rip}`,
      "a SYN as clients' packets go out was answered by ICMP: prohibited",
    );
  if (dressed === 'silent' || dressed === 'unreachable') {
    const wrong = `the real server ${rip} does not answer for ${vip}`;
    const evidence = `a SYN as clients' packets go out was ${dressed}`;
    if (direct === 'silent')
      return unanswered(finding, wrong, `${evidence}, and so was one to ${rip} itself${hint(finding)}`);
    return {
      id: 'unanswered',
      wrong,
      why: `${destination.method}: it lacks the VIP on lo, or drops what comes for it`,
      evidence: `${evidence}, though ${rip} itself answers`,
      mend: {
        command: `${addCommand(finding)} && fairlead doctor${portOption(finding)} --fix`,
        on: rip,
        isSafe: false,
      },
    };
  }
  if (dressed === 'refused' && isTcp(finding) && service.identity.kind === 'address') {
    const { port } = service.identity;
    const wrong = `nothing listens on port ${port} of the real server ${rip}`;
    const evidence = `a SYN for ${vip}:${port} was refused there`;
    const { askedPort = port } = destination;
    if (askedPort === port) return unanswered(finding, wrong, evidence);
    return {
      id: 'port-mapping',
      wrong,
      why: `${destination.method} can't map ports: it was added with port ${askedPort}, and packets arrive at the VIP's own`,
      evidence,
      mend: { command: mappingCommand(finding, askedPort), isSafe: false },
    };
  }
  return undefined;
}

/** fullnat maps ports, and asks nothing of a real server but that its own address is served. */
function mappingCommand({ service, destination, mapped }: Finding, askedPort: number): string {
  const [name, old] = [serviceOption(service), destinationOption(destination)];
  const removal = `ipvsadm -d ${name} ${old}`;
  if (mapped !== 'accepted') return removal;
  const other = destinationOption({ ...destination, port: askedPort });
  return `${removal} && ipvsadm -a ${name} ${other} ${methodWords({ ...destination, method: 'fullnat' })}`;
}

/** Full NAT by an address of its own, which the real server answers by another way, or not at all. */
function lostLocal({ rip }: Finding, local: string, source: string): Problem {
  return {
    id: 'unanswered',
    wrong: `the real server ${rip} does not answer the local address ${local}`,
    why: 'fullnat: what clients send comes from that address, and the answers must come back here',
    evidence: `a SYN to it from ${local} was silent, and one from ${source} was answered`,
    mend: { command: `${ipOf(local)} route replace ${local} via ${source}`, on: rip, isSafe: false },
  };
}

/** Whoever made a real server by `fairlead realserver` is told there what keeps this port's packets out. */
function hint(finding: Finding): string {
  const { rip, destination } = finding;
  return destination.method === 'masq' ? '' : `; what ${rip} itself knows of it: fairlead doctor${portOption(finding)}`;
}

/** The port at the real server. */
function portOption(finding: Finding): string {
  const { destination, service } = finding;
  if (!isTcp(finding) || service.identity.kind !== 'address') return '';
  return ` --port ${destination.method === 'fullnat' ? destination.port : service.identity.port}`;
}

/** Nobody can be asked there: until somebody has looked after it, it gets no new connections. */
function unanswered({ destination, service }: Finding, wrong: string, evidence: string): Problem {
  return {
    id: 'unanswered',
    wrong,
    why: `${destination.method}: its share of the connections gets no answer`,
    evidence,
    mend: { command: weightCommand(service, destination, 0), isSafe: false },
  };
}

/** Also where the VIP was added by another method, which is refused until it is removed. */
function anewCommand(finding: Finding): string {
  const add = addCommand(finding);
  return `${add} || { fairlead realserver remove ${finding.vip} && ${add}; }`;
}

function addCommand({ vip, destination: { method, tunnel } }: Finding): string {
  const kind = tunnel === undefined || tunnel.type === 'ipip' ? '' : ` --tun-type ${tunnel.type}`;
  return `fairlead realserver add ${vip} --method ${method}${kind}${tunnel?.type === 'gue' ? ` --tun-port ${tunnel.port}` : ''}`;
}

/** Of a port that a client can name: of any port, one that nothing listens on tells nothing. */
function isTcp({ service: { identity } }: Finding): boolean {
  return identity.kind === 'address' && identity.protocol === 'tcp' && identity.port !== 0;
}
