// On a real server of gate or tunnel: whether it has a gateway, which must not be the machine that answers for the VIP, the director.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import { outsiders } from '../../realserver/system.ts';
import { whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { downInterfaces, ipOf, question, unknownRouter, type Ward } from '../ward.ts';
import { wrongNeighbour } from './neighbours.ts';

export async function ownGateway(ward: Ward): Promise<readonly Problem[]> {
  if (ward.director !== undefined || downInterfaces(ward.system).length > 0) return [];
  return (await Promise.all([false, true].map((isSix) => examine(ward, isSix)))).flat();
}

/** The gateway of one family, and the VIPs of it. */
async function examine({ vips, system, network, wire }: Ward, isSix: boolean): Promise<readonly Problem[]> {
  const own = vips.filter(({ vip, method }) => method !== 'fullnat' && vip.includes(':') === isSix);
  const far = outsiders[isSix ? 6 : 4];
  if (own.length === 0) return [];
  const isHeld = (vip: string): boolean => system.addresses.some(({ address }) => address === vip);
  const wayless = own.filter(({ vip }) => !network.isReachable(far, isHeld(vip) ? vip : undefined));
  if (wayless.length > 0 && !network.isReachable(far)) return withoutWay(wayless, system, isSix);
  if (wayless.length > 0) return wayless.map((one) => refusedByRule(one, network.refusingRule('from', one.vip), far));
  // Rules may route each VIP by a gateway of its own.
  const byGateway = new Map<string, Gateway>();
  for (const one of own) {
    const { gateway, table } = network.routeTo(far, isHeld(one.vip) ? one.vip : undefined) ?? {};
    if (gateway === undefined) continue;
    const known = byGateway.get(`${gateway} ${table}`)?.vips ?? [];
    byGateway.set(`${gateway} ${table}`, { gateway, table, vips: [...known, one] });
  }
  const found = await Promise.all([...byGateway.values()].map((one) => examineGateway(one, { network, wire })));
  return found.flat();
}

interface Gateway {
  readonly gateway: string;
  readonly table: string | undefined;
  /** Whose answers go there. */
  readonly vips: Ward['vips'];
}

async function examineGateway(
  { gateway, table, vips: own }: Gateway,
  { network, wire }: Pick<Ward, 'network' | 'wire'>,
): Promise<readonly Problem[]> {
  const way = network.wayTo(gateway);
  if (way?.interface.linkType !== 'ether') return [];
  const [router = [], ...answering] = await Promise.all(
    [gateway, ...own.map(({ vip }) => vip)].map((address) => whoHas(address, way, wire, { isOne: true })),
  );
  const written = network.permanentMac(gateway, way.interface.name);
  if (written !== undefined && router.length > 0 && !router.includes(written))
    return [wrongNeighbour(gateway, way.interface.name, written, router[0])];
  const mac = router[0] ?? written;
  if (mac === undefined)
    return own.slice(0, 1).map((one) => silentGateway(one, { gateway, table }, way.interface.name));
  return own.flatMap(({ vip, method }, index): readonly Problem[] => {
    if (answering[index]?.[0] !== mac) return [];
    return [
      {
        id: 'dr-gateway',
        wrong: `the default gateway ${gateway} is the director of ${vip}`,
        why: `${method}: answers have the source ${vip}, which is the director's own: it drops them`,
        evidence: `by ${question(vip)} both ${gateway} and ${vip} are told to be at ${mac}`,
        mend: { command: `${ipOf(vip)} route replace default via ${unknownRouter}`, isSafe: false },
      },
    ];
  });
}

function silentGateway(
  { vip, method }: Ward['vips'][number],
  { gateway, table }: Omit<Gateway, 'vips'>,
  name: string,
): Problem {
  return {
    id: 'no-route',
    wrong: `the gateway ${gateway} does not answer`,
    why: `${method}: clients of ${vip} are answered from here, past the director, and answers to those far away go there`,
    evidence: `asked by ${question(gateway)} on ${name}, nobody has it`,
    mend: {
      command: `${ipOf(vip)} route replace default via ${unknownRouter}${table === undefined ? '' : ` table ${table}`}`,
      isSafe: false,
    },
  };
}

function refusedByRule({ vip, method }: Ward['vips'][number], rule: string | undefined, far: string): Problem {
  const ip = ipOf(vip);
  return {
    id: 'no-route',
    wrong: `what comes from ${vip} has no way out`,
    why: `${method}: clients of ${vip} are answered from here, by that address`,
    evidence: `\`${ip} route get ${far} from ${vip}\` is refused${rule === undefined ? '' : `, by the rule ${rule}`}`,
    mend: {
      command: rule === undefined ? `${ip} rule add from ${vip} priority 1 table main` : `${ip} rule del ${rule}`,
      isSafe: false,
    },
  };
}

/** Where the VIP is in a network of its own, clients may all be there too: then it needs no way to others. */
function withoutWay(own: Ward['vips'], { addresses }: Ward['system'], isSix: boolean): readonly Problem[] {
  const isNear = (vip: string): boolean =>
    addresses.some(
      ({ interface: name, address, prefix }) =>
        name !== 'lo' && isInNetwork(parseAddress(vip), parseAddress(address), prefix),
    );
  const far = own.find(({ vip }) => !isNear(vip));
  if (far === undefined) return [];
  return [
    {
      id: 'no-route',
      wrong: `there is no default route${isSix ? ' of IPv6' : ''}`,
      why: `${far.method}: clients of ${far.vip} are answered from here, past the director, and answers to them have no way`,
      evidence: `\`ip route get ${outsiders[isSix ? 6 : 4]}\` names no way, and ${far.vip} is in no network of this machine`,
      mend: { command: `${ipOf(far.vip)} route add default via ${unknownRouter}`, isSafe: false },
    },
  ];
}
