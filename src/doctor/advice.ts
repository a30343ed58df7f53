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

/** `gatewayTo`: of the way to an address; undefined where that is on a link of this machine, or is not known. */
export function advise(asked: Asked, gatewayTo: (address: string) => string | undefined): readonly string[] {
  return [mapping(asked), distance(asked, gatewayTo)].flatMap((text) => text ?? []);
}

function mapping({ method, rip, port, servicePort }: Asked): string | undefined {
  if ((method !== 'gate' && method !== 'tunnel') || servicePort === 0) return undefined;
  if (port === undefined || port === servicePort) return undefined;
  const asked = formatEndpoint(rip, port);
  return `${method} can't map ports: packets come to ${asked.replace(/:\d+$/, '')} for port ${servicePort}, not ${port}; use --fullnat or -m`;
}

function distance({ method, rip }: Asked, gatewayTo: (address: string) => string | undefined): string | undefined {
  if (method !== 'gate' && method !== 'masq') return undefined;
  const gateway = gatewayTo(formatAddress(rip));
  if (gateway === undefined) return undefined;
  const why =
    method === 'gate'
      ? `gate would give its packets to the router ${gateway}`
      : `masq needs its answers to come back here, past the router ${gateway}`;
  return `${formatAddress(rip)} is not in a network of this director: ${why}; use --fullnat or -i`;
}
