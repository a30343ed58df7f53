// On a real server of gate or tunnel: the ways to clients. They have gateways, which must not be the machine that answers for the VIP, the director.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import { outsiders } from '../../realserver/system.ts';
import { whoHas } from '../knock.ts';
import type { Problem } from '../problem.ts';
import { downInterfaces, ipOf, question, unknownRouter, type Ward } from '../ward.ts';
import { addressless, type Journey, lost, rerouteCommand, wrongNeighbour } from '../ways.ts';

type Vip = Ward['vips'][number];

export async function ownGateway(ward: Ward): Promise<readonly Problem[]> {
  if (ward.director !== undefined || downInterfaces(ward.system).length > 0) return [];
  return (await Promise.all([false, true].map((isSix) => examine(ward, isSix)))).flat();
}

/** Of one family. */
async function examine(ward: Ward, isSix: boolean): Promise<readonly Problem[]> {
  const { system, network } = ward;
  const own = ward.vips.filter(({ vip, method }) => method !== 'fullnat' && vip.includes(':') === isSix);
  const far = outsiders[isSix ? 6 : 4];
  const [first] = own;
  if (first === undefined) return [];
  const isHeld = (vip: string): boolean => system.addresses.some(({ address }) => address === vip);
  // The kernel answers for an address that is its own alone.
  const journey = (vip: string, to: string): Journey => (isHeld(vip) ? { to, from: vip } : { to });
  const wayless = own.filter(({ vip }) => !network.isReachable(far, isHeld(vip) ? vip : undefined));
  if (wayless.length > 0 && network.isReachable(far))
    return wayless.map((one) => refusedByRule(one, network.refusingRule('from', one.vip), far));
  const bare = wayless.length > 0 ? addressless(isSix, system) : undefined;
  if (bare !== undefined) return [bare];
  const none = wayless.length > 0 ? withoutWay(wayless, system, isSix) : [];
  if (none.length > 0) return none;
  const toClients = own.map((one) => ({
    one,
    journeys: clientsOf(one, ward).map((client) => journey(one.vip, client)),
  }));
  const withoutRoute = lost(
    toClients.flatMap(({ journeys }) => journeys),
    network,
    (client, refusal) => ({
      wrong: `there is no way from this real server to the client ${client}`,
      why: `${first.method}: clients of ${first.vip} are answered from here, past the director`,
      mend: refusal === undefined ? `${ipOf(client)} route add default via ${unknownRouter}` : undefined,
    }),
  );
  // Rules may route each VIP by a gateway of its own, and routes each client.
  const byGateway = new Map<string, Gateway>();
  for (const { one, journeys } of toClients)
    for (const { to, from } of [journey(one.vip, far), ...journeys]) {
      const { gateway, table } = network.routeTo(to, from) ?? {};
      if (gateway === undefined) continue;
      const { isDefault = false, vips = [] } = byGateway.get(`${gateway} ${table}`) ?? {};
      byGateway.set(`${gateway} ${table}`, {
        gateway,
        table,
        isDefault: isDefault || to === far,
        vips: [...vips, one],
      });
    }
  const found = await Promise.all([...byGateway.values()].map((one) => examineGateway(one, ward)));
  return [...withoutRoute, ...found.flat(), ...(await silentClients(first, ward))];
}

/** Somebody asks about them; of others, that were here before, it is no wonder that they are gone. */
async function silentClients({ vip, method }: Vip, { asked, network, wire }: Ward): Promise<readonly Problem[]> {
  const clients = asked.clients.filter((client) => client.includes(':') === vip.includes(':'));
  const found = await Promise.all(
    clients.map(async (client): Promise<readonly Problem[]> => {
      const way = network.wayTo(client);
      if (way === undefined || way.gateway !== undefined || way.interface.linkType !== 'ether') return [];
      if ((await whoHas(client, way, wire, { isOne: true })).length > 0) return [];
      return [
        {
          id: 'no-route',
          wrong: `the client ${client} is not on ${way.interface.name}, where this real server looks for it`,
          why: `${method}: clients of ${vip} are answered from here, past the director`,
          evidence: `\`ip route get ${client}\` names no gateway, and asked by ${question(client)} on ${way.interface.name}, nobody has it`,
          mend: { command: `${ipOf(client)} route replace ${client} via ${unknownRouter}`, isSafe: false },
        },
      ];
    }),
  );
  return found.flat();
}

/** Somebody may have shut out a single one on purpose: of that one it is told who asks for it. */
function clientsOf({ vip }: Vip, { ownClients, asked, network }: Ward): readonly string[] {
  const isShutOut = (client: string): boolean => {
    const words = (network.refusingRule('to', client) ?? network.refusalOf(client) ?? '').split(' ');
    return [client, `${client}/32`, `${client}/128`].some((alone) => words.includes(alone));
  };
  const served = (ownClients.get(vip) ?? []).filter((client) => network.isReachable(client) || !isShutOut(client));
  return [...new Set([...asked.clients.filter((client) => client.includes(':') === vip.includes(':')), ...served])];
}

interface Gateway {
  readonly gateway: string;
  readonly table: string | undefined;
  /** Of whoever is far away, and not of some clients alone. */
  readonly isDefault: boolean;
  /** Whose answers go there. */
  readonly vips: readonly Vip[];
}

async function examineGateway(
  { gateway, table, isDefault, vips }: Gateway,
  { network, wire }: Pick<Ward, 'network' | 'wire'>,
): Promise<readonly Problem[]> {
  const way = network.wayTo(gateway);
  if (way?.interface.linkType !== 'ether') return [];
  const own = [...new Set(vips)];
  const [router = [], ...answering] = await Promise.all(
    [gateway, ...own.map(({ vip }) => vip)].map((address) => whoHas(address, way, wire, { isOne: true })),
  );
  const written = network.permanentMac(gateway, way.interface.name);
  if (written !== undefined && router.length > 0 && !router.includes(written))
    return [wrongNeighbour(gateway, way.interface.name, written, router[0])];
  const place = table === undefined ? '' : ` table ${table}`;
  const command = isDefault
    ? `${ipOf(gateway)} route replace default via ${unknownRouter}${place}`
    : rerouteCommand(gateway, table);
  const mend = { command, isSafe: false };
  const mac = router[0] ?? written;
  if (mac === undefined)
    return own.slice(0, 1).map(({ vip, method }) => ({
      id: 'no-route',
      wrong: `the gateway ${gateway} does not answer`,
      why: `${method}: clients of ${vip} are answered from here, past the director, and answers to those ${isDefault ? 'far away' : 'behind it'} go there`,
      evidence: `asked by ${question(gateway)} on ${way.interface.name}, nobody has it`,
      mend,
    }));
  return own.flatMap(({ vip, method }, index): readonly Problem[] => {
    if (answering[index]?.[0] !== mac) return [];
    return [
      {
        id: 'dr-gateway',
        wrong: `the ${isDefault ? 'default gateway' : 'gateway towards clients'} ${gateway} is the director of ${vip}`,
        why: `${method}: answers have the source ${vip}, which is the director's own: it drops them`,
        evidence: `by ${question(vip)} both ${gateway} and ${vip} are told to be at ${mac}`,
        mend,
      },
    ];
  });
}

function refusedByRule({ vip, method }: Vip, rule: string | undefined, far: string): Problem {
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
function withoutWay(own: readonly Vip[], { addresses }: Ward['system'], isSix: boolean): readonly Problem[] {
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
