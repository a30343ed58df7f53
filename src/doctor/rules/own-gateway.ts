// On a real server of gate or tunnel: whether its gateway is the machine that answers for the VIP, which is the director.
import { whoHas } from '../probe.ts';
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export async function ownGateway({ director, vips, system, network, wire }: Ward): Promise<readonly Problem[]> {
  const gateway = system.gateways.find(({ route, address }) => route.startsWith('default ') && !address.includes(':'));
  const way = gateway && network.wayTo(gateway.address);
  const own = vips.filter(({ vip, method }) => method !== 'fullnat' && !vip.includes(':'));
  if (director !== undefined || gateway === undefined || way?.interface.linkType !== 'ether') return [];
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
        evidence: `both ${gateway.address} and ${vip} are told by ARP to be at ${mac}`,
        mend: { command: "ip route replace default via THE NETWORK'S ROUTER", isSafe: false },
      },
    ];
  });
}
