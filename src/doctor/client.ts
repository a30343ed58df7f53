// On a client: whether a VIP can be reached from here, and whether each connection to it is answered.
import { connect } from 'node:net';
import { Wire } from '../kernel/wire.ts';
import { formatAddress, formatEndpoint } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import { readSystem } from '../realserver/system.ts';
import { farthest } from './hops.ts';
import { whoHas } from './knock.ts';
import { readNetwork, type Way } from './network.ts';
import type { Problem } from './problem.ts';
import { ipOf, question, removeAddress, unknownRouter } from './ward.ts';

/** Enough that round robin comes to each of a dozen real servers. */
const attempts = 24;
const patienceMs = 2_000;

export async function examineAsClient(target: Endpoint): Promise<readonly Problem[]> {
  using wire = new Wire();
  const vip = formatAddress(target.address);
  const network = readNetwork(readSystem());
  if (!network.isReachable(vip)) return [withoutWay(vip)];
  const way = network.wayTo(vip);
  const holders = way === undefined ? [] : await holderProblems(vip, way, wire); // where there is none it is this machine's own
  // Where nobody has it, nobody answers.
  return holders.some(({ id }) => id === 'vip-not-on-director')
    ? holders
    : [...holders, ...(await knock(target, way, wire))];
}

function withoutWay(vip: string): Problem {
  return {
    id: 'unanswered',
    wrong: `there is no way from here to ${vip}`,
    why: 'packets to it do not leave this machine',
    evidence: `\`ip route get ${vip}\` names none`,
    mend: { command: `${ipOf(vip)} route add default via ${unknownRouter}`, isSafe: false },
  };
}

/** Behind a router, only that one can ask. */
async function holderProblems(vip: string, way: Way, wire: Wire): Promise<readonly Problem[]> {
  if (way.gateway !== undefined || way.interface.linkType !== 'ether') return [];
  const macs = await whoHas(vip, way, wire);
  const asked = `asked by ${question(vip)} on ${way.interface.name} who has ${vip}`;
  if (macs.length === 0)
    return [
      {
        id: 'vip-not-on-director',
        wrong: `nobody on this link has the VIP ${vip}`,
        why: 'packets to it can be sent to no machine',
        evidence: `${asked}, nobody answered`,
        mend: {
          command: `ip address add ${vip}/${vip.includes(':') ? 128 : 32} dev "\${INTERFACE:?set it to the one towards this network}"`,
          on: 'the director',
          isSafe: false,
        },
      },
    ];
  if (macs.length === 1) return [];
  return [
    {
      id: 'two-directors',
      wrong: `${macs.length} machines say that they have the VIP ${vip}`,
      why: 'connections from here go to whichever answered last: past the director, or to another one',
      evidence: `${asked}, ${macs.join(' and ')} answered`,
      mend: { command: removeAddress(vip), on: `each of ${macs.join(', ')} that is not the director`, isSafe: false },
    },
  ];
}

type Outcome = 'accepted' | 'refused' | 'silent';

async function knock(target: Endpoint, way: Way | undefined, wire: Wire): Promise<readonly Problem[]> {
  const outcomes = await Promise.all(Array.from({ length: attempts }, () => connectOnce(target)));
  const count = (wanted: Outcome): number => outcomes.filter((one) => one === wanted).length;
  const [silent, refused] = [count('silent'), count('refused')];
  if (silent + refused === 0) return [];
  const name = formatEndpoint(target.address, target.port);
  const evidence = `of ${attempts} connections ${count('accepted')} were accepted, ${refused} refused, and ${silent} not answered`;
  if (way === undefined) return [{ ...unanswered(name, evidence), ...asOwn }];
  if (silent < attempts) return [unanswered(name, evidence, refused < attempts)];
  const last = await farthest(target, way, wire);
  const seen = last === undefined ? evidence : `${evidence}; of packets whose hops run out ${last.address} told last`;
  // Of what has come to it the director tells by the VIP.
  if (last === undefined || last.address === formatAddress(target.address)) return [unanswered(name, seen)];
  return [
    {
      id: 'unanswered',
      wrong: `packets to ${name} come as far as ${last.address}, and nothing tells that they come any further`,
      why: `that machine, or one behind it, drops what is for the VIP (a firewall, a route), or the director has not got it`,
      evidence: seen,
      mend: {
        command: `ip route get ${formatAddress(target.address)}; nft list ruleset`,
        on: last.address,
        isSafe: false,
      },
    },
  ];
}

/** With `isPartly` by some of its real servers. */
function unanswered(name: string, evidence: string, isPartly = false): Problem {
  return {
    id: 'unanswered',
    wrong: isPartly
      ? `${name} does not take every connection: some real servers do not answer`
      : `${name} takes no connection`,
    why: 'of a real server that is down or not set up for the VIP, or whose answers are lost, clients hear nothing',
    evidence,
    mend: { command: 'fairlead doctor', on: 'the director', isSafe: false },
  };
}

const asOwn: Pick<Problem, 'why' | 'mend'> = {
  why: 'it is an address of this machine, so that connections from here come from it too: real servers of gate and tunnel take those for their own. Try it from another machine',
  mend: { command: 'fairlead doctor', isSafe: false },
};

/** As any program here would. */
function connectOnce({ address, port }: Endpoint): Promise<Outcome> {
  const socket = connect({ host: formatAddress(address), port });
  return new Promise((resolve) => {
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('silent'), patienceMs);
    socket.once('connect', () => end('accepted'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}
