// Asks who has the addresses of this machine that are no VIPs: nobody else should.
import type { Wire } from '../kernel/wire.ts';
import type { System } from '../realserver/system.ts';
import { whoHas } from './knock.ts';

export interface Taken {
  readonly address: string;
  readonly interface: string;
  /** Of the other machine. */
  readonly mac: string;
}

/** As a machine asks that has none yet (RFC 5227): nobody learns anything from it. */
const nobody = '0.0.0.0';

/** Of IPv4: with IPv6 the kernel has asked itself, before it used them. */
export async function findTaken(
  { interfaces, addresses }: System,
  vips: readonly string[],
  wire: Wire,
): Promise<readonly Taken[]> {
  const own = new Set(interfaces.map(({ mac }) => mac));
  const asked = interfaces
    .filter(({ linkType, isUp }) => linkType === 'ether' && isUp)
    .flatMap((one) =>
      addresses
        .filter((held) => held.interface === one.name && held.isGlobal && !held.address.includes(':'))
        .filter(({ address }) => !vips.includes(address))
        .map(({ address }) => ({ interface: one, address })),
    );
  const found = await Promise.all(
    asked.map(async ({ interface: one, address }) => {
      const macs = await whoHas(address, { interface: one, source: nobody }, wire);
      return macs.filter((mac) => !own.has(mac)).map((mac) => ({ address, interface: one.name, mac }));
    }),
  );
  return found.flat();
}
