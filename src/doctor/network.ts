// The ways out of this network namespace: which interface, gateway and source the kernel takes towards an address.
import type { Interface } from '../kernel/interfaces.ts';
import type { System } from '../realserver/system.ts';
import { ask } from './ask.ts';

export interface Way {
  readonly interface: Interface;
  /** undefined: the address is on this link. */
  readonly gateway: string | undefined;
  readonly source: string;
  /** The route's, where it has one; else the interface's. */
  readonly mtu: number;
}

export interface Network {
  /** undefined: there is none, or the address is this machine's own. */
  wayTo(address: string): Way | undefined;
}

interface IpRoute {
  readonly type?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly prefsrc?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

/** undefined also where there is no way at all: that one can tell only when packets come. */
export function readGateway(address: string): string | undefined {
  return ask<readonly IpRoute[]>(['ip', '-j', 'route', 'get', address])?.[0]?.gateway;
}

export function readNetwork({ interfaces }: Pick<System, 'interfaces'>): Network {
  const known = new Map<string, IpRoute | undefined>();
  const routeTo = (address: string): IpRoute | undefined => {
    if (!known.has(address)) known.set(address, ask<readonly IpRoute[]>(['ip', '-j', 'route', 'get', address])?.[0]);
    return known.get(address);
  };
  return {
    wayTo(address) {
      const route = routeTo(address);
      const found = interfaces.find(({ name }) => name === route?.dev);
      if (route === undefined || found === undefined || route.type === 'local' || route.prefsrc === undefined)
        return undefined;
      const mtu = route.metrics?.find((one) => one.mtu !== undefined)?.mtu ?? found.mtu;
      return { interface: found, gateway: route.gateway, source: route.prefsrc, mtu };
    },
  };
}
