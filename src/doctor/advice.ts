// What can be known of a destination before it is there: whether its method can work with it at all.
import { type Address, formatAddress, formatEndpoint } from '../model/address.ts';
import type { Method } from '../model/service.ts';

export interface Asked {
  readonly method: Method;
  readonly rip: Address;
  /** That was asked for; undefined: the service's. */
  readonly port: number | undefined;
  /** 0: any, as with marks. */
  readonly servicePort: number;
}

/** undefined: there is none; without a gateway it is on a link of this machine. */
export type RouteTo = (address: string) => { readonly gateway?: string } | undefined;

export function advise(asked: Asked, routeTo: RouteTo): readonly string[] {
  return [mapping(asked), distance(asked, routeTo)].flatMap((text) => text ?? []);
}

function mapping({ method, rip, port, servicePort }: Asked): string | undefined {
  if ((method !== 'gate' && method !== 'tunnel') || servicePort === 0) return undefined;
  if (port === undefined || port === servicePort) return undefined;
  const asked = formatEndpoint(rip, port);
  return `${method} can't map ports: packets come to ${asked.replace(/:\d+$/, '')} for port ${servicePort}, not ${port}; use --fullnat or -m`;
}

function distance({ method, rip }: Asked, routeTo: RouteTo): string | undefined {
  const route = routeTo(formatAddress(rip));
  if (route === undefined) return `there is no route from here to ${formatAddress(rip)}: packets for it are dropped`;
  const { gateway } = route;
  if (gateway === undefined || (method !== 'gate' && method !== 'masq')) return undefined;
  const why =
    method === 'gate'
      ? `gate would give its packets to the router ${gateway}`
      : `masq needs its answers to come back here, past the router ${gateway}`;
  return `${formatAddress(rip)} is not in a network of this director: ${why}; use --fullnat or -i`;
}
