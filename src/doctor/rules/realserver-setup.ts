// On a real server: what `fairlead realserver add` made and somebody has undone since, or what it would make today.

import { setTimeout } from 'node:timers/promises';
import { FairleadError } from '../../model/error.ts';
import { examine } from '../../realserver/agent.ts';
import type { Change } from '../../realserver/change.ts';
import { formatChange } from '../../realserver/change.ts';
import type { Tales } from '../../realserver/clients.ts';
import { type RecordedVip, readJournal } from '../../realserver/journal.ts';
import type { Wanted } from '../../realserver/plan.ts';
import { readStatus } from '../../realserver/status.ts';
import { formatTunnel, ipip, type TunnelEnd } from '../../realserver/tunnel.ts';
import type { Problem, ProblemId } from '../problem.ts';
import { isSwitchedOff, question, removeAddress, type Ward } from '../ward.ts';

export async function realServerSetup({ vips }: Ward): Promise<readonly Problem[]> {
  if (vips.length === 0) return [];
  const { vips: told, clients } = readStatus();
  const { changes } = readJournal();
  const found = vips.flatMap((recorded) => {
    const tunnels = told.find(({ vip }) => vip === recorded.vip)?.tunnels ?? [];
    const directors = changes.flatMap((change) =>
      change.kind === 'director' && change.vips.includes(recorded.vip) ? [change.director] : [],
    );
    try {
      return lacking({ ...recorded, tunnel: ipip, mtu: undefined, directors }, tunnels);
    } catch (error) {
      if (!(error instanceof FairleadError) || error.code !== 'address-unusable') throw error;
      return [unusable(recorded, error)];
    }
  });
  // A setting that is wrong is so for all VIPs: told once, for each of their commands mends it.
  const once = new Map(found.map((problem) => [`${problem.id} ${problem.evidence}`, problem] as const).toReversed());
  return [
    ...found.filter((problem) => once.get(`${problem.id} ${problem.evidence}`) === problem),
    ...(await unbelieved(vips, clients)),
  ];
}

/** So long directors are listened to, where somebody else has told of clients too. */
const listeningMs = 2000;

/** Somebody tells who clients are, and nobody who is believed did so, ever or in the meantime. */
async function unbelieved(vips: readonly RecordedVip[], clients: Tales | null): Promise<readonly Problem[]> {
  const own = vips.find(({ method }) => method === 'fullnat');
  if (own === undefined || clients === null || clients.notFromDirector === 0) return [];
  const count = await countTales(clients);
  if (count === undefined || count.learned > 0 || count.notFromDirector === 0) return [];
  return [
    {
      id: 'not-attached',
      wrong: `who tells this machine the clients of ${own.vip} is none of the directors that it believes`,
      why: 'fullnat: servers here take that director for the client',
      evidence: `${count.notFromDirector} connections were told of by others, and none by a director`,
      mend: {
        command: `fairlead realserver add ${own.vip} --method fullnat --director "\${DIRECTOR:?set it to the address that the director speaks to this machine by}"`,
        isSafe: false,
      },
    },
  ];
}

/** All that there ever were, or those of a while where both have told of some. */
async function countTales(before: Tales): Promise<Tales | undefined> {
  if (before.learned === 0) return before;
  await setTimeout(listeningMs);
  const { clients: after } = readStatus();
  if (after === null) return undefined;
  const since = (name: keyof Tales): number => after[name] - before[name];
  return { learned: since('learned'), told: since('told'), notFromDirector: since('notFromDirector') };
}

/** What `add` would refuse today: mostly, that another interface has the VIP too, and answers for it. */
function unusable({ vip, method }: RecordedVip, { message, hint }: FairleadError): Problem {
  return {
    id: 'arp',
    wrong: message,
    why: `${method}: asked by ${question(vip)}, this machine is one that has the VIP: clients and routers then send to it past the director`,
    evidence: `\`ip address show to ${vip}\`${hint === undefined ? '' : `; ${hint}`}`,
    mend: { command: removeAddress(vip, 'lo'), isSafe: false },
  };
}

/** One problem of a kind, however many changes would mend it. */
function lacking(recorded: Wanted, tunnels: readonly TunnelEnd[]): readonly Problem[] {
  const [tunnel = ipip, ...others] = tunnels;
  const wanted = { ...recorded, tunnel };
  const changes = [tunnel, ...others].flatMap((one) =>
    examine({ ...wanted, tunnel: one }).flatMap(({ change }) => change ?? []),
  );
  const ids = [...new Set(changes.map((change) => idOf(change, wanted)))];
  return ids.map((id) =>
    toProblem(
      id,
      wanted,
      changes.filter((change) => idOf(change, wanted) === id),
    ),
  );
}

function idOf(change: Change, { method }: Wanted): ProblemId {
  if (method === 'fullnat') return 'not-attached';
  switch (change.kind) {
    case 'setting':
      return change.name === 'rp_filter' ? 'rp-filter' : 'arp';
    case 'arp-table':
    case 'arp-chain':
    case 'arp-rule':
      return 'arp';
    case 'address':
      return 'vip-missing';
    default:
      return 'no-decapsulator';
  }
}

const texts: Partial<Record<ProblemId, { wrong: (vip: string) => string; why: string }>> = {
  arp: {
    wrong: (vip) => `this machine tells by ARP that it has ${vip}`,
    why: 'clients and routers then send to it past the director, and all of them to one real server',
  },
  'rp-filter': {
    wrong: (vip) => `strict reverse path filtering drops clients' packets for ${vip}`,
    why: 'they come in by one interface, and the way back to clients is by another',
  },
  'vip-missing': {
    wrong: (vip) => `${vip} is not on lo`,
    why: "the director leaves the VIP in the packet: the kernel takes it for somebody else's",
  },
  'not-attached': {
    wrong: (vip) => `servers here are not told who the clients of ${vip} are`,
    why: 'what learns it from the director, or tells it to servers, is gone: they take the director for the client',
  },
  'no-decapsulator': {
    wrong: (vip) => `nothing takes packets for ${vip} out of their tunnel`,
    why: 'the kernel has no use for the tunnel packet, and answers by ICMP or not at all',
  },
};

function toProblem(
  id: ProblemId,
  { vip, method, arp, tunnel, directors }: Wanted,
  changes: readonly Change[],
): Problem {
  const options = [
    ...(arp === 'ignore' ? [] : ['--arp', arp]),
    ...(method === 'tunnel' && tunnel.type !== 'ipip' ? ['--tun-type', tunnel.type] : []),
    ...(tunnel.type === 'gue' ? ['--tun-port', `${tunnel.port}`] : []),
    ...directors.flatMap((director) => ['--director', director]),
  ];
  const on = vip.includes(':') && isSwitchedOff('lo') ? 'sysctl -w net.ipv6.conf.lo.disable_ipv6=0 && ' : '';
  const kind = method === 'tunnel' ? ` (${formatTunnel(tunnel)})` : '';
  return {
    id,
    wrong: texts[id]?.wrong(vip) ?? id,
    why: `${method}${kind}: ${texts[id]?.why ?? ''}`,
    evidence: `should be: ${changes.map(formatChange).join('; ')}`,
    mend: {
      command: `${on}${['fairlead realserver add', vip, '--method', method, ...options].join(' ')}`,
      isSafe: true,
    },
  };
}
