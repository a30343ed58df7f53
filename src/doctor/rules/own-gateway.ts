// On a real server of gate or tunnel: whether it has a gateway, which must not be the machine that answers for the VIP, the director.
import { isInNetwork, parseAddress } from '../../model/address.ts';
import { outsiders, whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { downInterfaces, ipOf, question, unknownRouter, type Ward } from '../ward.ts';

export async function ownGateway(ward: Ward): Promise<readonly Problem[]> {
  if (ward.director !== undefined || downInterfaces(ward.system).length > 0) return [];
  return (await Promise.all([false, true].map((isSix) => examine(ward, isSix)))).flat();
}

/** The gateway of one family, and the VIPs of it. */
async function examine({ vips, system, network, wire }: Ward, isSix: boolean): Promise<readonly Problem[]> {
  const isOf = (address: string): boolean => address.includes(':') === isSix;
  const gateway = system.gateways.find(({ route, address }) => route.startsWith('default ') && isOf(address));
  const way = gateway && network.wayTo(gateway.address);
  const own = vips.filter(({ vip, method }) => method !== 'fullnat' && isOf(vip));
  if (own.length > 0 && !network.isReachable(outsiders[isSix ? 6 : 4])) return withoutWay(own, system, isSix);
  if (gateway === undefined || way?.interface.linkType !== 'ether') return [];
  const [router, ...answering] = await Promise.all(
    [gateway.address, ...own.map(({ vip }) => vip)].map((address) => whoHas(address, way, wire, { isOne: true })),
  );
  return own.flatMap(({ vip, method }, index): readonly Problem[] => {
    const mac = answering[index]?.[0];
    if (mac === undefined || mac !== router?.[0]) return [];
    return [
      {
        id: 'dr-gateway',
        wrong: `the default gateway ${gateway.address} is the director of ${vip}`,
        why: `${method}: answers have the source ${vip}, which is the director's own: it drops them`,
        evidence: `by ${question(vip)} both ${gateway.address} and ${vip} are told to be at ${mac}`,
        mend: { command: `${ipOf(vip)} route replace default via ${unknownRouter}`, isSafe: false },
      },
    ];
  });
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
