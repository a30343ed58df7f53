// On a real server of gate or tunnel: whether its gateway is the machine that answers for the VIP, which is the director.
import { whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import { ipOf, question, unknownRouter, type Ward } from '../ward.ts';

export async function ownGateway(ward: Ward): Promise<readonly Problem[]> {
  if (ward.director !== undefined) return [];
  return (await Promise.all([false, true].map((isSix) => examine(ward, isSix)))).flat();
}

/** The gateway of one family, and the VIPs of it. */
async function examine({ vips, system, network, wire }: Ward, isSix: boolean): Promise<readonly Problem[]> {
  const isOf = (address: string): boolean => address.includes(':') === isSix;
  const gateway = system.gateways.find(({ route, address }) => route.startsWith('default ') && isOf(address));
  const way = gateway && network.wayTo(gateway.address);
  const own = vips.filter(({ vip, method }) => method !== 'fullnat' && isOf(vip));
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
